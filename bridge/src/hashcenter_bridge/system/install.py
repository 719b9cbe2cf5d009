"""Does what plan.py says, one shown step after the other, and takes it away again.

`install` writes what is missing and can be run again after an update. `uninstall` removes exactly
what it writes; the owner's own files stay, unless they are asked to go too.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from ..errors import BridgeError
from .plan import SERVICES, USER, File, Plan

_STATE: Final = Path("/var/lib/hashcenter")
_POWERD, _BRIDGE = SERVICES


@dataclass(frozen=True)
class Step:
    """One thing to do, and the sentence that says so."""

    text: str
    do: Callable[[], None]


def install_steps(plan: Plan) -> Iterator[Step]:
    """Yield what has to be done so that the bridge runs as a service. A step raises BridgeError."""
    ours = plan.root == Path("/")
    if ours and not _user_exists():
        make = ["useradd", "--system", "--home-dir", str(_STATE), "--shell", "/usr/sbin/nologin"]
        yield Step(f"make the system user {USER}", partial(_run, *make, USER))
    changed = plan.written()
    for file in changed:
        note = " (yours to edit)" if file.kept else ""
        yield Step(f"write {plan.at(file.path)}{note}", partial(_write, plan, file))
    if ours and _has_systemd():
        if changed:
            yield Step("let systemd read its files again", partial(_systemctl, "daemon-reload"))
        for name in SERVICES:
            if not _is_enabled(name):
                yield Step(
                    f"have {name} start with the machine", partial(_systemctl, "enable", name)
                )


def uninstall_steps(plan: Plan, *, purge: bool) -> Iterator[Step]:
    """Yield what has to be done so that nothing of `install_steps` is left."""
    ours = plan.root == Path("/")
    if ours and _has_systemd():
        if _is_active(_POWERD):
            release = partial(_run, *_command(plan, "powerd", "--release"))
            yield Step("set every card to its factory default limit", release)
        for name in (_BRIDGE, _POWERD):
            if plan.at(Path("/etc/systemd/system") / name).exists():
                stop = partial(_systemctl, "disable", "--now", name)
                yield Step(f"stop {name}", stop)
    for file in plan.files:
        if plan.at(file.path).exists() and (purge or not file.kept):
            yield Step(f"remove {plan.at(file.path)}", partial(plan.at(file.path).unlink))
    if ours and _has_systemd():
        yield Step("let systemd forget them", partial(_systemctl, "daemon-reload"))
    state = plan.at(_STATE)
    if purge and state.exists():
        yield Step(f"remove {state} (keys, energy, learned values)", partial(shutil.rmtree, state))
    if purge and ours and _user_exists():
        yield Step(f"remove the system user {USER}", partial(_run, "userdel", USER))


def carry_out(steps: Iterator[Step], say: Callable[[str], None], *, only_show: bool) -> int:
    """Say every step and do it, unless they are only to be shown; return how many there were.

    Raises BridgeError naming the step that failed.
    """
    count = 0
    for step in steps:
        say(step.text)
        count += 1
        if only_show:
            continue
        try:
            step.do()
        except OSError as err:
            raise BridgeError(f"could not {step.text}: {err.strerror or err}") from None
    return count


def need_root(root: Path) -> None:
    """Raise BridgeError unless this process may change the machine."""
    if root == Path("/") and os.geteuid() != 0:
        raise BridgeError("this changes the machine: run it with sudo, or look first with --show")


def _write(plan: Plan, file: File) -> None:
    path = plan.at(file.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(file.text)
    fresh.chmod(file.mode)
    if file.group and plan.root == Path("/"):
        shutil.chown(fresh, "root", file.group)
    fresh.replace(path)


def _command(plan: Plan, *arguments: str) -> list[str]:
    return [str(plan.program), *arguments]


def _systemctl(*arguments: str) -> None:
    _run("systemctl", *arguments)


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    except (OSError, subprocess.TimeoutExpired) as err:
        raise BridgeError(f"{command[0]} could not be run: {err}") from None
    if done.returncode != 0:
        raise BridgeError(f"`{' '.join(command)}` failed: {done.stderr.strip() or done.stdout}")


def _asks(*command: str) -> bool:
    """Whether a command that asks something says yes."""
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _is_enabled(name: str) -> bool:
    return _asks("systemctl", "is-enabled", "--quiet", name)


def _is_active(name: str) -> bool:
    return _asks("systemctl", "is-active", "--quiet", name)


def _has_systemd() -> bool:
    # Source: sd_booted(3).
    return Path("/run/systemd/system").is_dir()


def _user_exists() -> bool:
    try:
        pwd.getpwnam(USER)
    except KeyError:
        return False
    return True
