"""What an installation consists of: files, a user, services; decided without touching anything.

Files that the owner edits are only written where there are none, and stay when the rest goes.
"""

import sys
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from ..errors import ConfigError

USER: Final = "hashcenter"
SERVICES: Final = ("hashcenter-powerd.service", "hashcenter.service")
#: Groups that own GPU device files on one system or another.
GROUPS: Final = ("video", "render")
STATE: Final = Path("/var/lib/hashcenter")
#: Where the owner's services go, and a package's.
UNITS: Final = Path("/etc/systemd/system")
PACKAGED_UNITS: Final = Path("/usr/lib/systemd/system")
_HOMES: Final = (Path("/home"), Path("/") / "root", Path("/run/user"))
#: Enough for any card's lowest step: the owner raises it knowingly.
_SAFE_LIMIT_W: Final = 100


@dataclass(frozen=True)
class File:
    """A file of the installation. `kept`: the owner's, once it is there. `group` may read it."""

    path: Path
    text: str
    mode: int = 0o644
    kept: bool = False
    group: str | None = None


@dataclass(frozen=True)
class Plan:
    """Everything that an installation writes, under `root`.

    `packaged`: the services are a package's, which writes and removes them itself.
    """

    root: Path
    program: Path
    services: tuple[File, ...]
    owners: tuple[File, ...]
    packaged: bool = False

    @property
    def files(self) -> tuple[File, ...]:
        """What is written and removed here."""
        return self.owners if self.packaged else (*self.services, *self.owners)

    def written(self) -> tuple[File, ...]:
        """Return the files that are not there yet, or differ and are ours."""
        return tuple(one for one in self.files if not self._is_there(one))

    def _is_there(self, file: File) -> bool:
        path = self.at(file.path)
        return path.exists() and (file.kept or path.read_text() == file.text)

    def at(self, path: Path) -> Path:
        """Return where `path` is under the root."""
        return self.root / path.relative_to("/")


def plan(root: Path, config: Path, program: Path | None = None, *, packaged: bool = False) -> Plan:
    """Return the installation of `program` (this one). Raises ConfigError where services cannot go.

    `root` is `/`, or a folder that will be one (a package, an image). `packaged`: by a package.
    """
    powerd = config.with_name("powerd.toml")
    program = program or Path(sys.argv[0]).absolute()
    if any(program.resolve().is_relative_to(home) for home in _HOMES):
        raise ConfigError(
            f"{program} is in a home folder, where a service may not look: install it with "
            "`sudo PIPX_HOME=/opt/pipx PIPX_BIN_DIR=/usr/local/bin pipx install ./bridge`"
        )
    words = {
        "program": str(program),
        "config": str(config),
        "powerd": str(powerd),
        "safe_limit_w": str(_SAFE_LIMIT_W),
    }
    units = PACKAGED_UNITS if packaged else UNITS
    return Plan(
        root,
        program,
        tuple(File(units / name, _unit(name, words)) for name in SERVICES),
        (
            File(powerd, _unit("powerd.toml", words), kept=True),
            File(config, _unit("hashcenter.toml", words), mode=0o640, kept=True, group=USER),
        ),
        packaged,
    )


def _unit(name: str, words: dict[str, str]) -> str:
    text = (resources.files(__package__) / "units" / name).read_text(encoding="utf-8")
    for word, value in words.items():
        text = text.replace(f"{{{word}}}", value)
    return text
