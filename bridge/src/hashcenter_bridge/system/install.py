"""Does what plan.py says, one shown step after the other, and takes it away again.

`install` writes what is missing and can be run again after an update. `uninstall` removes exactly
what it writes; the owner's own files stay, unless they are asked to go too.
"""

import grp
import os
import pwd
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..errors import BridgeError
from .plan import GROUPS, PACKAGED_UNITS, SERVICES, STATE, USER, File, Plan

_POWERD, _BRIDGE = SERVICES


@dataclass(frozen=True)
class Step:
    """One thing to do, and the sentence that says so."""

    text: str
    do: Callable[[], None]


def install_steps(plan: Plan) -> Iterator[Step]:
    """Yield what has to be done so that the bridge can run as a service. A step raises BridgeError.

    Nothing is started: the owner writes the rig's file first.
    """
    ours = plan.root == Path("/")
    if ours:
        yield from _user()
        if not STATE.exists():
            yield Step(f"make {STATE}, for {USER} alone", _make_state)
    changed = plan.written()
    yield from (_writing(plan, file) for file in changed)
    if ours and changed and _has_systemd():
        yield Step("let systemd read its files again", partial(_systemctl, "daemon-reload"))


def write_services(plan: Plan) -> None:
    """Write the services alone: the rest of a package's installation is made where it is used."""
    for file in plan.services:
        _write(plan, file)


def uninstall_steps(plan: Plan, *, purge: bool) -> Iterator[Step]:
    """Yield what has to be done so that nothing of `install_steps` is left."""
    ours = plan.root == Path("/")
    if ours and _has_systemd():
        if _is_active(_POWERD):
            release = partial(_run, *_command(plan, "powerd", "--release"))
            yield Step("set every card to its factory default limit", release)
        for file in reversed(plan.services):
            if plan.at(file.path).exists():
                name = file.path.name
                stop = partial(_systemctl, "disable", "--now", name)
                yield Step(f"stop {name}", stop)
    for file in plan.files:
        if plan.at(file.path).exists() and (purge or not file.kept):
            yield Step(f"remove {plan.at(file.path)}", partial(plan.at(file.path).unlink))
    if ours and _has_systemd():
        yield Step("let systemd forget them", partial(_systemctl, "daemon-reload"))
    for folder in sorted({plan.at(file.path.parent) for file in plan.owners}):
        if purge and folder.exists() and folder.name == STATE.name:
            yield Step(f"remove {folder} (passwords, certificates)", partial(shutil.rmtree, folder))
    state = plan.at(STATE)
    if purge and state.exists():
        yield Step(f"remove {state} (keys, energy, learned values)", partial(shutil.rmtree, state))
    if purge and ours and _has_user():
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


def refuse_two(plan: Plan) -> None:
    """Raise BridgeError where the services of another kind of installation are."""
    package = plan.at(PACKAGED_UNITS / _BRIDGE)
    if not plan.packaged and package.exists():
        raise BridgeError(
            f"{package} belongs to a package, which is updated and removed with apt-get; "
            "remove that first, or do without `install`"
        )


def _user() -> Iterator[Step]:
    """The system user, a member of the groups that own GPUs here."""
    groups = [group for group in GROUPS if _group_exists(group)]
    if not _has_user():
        make = ["useradd", "--system", "--home-dir", str(STATE), "--shell", "/usr/sbin/nologin"]
        belong = ["--groups", ",".join(groups)] if groups else []
        yield Step(f"make the system user {USER}", partial(_run, *make, *belong, USER))
        return
    if missing := [group for group in groups if USER not in grp.getgrnam(group).gr_mem]:
        join = ["usermod", "--append", "--groups", ",".join(missing), USER]
        yield Step(f"let {USER} into the groups {', '.join(missing)}", partial(_run, *join))


def _make_state() -> None:
    STATE.mkdir(mode=0o700)
    shutil.chown(STATE, USER, USER)


def _writing(plan: Plan, file: File) -> Step:
    note = " (yours to edit)" if file.kept else ""
    return Step(f"write {plan.at(file.path)}{note}", partial(_write, plan, file))


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


def _is_active(name: str) -> bool:
    return _asks("systemctl", "is-active", "--quiet", name)


def _has_systemd() -> bool:
    # Source: sd_booted(3).
    return Path("/run/systemd/system").is_dir()


def _has_user() -> bool:
    try:
        pwd.getpwnam(USER)
    except KeyError:
        return False
    return True


def _group_exists(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True
