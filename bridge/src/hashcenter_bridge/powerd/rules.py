"""The owner's file for powerd: who may ask, and how many watts a GPU may be allowed at most.

It belongs to root, because it decides what the network-facing bridge can never do. Every mistake is
one sentence that names the file and the key.
"""

import os
import pwd
import stat
import tomllib
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError

from ..errors import ConfigError
from .decide import GpuRules

DEFAULT_PATH: Final = Path("/etc/hashcenter/powerd.toml")


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class GpuConfig(_Section):
    """`[gpu."GPU-..."]`: other figures for one GPU, by its UUID."""

    safe_limit_w: Annotated[float, Field(gt=0, le=5000)] | None = None
    max_limit_w: Annotated[float, Field(gt=0, le=5000)] | None = None


class PowerdConfig(_Section):
    """The whole file.

    `safe_limit_w`: each GPU's limit while no bridge renews. `max_limit_w`: never more, whoever
    asks. `silence_s`: how long a bridge may say nothing.
    """

    users: Annotated[tuple[str, ...], Strict(False)] = ("hashcenter",)
    socket: Annotated[Path, Strict(False)] = Path("/run/hashcenter-powerd/powerd.sock")
    safe_limit_w: float = Field(gt=0, le=5000)
    max_limit_w: float | None = Field(default=None, gt=0, le=5000)
    silence_s: float = Field(default=6.0, ge=2, le=60)
    gpu: dict[str, GpuConfig] = Field(default_factory=dict)

    def rules(self, uid: str) -> GpuRules:
        """Return the watts of one GPU."""
        own = self.gpu.get(uid, GpuConfig())
        safe_w = self.safe_limit_w if own.safe_limit_w is None else own.safe_limit_w
        max_w = self.max_limit_w if own.max_limit_w is None else own.max_limit_w
        return GpuRules(safe_w, max_w)

    def uids(self) -> frozenset[int]:
        """Return the user ids that may ask, root among them. Raises ConfigError for a stranger."""
        found = {0}
        for name in self.users:
            try:
                found.add(pwd.getpwnam(name).pw_uid)
            except KeyError:
                raise ConfigError(
                    f"users: this machine has no user {name!r}; make it, or name the one that "
                    "runs the bridge"
                ) from None
        return frozenset(found)


def load(path: Path) -> PowerdConfig:
    """Read the owner's file. Raises ConfigError, in one sentence."""
    try:
        with path.open("rb") as file:
            _refuse_foreign(path, os.fstat(file.fileno()))
            raw = tomllib.load(file)
    except OSError as err:
        raise ConfigError(f"{path}: cannot be read ({err.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise ConfigError(f"{path}: not valid TOML: {err}") from None
    try:
        return PowerdConfig.model_validate(raw)
    except ValidationError as err:
        first = err.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"])) or "the file"
        raise ConfigError(f"{path}: {key}: {first['msg'][:1].lower()}{first['msg'][1:]}") from None


def _refuse_foreign(path: Path, found: os.stat_result) -> None:
    """Raise ConfigError when others than the one who runs this may write the file."""
    if found.st_uid not in (0, os.geteuid()):
        raise ConfigError(f"{path}: it has to belong to root: chown root {path}")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigError(f"{path}: only root may be able to write it: chmod 644 {path}")
