"""The owner's file: every mistake is one sentence that names file, line and key."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from hashcenter_bridge import build, config
from hashcenter_bridge.config import Config, Source
from hashcenter_bridge.errors import BridgeError, ConfigError
from hashcenter_bridge.plugin import PluginContext
from hashcenter_bridge.wire.messages import Device
from hashcenter_bridge.wire.values import DeviceKind

RIG = '[rig]\nid = "attic"\n'
CARDS = (
    Device(uid="GPU-a", kind=DeviceKind.GPU, name="RTX 3090", ordinal=0),
    Device(uid="GPU-b", kind=DeviceKind.GPU, name="RTX 3090", ordinal=1),
    Device(uid="CPU-1", kind=DeviceKind.CPU, name="Processor"),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "hashcenter.toml"


def make_all(file: Path) -> None:
    settings, source = config.load(file)
    build.check(settings, source)
    context = PluginContext(file.parent, file.parent)
    build.miners(settings, source, context, CARDS)
    build.runners(settings, source, context, CARDS)


def mistake(file: Path, text: str) -> str:
    """Return the sentence that a file with `text` ends in, however far it gets."""
    file.write_text(text)
    with pytest.raises(BridgeError) as err:
        make_all(file)
    sentence = str(err.value)
    assert "\n" not in sentence
    assert str(file) in sentence
    return sentence.replace(str(file), "FILE")


def test_a_short_file_is_enough(file: Path) -> None:
    file.write_text(RIG)
    settings, _ = config.load(file)
    assert settings.rig.id == "attic"
    assert not settings.rig.allow_control
    assert settings.rig.safe_w == 0.0
    assert settings.mqtt.host == "127.0.0.1"
    assert settings.http.listen == "127.0.0.1"


def test_what_everybody_can_read_is_told(file: Path) -> None:
    file.write_text(
        f'{RIG}[mqtt]\nhost = "ha.local"\nplain = true\n[http]\nlisten = "0.0.0.0"\nplain = true\n'
    )
    assert config.load(file)[0].exposed == ("mqtt", "api")
    file.write_text(f'{RIG}[mqtt]\nhost = "ha.local"\ntls = true\n[http]\nlisten = "0.0.0.0"\n')
    assert config.load(file)[0].exposed == ()


def test_whole_numbers_are_numbers_too(file: Path) -> None:
    file.write_text(f"{RIG}max_w = 800\ncoast_s = 60\n")
    assert config.load(file)[0].rig.max_w == 800.0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "FILE: rig: this key is needed and is not there"),
        ("[rig]\n", "FILE, line 1: rig.id: this key is needed and is not there"),
        ("[rig\n", "FILE: not valid TOML: .*line 1"),
        ('[rig]\nid = "attic', "FILE: not valid TOML: .*end of document"),
        ("[[rig]]\n", r"FILE, line 1: rig: write it as a table: \[rig\]"),
        ("rig = 7\n", r"FILE, line 1: rig: write it as a table: \[rig\]"),
        (f"{RIG}max_watts = 3\n", "FILE, line 3: rig.max_watts: this key is not known"),
        (f"{RIG}\n[rigs]\nid = 1\n", "FILE, line 4: rigs: this key is not known"),
        ('rig.id = "a"\nrig.x = 1\n', "FILE, line [12]: rig.x: this key is not known"),
        ('rig = {id = "a", x = 1}\n', "FILE, line 1: rig.x: this key is not known"),
        ('[rig]\nid = "My Rig"\n', "FILE, line 2: rig.id: write small letters.*'My Rig'"),
        (f'{RIG}max_w = "800"\n', "FILE, line 3: rig.max_w: .*number.*'800'"),
        (f"{RIG}max_w = true\n", "FILE, line 3: rig.max_w: .*number"),
        (f"{RIG}max_w = 0\n", "FILE, line 3: rig.max_w: .*greater than 0"),
        (f"{RIG}max_w = nan\n", "FILE, line 3: rig.max_w: .*finite"),
        (f"{RIG}safe_w = inf\n", "FILE, line 3: rig.safe_w: .*finite"),
        (f"{RIG}unattended_w = 1e9\n", "FILE, line 3: rig.unattended_w: .*20000"),
        (f"{RIG}psu_efficiency = 92\n", "FILE, line 3: rig.psu_efficiency: .*1"),
        (f"{RIG}coast_s = 1801\n", "FILE, line 3: rig.coast_s: .*1800"),
        (f'{RIG}allow_control = "yes"\n', "FILE, line 3: rig.allow_control: .*boolean"),
        (f"{RIG}allow_control = 1\n", "FILE, line 3: rig.allow_control: .*boolean"),
        (f'{RIG}[mqtt]\nhost = ""\n', "FILE, line 4: mqtt.host: "),
        (f'{RIG}[mqtt]\nhost = "ha.local"\n', "FILE, line 3: mqtt: everybody in the network"),
        (f'{RIG}[mqtt]\nca_file = "ca.crt"\n', "FILE, line 3: mqtt: ca_file and cert_file mean"),
        (f"{RIG}[mqtt]\n\n# it\n  port=70000\n", "FILE, line 6: mqtt.port: .*65535"),
        (f'{RIG}[mqtt]\npassword = "x"\n', "FILE, line 4: mqtt.password: .*not known"),
        (f'{RIG}[http]\nurl = "attic:80"\n', "FILE, line 4: http.url: write an address.*attic:80"),
        (f'{RIG}[log]\nlevel = "loud"\n', "FILE, line 4: log.level: .*'debug'.*'loud'"),
        (f'{RIG}[device]\nplugin = "nvml"\n', r"FILE, line 3: device: .*\[\[device\]\]"),
        (f"{RIG}[[device]]\n", "FILE, line 3: device.plugin: each block names its plugin"),
        (f"{RIG}[[device]]\nplugin = 7\n", "FILE, line 4: device.plugin: each block names"),
        (
            f'{RIG}[[device]]\nplugin = "nvml"\n[[device]]\nplugin = "abacus"\n',
            r"FILE, line 6: device.plugin: there is no plugin 'abacus' .*installed: .*nvml",
        ),
        (
            f'{RIG}[[device]]\nplugin = "nvml"\n[[device]]\nplugin = "nvml"\ntimeout_s = 0\n',
            "FILE, line 7: device.timeout_s: ",
        ),
        (
            f'{RIG}[[device]]\nplugin = "nvml"\nwatts = 3\n',
            "FILE, line 5: device.watts: this key is not known",
        ),
        (RIG, r"FILE: no \[\[device\]\] and no"),
    ],
)
def test_a_mistake_is_one_sentence_that_says_where(file: Path, text: str, sentence: str) -> None:
    assert re.match(sentence, mistake(file, text))


MINER = f"""{RIG}
[[device]]
plugin = "nvml"

[[miner]]
plugin = "xmrig"
name = "first"
url = "http://127.0.0.1:1"
gpus = [0]

[[miner]]
plugin = "xmrig"
name = "second"
url = "http://127.0.0.1:2"
gpus = [1]
"""


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('name = "second"', 'name = "first"', "line 15: miner.name: two blocks are named 'first'"),
        ('name = "second"\n', "", "line 13: miner.name: this key is needed and is not there"),
        ('name = "second"', 'name = "Zwei!"', "line 15: miner.name: "),
        ("gpus = [1]", "gpus = [7]", r"line 17: miner.gpus: there is no GPU 7 .*0 \(GPU-a\), 1"),
        ("gpus = [1]", 'gpus = ["GPU-z"]', "line 17: miner.gpus: there is no GPU 'GPU-z'"),
        ("gpus = [1]", 'gpus = ["CPU-1"]', "line 17: miner.gpus: there is no GPU 'CPU-1'"),
        ("gpus = [1]", 'gpus = [1, "GPU-b"]', "line 17: miner.gpus: a GPU is named twice"),
        ("gpus = [1]", 'gpus = "some"', "line 17: miner.gpus: .*'all'"),
        ('url = "http://127.0.0.1:2"\n', "", "line 13: miner: name a command that starts the"),
        ('url = "http://127.0.0.1:2"', 'url = "ftp://x"', "line 16: miner.url: "),
    ],
)
def test_a_mistake_in_the_second_block_is_found_there(
    file: Path, old: str, new: str, sentence: str
) -> None:
    assert old in MINER
    assert re.match(f"FILE, {sentence}", mistake(file, MINER.replace(old, new)))


def test_gpus_are_named_by_number_or_uuid_or_all(file: Path) -> None:
    for gpus, expected in (
        ("[1, 0]", ("GPU-b", "GPU-a")),
        ('["GPU-b"]', ("GPU-b",)),
        ('"all"', ("GPU-a", "GPU-b")),
        ("[]", ()),
    ):
        file.write_text(MINER.replace("gpus = [1]", f"gpus = {gpus}"))
        made = build.miners(*config.load(file), PluginContext(file.parent, file.parent), CARDS)
        assert made[1].gpus == expected


def test_a_file_that_is_not_there_or_not_text_is_named(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"hashcenter\.toml: cannot be read"):
        config.load(file)
    file.mkdir()
    with pytest.raises(ConfigError, match=r"hashcenter\.toml: cannot be read"):
        config.load(file)
    file.rmdir()
    file.write_bytes(b"[rig]\nid = '\xff'\n")
    with pytest.raises(ConfigError, match=r"hashcenter.toml: is not text in UTF-8"):
        config.load(file)


def test_where_it_was_looked_for_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(config, "DEFAULT_PATHS", (Path("hashcenter.toml"), tmp_path / "other"))
    with pytest.raises(ConfigError, match=r"looked for hashcenter.toml and .*other.* --config"):
        config.find(None)
    (tmp_path / "hashcenter.toml").write_text(RIG)
    assert config.find(None) == Path("hashcenter.toml")
    assert config.find(tmp_path / "mine") == tmp_path / "mine"


def test_a_password_comes_from_its_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HASHCENTER_MQTT_PASSWORD", "from outside")
    assert config.MqttConfig().password() == "from outside"
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    assert config.MqttConfig(password_file=secret).password() == "hunter2"


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_password_file_that_cannot_be_read_is_named(
    tmp_path: Path, content: bytes | None
) -> None:
    secret = tmp_path / "secret"
    if content is not None:
        secret.write_bytes(content)
    with pytest.raises(ConfigError, match=r"\[mqtt\] password_file: .*secret cannot be read"):
        config.MqttConfig(password_file=secret).password()


toml_values: st.SearchStrategy[Any] = st.sampled_from(
    ["1", "-1", "1e999", "nan", "inf", "true", '"x"', "[]", "[1, 2]", "{}", "{a = 1}", "2026-01-01"]
)
toml_keys = st.sampled_from(
    [*config.RigConfig.model_fields, *config.MqttConfig.model_fields, "plugin", "name", "gpus", "x"]
)
headers = st.sampled_from(
    [
        "[rig]",
        "[mqtt]",
        "[http]",
        "[log]",
        "[[device]]",
        "[[miner]]",
        "[[runner]]",
        "[x]",
        "[rig.x]",
    ]
)
lines = st.one_of(
    headers,
    st.builds("{} = {}".format, toml_keys, toml_values),
    st.text(max_size=15),
    st.just(RIG),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(lines, max_size=8).map("\n".join) | st.text())
def test_any_file_is_understood_or_explained_in_one_line(file: Path, text: str) -> None:
    file.write_bytes(text.encode(errors="surrogatepass"))
    try:
        settings, source = config.load(file)
        assert isinstance(settings, Config)
        assert isinstance(source, Source)
        build.check(settings, source)
    except BridgeError as err:
        sentence = str(err)
    else:
        return
    assert sentence.startswith(str(file))
    assert len(sentence.splitlines()) == 1


def test_the_example_that_owners_copy_is_understood() -> None:
    settings, source = config.load(Path(__file__).parents[2] / "bridge/hashcenter.example.toml")
    build.check(settings, source)
    assert settings.device
