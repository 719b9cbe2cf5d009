"""Starts the bridge as a Home Assistant app: asks for the broker, then becomes the bridge.

The owner's file is /config/hashcenter.toml. It is written once, with the miners that were found on
the networks in the app's options; what the app knows better (broker, address) is added to a copy,
which the bridge reads.
"""

import json
import os
import pwd
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final, NoReturn

USER: Final = "hashcenter"
PORT: Final = 8420
PROGRAM: Final = Path(sys.executable).with_name("hashcenter")
#: The Supervisor may still be starting the broker.
PATIENCE_S: Final = 60.0
OPENING: Final = """\
# Your rig's file; docs/rig.md in the project says what keys mean. Restart the app after a change.

[rig]
id = {rig}
allow_control = false             # true: your Home Assistant may set watts, start and stop miners

# Without [mqtt] the broker is Home Assistant's own. One [[asic]] block for each miner:
# max_w and unattended_w say what its circuit has to carry.
"""
MQTT: Final = """
[mqtt]
host = {host}
port = {port}
{security} = true
username = {username}
password_file = {password_file}
"""
HTTP: Final = """
[http]
listen = "0.0.0.0"
port = {port}
url = {url}
"""


class Trouble(Exception):
    """What keeps the bridge from starting, in a sentence."""


def main() -> NoReturn:
    """Prepare the files, and become the bridge as an ordinary user."""
    root = Path(os.environ.get("HASHCENTER_APP_ROOT", "/"))
    data, config = root / "data", root / "config"
    owners, state = config / "hashcenter.toml", data / "state"
    options = json.loads((data / "options.json").read_text())
    try:
        state.mkdir(mode=0o700, exist_ok=True)
        write_owners_file(owners, options)
        file = state / "hashcenter.toml"
        file.write_text(bridges_file(owners, state))
        give(state)
        write_key(file, config / "key.txt")
    except (Trouble, OSError) as err:
        sys.exit(f"hashcenter: {err}")
    print(f"hashcenter: reading {file}, which has the lines of {owners}", flush=True)
    become_user()
    os.environ.pop("SUPERVISOR_TOKEN", None)
    os.execv(PROGRAM, [str(PROGRAM), "run", "--config", str(file)])  # noqa: S606 - no shell is the point


def write_owners_file(owners: Path, options: dict[str, Any]) -> None:
    """Write the owner's file if there is none, and the miners that are found if it names none."""
    if not owners.exists():
        owners.write_text(OPENING.format(rig=quoted(options["rig"])))
    said, networks = read(owners), options["networks"]
    if said.get("asic") or said.get("device"):
        return
    if networks:
        print(f"hashcenter: searching {', '.join(networks)} for miners", flush=True)
        found = as_user("devices", "scan", *networks)
        print(found.stderr, end="", flush=True)
        if found.stdout:
            owners.write_text(f"{owners.read_text()}\n{found.stdout}")
            read(owners)
            return
    raise Trouble(
        f"{owners} names no miner yet: name the network they are in in the app's options, or write "
        "an [[asic]] block, then start the app again"
    )


def bridges_file(owners: Path, state: Path) -> str:
    """Return the owner's text, with the broker and the API's address if it leaves them open."""
    said, text = read(owners), owners.read_text()
    if "mqtt" not in said:
        broker = ask_supervisor("/services/mqtt")
        password_file = state / "mqtt-password"
        password_file.touch(mode=0o600)
        password_file.write_text(str(broker.get("password") or ""))
        text += MQTT.format(
            host=quoted(broker["host"]),
            port=int(broker["port"]),
            # Between the apps of one machine the owner's broker need not speak TLS.
            security="tls" if broker.get("ssl") else "plain",
            username=quoted(str(broker.get("username") or "")),
            password_file=quoted(str(password_file)),
        )
    if "http" not in said:
        # The name that Home Assistant has for this container.
        text += HTTP.format(port=PORT, url=quoted(f"https://{socket.gethostname()}:{PORT}"))
    return text


def ask_supervisor(path: str) -> dict[str, Any]:
    """Return what the Supervisor says; raises Trouble when it says nothing of use for a minute."""
    address = os.environ.get("SUPERVISOR_URL", "http://supervisor") + path
    headers = {"Authorization": f"Bearer {os.environ.get('SUPERVISOR_TOKEN', '')}"}
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            request = urllib.request.Request(address, headers=headers)  # noqa: S310 - ours
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                said = json.load(answer)["data"]
                if said and said.get("host"):
                    return dict(said)
                why = "it knows no broker"
        except urllib.error.HTTPError as err:
            why = f"it answered {err.code}"
        except (OSError, ValueError, KeyError, TypeError) as err:
            why = str(err)
        if time.monotonic() > deadline:
            raise Trouble(
                f"the Supervisor names no MQTT broker ({why}): install and start the Mosquitto "
                "broker app, or write [mqtt] into the rig's file"
            )
        time.sleep(2.0)


def write_key(file: Path, target: Path) -> None:
    """Put the rig's key where the owner finds it: there is no terminal, and logs have no keys."""
    said = as_user("key", "--config", str(file))
    if said.returncode != 0:
        raise Trouble(said.stderr.strip().removeprefix("hashcenter: "))
    target.touch(mode=0o600)
    target.write_text(said.stdout)


def read(owners: Path) -> dict[str, Any]:
    """Return the owner's file; raises Trouble where it is not TOML."""
    try:
        return tomllib.loads(owners.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise Trouble(f"{owners}: {err}") from None


def quoted(text: str) -> str:
    """Return a text as TOML has it; JSON's strings are the same."""
    return json.dumps(text, ensure_ascii=False)


def as_user(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the bridge as its user."""
    who = ids()
    as_whom: dict[str, Any] = {"user": who[0], "group": who[1], "extra_groups": []} if who else {}
    command = [PROGRAM, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **as_whom)


def give(folder: Path) -> None:
    """Make the bridge's user the owner of a folder and what is in it."""
    if who := ids():
        for path in (folder, *folder.rglob("*")):
            os.chown(path, *who, follow_symlinks=False)


def become_user() -> None:
    """Be the bridge's user from now on."""
    if who := ids():
        os.setgroups([])
        os.setgid(who[1])
        os.setuid(who[0])


def ids() -> tuple[int, int] | None:
    """Return the bridge's user and group; None if this is no container of ours."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(USER)
    except KeyError:
        return None
    return entry.pw_uid, entry.pw_gid


if __name__ == "__main__":
    main()
