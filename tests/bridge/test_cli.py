"""The console command: what it prints, and that every mistake ends in one sentence."""

import asyncio
import json
import os
import re
import socket
from pathlib import Path

import pytest

from hashcenter_bridge import cli, config
from hashcenter_bridge.commands import rig
from hashcenter_bridge.errors import BridgeError, ConfigError
from tests.bridge.console import COMMAND, Outcome, hashcenter
from tests.brokers import HOST, free_port
from tests.simulators.fake_nvml import Driver, FakeGpus, build


class Owner:
    """An owner's file, and folders for the bridge."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "hashcenter.toml"
        self.state = folder / "state"
        self.runtime = folder / "run"
        self.http_port = free_port()

    def write(self, more: str = "", *, rig: str = "", device: str = "cpu") -> Path:
        """Write a file that is right but for what is added to it."""
        self.file.write_text(
            f"""
[rig]
id = "attic"
state_folder = "{self.state}"
runtime_folder = "{self.runtime}"
{rig}
[mqtt]
port = {free_port()}
[http]
port = {self.http_port}
[[device]]
plugin = "{device}"
{more}
"""
        )
        return self.file


@pytest.fixture
def owner(tmp_path: Path) -> Owner:
    return Owner(tmp_path)


COMMANDS = ("run", "doctor", "key", "devices", "models", "stop", "unpair")


class Desk:
    """The same commands without a new process: quick, for mistakes that end them early."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def run(self, *arguments: str | Path) -> Outcome:
        status = cli.main([str(argument) for argument in arguments])
        said = self._capture.readouterr()
        return Outcome(status, said.out, said.err)


@pytest.fixture
def desk(capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(capsys)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_file_ends_every_command_in_one_sentence(
    owner: Owner, desk: Desk, command: str
) -> None:
    owner.file.write_text('[rig]\nid = "attic"\nmax_watts = 3\n')
    done = desk.run(command, "--config", owner.file)
    assert done.status != 0
    sentence = done.out if command == "doctor" else done.sentence
    assert f"{owner.file}, line 3: rig.max_watts: this key is not known" in sentence
    assert "Traceback" not in done.err


@pytest.mark.parametrize("command", ["run", "key"])
def test_a_file_that_is_not_there_is_named(owner: Owner, desk: Desk, command: str) -> None:
    done = desk.run(command, "--config", owner.folder / "none.toml")
    assert done.status == 2
    assert done.sentence.endswith("none.toml: cannot be read (No such file or directory)")


def test_without_a_file_it_says_where_it_looked(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "DEFAULT_PATHS", (tmp_path / "none.toml",))
    done = desk.run("run")
    assert done.status == 2
    assert "no configuration found" in done.sentence


@pytest.mark.parametrize("arguments", [[], ["dance"], ["run", "--fast"], ["run", "--config"]])
async def test_a_command_that_does_not_exist_is_explained(arguments: list[str]) -> None:
    done = await hashcenter(*arguments)
    assert done.status == 2
    assert "usage: hashcenter" in done.err
    assert "Traceback" not in done.err


async def test_a_port_that_another_program_has_is_named(owner: Owner) -> None:
    with socket.create_server((HOST, owner.http_port)):
        done = await hashcenter("run", "--config", owner.write())
    assert done.status == 2
    assert f"[http] {HOST}:{owner.http_port} cannot be opened" in done.sentence
    assert "another program has it" in done.sentence


@pytest.mark.parametrize("listen", ["192.0.2.1", "no such host", "a" * 100])
def test_an_address_that_this_machine_does_not_have_is_named(
    owner: Owner, desk: Desk, listen: str
) -> None:
    owner.write()
    text = owner.file.read_text().replace("[http]", f'[http]\nlisten = "{listen}"')
    owner.file.write_text(text)
    done = desk.run("run", "--config", owner.file)
    assert done.status == 2
    assert f"[http] {listen}:{owner.http_port} cannot be opened" in done.sentence


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ("run", "state_folder"),
        ("run", "runtime_folder"),
        ("key", "state_folder"),
        ("stop", "state_folder"),
    ],
)
def test_a_folder_that_cannot_be_used_is_named(
    owner: Owner, desk: Desk, what: str, command: str
) -> None:
    (owner.folder / "file").write_text("")
    owner.write()
    blocked = owner.folder / "file" / "folder"
    text = re.sub(rf"{what} = .*", f'{what} = "{blocked}"', owner.file.read_text())
    owner.file.write_text(text)
    done = desk.run(command, "--config", owner.file)
    assert done.status == 2
    assert f"[rig] {what}: {blocked} cannot be written" in done.sentence


def test_a_runtime_folder_with_too_long_a_path_is_named(owner: Owner, desk: Desk) -> None:
    owner.runtime = owner.folder / ("x" * 120)
    done = desk.run("run", "--config", owner.write())
    assert done.status == 2
    assert "[rig] runtime_folder:" in done.sentence
    assert "short path" in done.sentence


def test_a_password_file_that_is_missing_is_named(owner: Owner, desk: Desk) -> None:
    owner.write()
    text = owner.file.read_text().replace("[mqtt]", '[mqtt]\npassword_file = "/nowhere"')
    owner.file.write_text(text)
    done = desk.run("run", "--config", owner.file)
    assert done.status == 2
    assert "[mqtt] password_file: /nowhere cannot be read" in done.sentence


@pytest.mark.parametrize("command", ["run", "doctor"])
async def test_a_rig_without_nvidias_driver_is_told_so(owner: Owner, command: str) -> None:
    library = build(owner.folder)
    driver = Driver(init_result="driver_not_loaded")
    gpus = FakeGpus(owner.folder / "gpus", library=library, driver=driver)
    file = owner.write(device="nvml")
    done = await hashcenter(command, "--config", file, environment=gpus.environment)
    assert done.status == 1
    told = done.out if command == "doctor" else done.sentence
    assert "NVIDIA's driver is not loaded" in told


def test_a_model_that_is_missing_is_named(owner: Owner, desk: Desk) -> None:
    runner = '[[runner]]\nplugin = "xllamacpp"\nname = "small"\ngpus = []\nmodel = "/nowhere.gguf"'
    done = desk.run("models", "--config", owner.write(runner))
    assert done.status == 1
    assert "/nowhere.gguf" in done.out
    assert "Traceback" not in done.err


def test_models_fit_says_what_a_file_takes(
    owner: Owner, desk: Desk, small_model: Path, tmp_path: Path
) -> None:
    done = desk.run("models", "fit", str(small_model), "--config", owner.write())
    assert done.status == 0
    assert "billion weights" in done.out
    assert "No GPU was found here" in done.out
    missing = desk.run("models", "fit", "--config", owner.write())
    assert (missing.status, "say which file" in missing.err) == (2, True)
    none = desk.run("models", "fit", str(tmp_path / "none.gguf"), "--config", owner.write())
    assert (none.status, "cannot be read" in none.err) == (1, True)


def test_models_without_a_runner_are_none(owner: Owner, desk: Desk) -> None:
    done = desk.run("models", "--config", owner.write())
    assert (done.status, done.out) == (0, "")


async def test_a_key_is_printed_alone_and_stays_until_it_is_renewed(owner: Owner) -> None:
    owner.write()
    first = await hashcenter("key", "--config", owner.file)
    again = await hashcenter("key", "--config", owner.file)
    assert first.status == 0
    assert re.fullmatch(r"hc-[\w-]+\n", first.out)
    assert again.out == first.out
    renewed = await hashcenter("key", "--renew", "--config", owner.file)
    assert renewed.out != first.out
    assert "holds at once" in renewed.err


async def test_devices_lists_what_the_plugins_find_and_writes_nothing(owner: Owner) -> None:
    done = await hashcenter("devices", "--config", owner.write("idle_w = 10\nmax_w = 60"))
    assert done.status == 0
    assert re.match(r"cpu 0  .* W now, no power limit\n +CPU-", done.out)
    assert "WARNING" not in done.err
    assert not owner.state.exists()


async def test_a_stop_without_a_running_bridge_is_found_when_it_starts(owner: Owner) -> None:
    owner.write()
    stopped = await hashcenter("stop", "--config", owner.file)
    assert stopped.status == 0
    assert "does not run" in stopped.out
    assert json.loads((owner.state / "state.json").read_text())["stopped"] is True
    released = await hashcenter("stop", "--release", "--config", owner.file)
    assert released.status == 0
    assert json.loads((owner.state / "state.json").read_text())["stopped"] is False


def test_unpair_forgets_the_house_and_nothing_else(owner: Owner, desk: Desk) -> None:
    owner.write()
    owner.state.mkdir()
    kept = {"controller": "house", "stopped": True, "energy": {"rig": {"kwh": 3.0}}}
    (owner.state / "state.json").write_text(json.dumps(kept))
    done = desk.run("unpair", "--config", owner.file)
    assert done.status == 0
    left = json.loads((owner.state / "state.json").read_text())
    assert (left["controller"], left["stopped"]) == (None, True)
    assert left["energy"] == {"rig": {"kwh": 3.0}}


async def test_schema_is_json_and_needs_no_file(tmp_path: Path) -> None:
    done = await hashcenter("schema")
    assert done.status == 0
    schema = json.loads(done.out)
    assert set(schema) == {"wire", "config", "asic", "plugins"}
    assert "starts_per_day" in schema["asic"]["properties"]
    assert "hashcenter/v1/RIG/state" in schema["wire"]["topics"]
    assert "cpu" in schema["plugins"]["devices"]


async def test_it_says_its_version() -> None:
    done = await hashcenter("--version")
    assert re.fullmatch(r"hashcenter \d+\.\d+\.\d+\n", done.out)


async def test_a_reader_that_hangs_up_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    process = await asyncio.create_subprocess_exec(
        COMMAND, "schema", stdout=write, stderr=asyncio.subprocess.PIPE
    )
    os.close(write)
    _, err = await process.communicate()
    assert b"Traceback" not in err
    assert process.returncode != 0


async def test_a_mistake_reaches_the_shell_as_one_sentence_and_a_status(owner: Owner) -> None:
    owner.file.write_text("[rig\n")
    done = await hashcenter("run", "--config", owner.file)
    assert done.status == 2
    assert done.err == f"hashcenter: {done.sentence}\n"
    assert "not valid TOML" in done.sentence


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (ConfigError("the file is wrong"), 2, "the file is wrong"),
        (BridgeError("the disk is full"), 1, "the disk is full"),
        (KeyboardInterrupt(), 130, ""),
        (ExceptionGroup("", [BridgeError("inside a group")]), 1, "inside a group"),
        (ZeroDivisionError("oh"), 1, "a mistake of ours: ZeroDivisionError: oh"),
    ],
)
def test_whatever_goes_wrong_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    sentence: str,
) -> None:
    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr(rig, "show_schema", fail)
    assert cli.main(["schema"]) == status
    err = capsys.readouterr().err
    assert err == (f"hashcenter: {sentence}\n" if sentence else "")
