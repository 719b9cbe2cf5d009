"""`hashcenter doctor --bundle`: what helps is in it, and no secret, wherever it was said."""

import json
import os
import stat
import tarfile
from pathlib import Path

import pytest

from hashcenter_bridge import cli
from hashcenter_bridge.doctor import bundle
from hashcenter_bridge.doctor.redact import LEFT_OUT, Redactor
from hashcenter_bridge.errors import BridgeError
from hashcenter_bridge.finding import Finding

WALLET = "bc1qcanarywallet0000000000000000000000xyz"
SECRETS = {
    "broker password": 'canary-br"oker-pass wörd',
    "broker user": "canary-broker-user",
    "API key": "hc-canaryCanaryCANARY_key-0123",
    "old API key": "hc-canaryOld_key",
    "another rig's key": "canary-openai-key",
    "device password": "canary-s19-password",
    "device user": "canary-s19-user",
    "device password of the environment": "canary-env-password",
    "pool user": "canarypooluser",
    "worker": "canaryworker",
    "wallet": WALLET,
    "adopted worker": "canaryadopted",
    "miner's environment": "canary-miner-token",
    "private key": "canaryPrivateKeyLine",
}


@pytest.fixture
def written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> dict[str, str]:
    """Have every secret set up, said in the log, and return the bundle's files."""
    state = tmp_path / "state"
    (state / "tasks").mkdir(parents=True)
    (tmp_path / "run").mkdir()
    for name, content in (
        ("mqtt-password", SECRETS["broker password"]),
        ("s19-password", SECRETS["device password"]),
        ("mac-key", SECRETS["another rig's key"]),
        ("state/key", SECRETS["API key"]),
        ("state/key.before", SECRETS["old API key"]),
        ("state/tasks/t1.json", '{"messages": "what nobody may read"}'),
        ("rig.key", f"-----BEGIN-----\n{SECRETS['private key']}\n-----END-----\n"),
    ):
        (tmp_path / name).write_text(content + "\n")
    pools = [["stratum+tcp://pool.example:3333", f"{WALLET}.{SECRETS['adopted worker']}"]]
    kept = {"stopped": False, "asics": {"a4:11:62:01:02:03": {"pools": pools}}}
    (state / "state.json").write_text(json.dumps(kept))
    monkeypatch.setenv("S9_PASSWORD", SECRETS["device password of the environment"])
    user = f"{SECRETS['pool user']}.{SECRETS['worker']}"
    file = tmp_path / "hashcenter.toml"
    file.write_text(
        f"""
[rig]
id = "attic"
name = "The attic"
max_w = 850
state_folder = "{state}"
runtime_folder = "{tmp_path}/run"
[mqtt]
host = "127.0.0.1"
port = 1
username = "{SECRETS["broker user"]}"
password_file = "{tmp_path}/mqtt-password"
[http]
key_file = "{tmp_path}/rig.key"
cert_file = "{tmp_path}/none.crt"
[[device]]
plugin = "cpu"
[[runner]]
plugin = "openai"
name = "mac"
url = "https://127.0.0.1:9"
key_file = "{tmp_path}/mac-key"
[[miner]]
plugin = "process"
name = "kawpow"
command = ["/opt/t-rex", "-a", "kawpow", "--user={user}", "-o", "stratum+tcp://{WALLET}@pool:1"]
environment = {{ plugin = "{SECRETS["miner's environment"]}" }}
[[asic]]
plugin = "luxos"
address = "127.89.9.1"
username = "{SECRETS["device user"]}"
password_file = "{tmp_path}/s19-password"
[[asic]]
plugin = "luxos"
address = "127.89.9.2"
password_env = "S9_PASSWORD"
"""
    )
    journal = tmp_path / "bin/journalctl"
    journal.parent.mkdir()
    said = "\n".join([*SECRETS.values(), f"user {user}!", json.dumps(SECRETS), repr(SECRETS)])
    (tmp_path / "said").write_text(f"the bridge started at 127.0.0.1\n{said}\n")
    journal.write_text(f"#!/bin/sh\ncat {tmp_path}/said\n")
    journal.chmod(0o755)
    monkeypatch.setenv("PATH", f"{journal.parent}:{os.environ['PATH']}")
    target = tmp_path / "bundle.tar.gz"

    status = cli.main(["doctor", "--config", str(file), "--bundle", str(target)])

    assert status == 1  # the broker is not there
    assert f"Written without secrets: {target}" in capsys.readouterr().err
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with tarfile.open(target) as opened:
        return {
            member.name.removeprefix("hashcenter-doctor/"): held.read().decode()
            for member in opened.getmembers()
            if (held := opened.extractfile(member)) is not None
        }


def test_no_secret_is_in_the_bundle_whatever_said_it(written: dict[str, str]) -> None:
    for what, secret in SECRETS.items():
        for form in {secret, json.dumps(secret)[1:-1], repr(secret)[1:-1]}:
            told = [name for name, text in written.items() if form in text]
            assert told == [], what
    assert not any("what nobody may read" in text for text in written.values())


def test_what_helps_is_in_the_bundle(written: dict[str, str]) -> None:
    settings = json.loads(written["hashcenter.json"])
    assert settings["rig"]["max_w"] == 850
    assert settings["rig"]["name"] == "The attic"
    assert settings["miner"][0]["command"][0] == "/opt/t-rex"
    assert set(settings["miner"][0]["command"][1:]) == {LEFT_OUT}
    assert settings["mqtt"]["username"] == LEFT_OUT
    checks = {one["check"]: one["result"] for one in json.loads(written["findings.json"])}
    assert checks["broker"] == "failed"
    assert checks["configuration"] == "ok"
    assert "the bridge started at" in written["hashcenter.log"]
    assert json.loads(written["state.json"])["asics"] == ["a4:11:62:01:02:03"]
    assert "state/tasks/t1.json" in written["folders.txt"]
    assert "Python 3" in written["versions.txt"]


def test_a_file_that_is_wrong_makes_a_bundle_too(tmp_path: Path) -> None:
    file = tmp_path / "hashcenter.toml"
    file.write_text('[rig]\nid = "attic"\nwatts = "canary-in-the-wrong-place"\n')
    target = tmp_path / "bundle.tar.gz"
    assert cli.main(["doctor", "--config", str(file), "--bundle", str(target)]) == 1
    with tarfile.open(target) as opened:
        texts = [held.read() for one in opened if (held := opened.extractfile(one)) is not None]
    assert texts
    assert not any(b"canary" in text for text in texts)


def test_a_bundle_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    finding = Finding("broker", "ok", "fine")
    with pytest.raises(BridgeError, match="cannot be written"):
        bundle.write(tmp_path / "none/bundle.tar.gz", tmp_path / "x.toml", None, [finding])


def test_what_looks_like_a_wallet_or_a_login_is_left_out_though_nobody_knows_it() -> None:
    said = Redactor({}).text(
        f"pool for {WALLET}.rig1 at stratum+tcp://somebody@pool.example:3333, "
        "GPU-d29b2a2e-64f9-5f3c-b5e8-1d4f0a3b2c11 draws 220 W, requests_accepted_total 4"
    )
    assert said == (
        f"pool for {LEFT_OUT}.rig1 at stratum+tcp://{LEFT_OUT}pool.example:3333, "
        "GPU-d29b2a2e-64f9-5f3c-b5e8-1d4f0a3b2c11 draws 220 W, requests_accepted_total 4"
    )
