"""HiveOS: its agent obeys a cloud, its watchdog restarts machines, its overclocking sets limits.

Its client is shell scripts in /hive/bin and /hive/sbin, run from screens that `hive.service` opens
at boot; root's crontab opens the agent's again. `nvidia-oc` applies /hive-config/nvidia-oc.conf at
boot, at each change of wallet and when the agent is told to.
Source: github.com/minershive/hiveos-linux (hive, agent, agent-screen, wd, nvidia-oc, crontab.root).
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Final

from .master import Master

_NAME: Final = "HiveOS"
_UNITS: Final = ("hive", "hive-watchdog", "hivex")
#: Its scripts that act: what they do, in words.
_ACTS: Final = {
    "hive": "it is starting",
    "agent": "its agent runs, which does what its cloud says",
    "wd": "its watchdog runs, which restarts the machine when it hashes less",
    "miner-run": "its miner runs",
    "autofan": "its autofan runs, which stops and starts miners",
    "autoswitch": "its autoswitch runs, which changes miners",
    "benchmark": "its benchmark runs",
    "nvidia-oc": "its overclocking is being applied",
}
#: In this order; what ends a script that was found.
_ENDS: Final = {
    "autoswitch": "autoswitch stop",
    "benchmark": "benchmark stop",
    "miner-run": "miner stop",
    "autofan": "autofan stop",
    "agent": "screen -S agent -X quit",
}
_OVERCLOCKING: Final = Path("hive-config/nvidia-oc.conf")
#: Keys that move watts or clocks; bash assignments, a value per card. 0 leaves a card as it is.
_SETTING: Final = re.compile(
    r"^\s*(?:PLIMIT|CLOCK|LCLOCK|MEM|LMEM)=[\"']?[^\"'#\n]*[1-9]", re.MULTILINE
)
#: With it, nvidia-oc ends at once.
_MAINTENANCE: Final = re.compile(r"^\s*MAINTENANCE=[\"']?2\b", re.MULTILINE)


def find(root: Path, programs: Sequence[Sequence[str]]) -> Master | None:
    """Return what of HiveOS is on, None where it is off or not there at all."""
    if not (root / "hive/bin").is_dir():
        return None
    runs = {name for argv in programs if (name := _script(root, argv)) is not None}
    boots = _starts_with_the_machine(root)
    comes_back = _is_in_crontab(root)
    overclocks = _overclocks(root)
    does = [words for name, words in _ACTS.items() if name in runs]
    if boots:
        does.append("it starts with the machine")
    if comes_back:
        does.append("cron starts its agent")
    if overclocks:
        does.append("its overclocking is set")
    if not does:
        return None
    off = ["systemctl disable --now " + " ".join(_UNITS)]
    # An ordinary user may not look into root's crontab.
    off.append("crontab -l | grep -v agent-screen | crontab -")
    off += [command for name, command in _ENDS.items() if name in runs]
    if overclocks:
        off += ["nvidia-oc reset", f"mv /{_OVERCLOCKING} /{_OVERCLOCKING}.off"]
    elif "nvidia-oc" in runs:
        off.append("nvidia-oc stop")
    return Master(_NAME, tuple(does), tuple(off))


def _script(root: Path, argv: Sequence[str]) -> str | None:
    """Return the name of HiveOS's script that a process runs, or that its screen was opened for."""
    for word in argv[:3]:
        path = Path(word)
        if path.parent in (root / "hive/bin", root / "hive/sbin") and path.name in _ACTS:
            return path.name
    if Path(argv[0]).name.lower() != "screen":
        return None
    for option, value in pairwise(argv):
        if option == "-S" and value in _ENDS:
            return value
        if option == "-c" and Path(value) == root / "hive/etc/screenrc.miner":
            return "miner-run"
    return None


def _starts_with_the_machine(root: Path) -> bool:
    wanted = (root / "etc/systemd/system").glob("*.wants/*.service")
    return any(link.stem in _UNITS for link in wanted)


def _is_in_crontab(root: Path) -> bool:
    with suppress(OSError, UnicodeDecodeError):
        lines = (root / "var/spool/cron/crontabs/root").read_text().splitlines()
        return any("agent-screen" in line and not line.lstrip().startswith("#") for line in lines)
    return False


def _overclocks(root: Path) -> bool:
    """Whether its settings wait to be applied; what may not be read is taken for that."""
    with suppress(OSError, UnicodeDecodeError):
        if _MAINTENANCE.search((root / "hive-config/rig.conf").read_text()):
            return False
    try:
        return _SETTING.search((root / _OVERCLOCKING).read_text(errors="replace")) is not None
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
