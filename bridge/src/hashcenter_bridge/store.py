"""What survives a restart: identity, the paired controller, Stop all, energy and totals.

Two JSON files: one in the state folder, written to the disk at once for decisions and at most every
60 s for counters; one in the runtime folder (memory on most systems), written with every published
reading, so that a killed process loses nothing and an SD card is spared. A power cut loses at most
60 s.
"""

import json
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .errors import ConfigError

_LOGGER = logging.getLogger(__name__)
_FLUSH_S = 60.0


@dataclass
class Totals:
    """Counters over the rig's life."""

    answers: int = 0
    tokens: int = 0
    preemptions: int = 0
    shares: int = 0


@dataclass
class Kept:
    """Everything kept. `energy` maps a meter's name to its kWh and its last hardware counter."""

    controller: str | None = None
    stopped: bool = False
    ordinals: dict[str, int] = field(default_factory=dict)
    energy: dict[str, dict[str, float]] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)


class Store:
    """Keeps `Kept`. A disk that is full or read-only is a warning, never a crash."""

    def __init__(
        self, state_folder: Path, runtime_folder: Path, clock: Callable[[], float]
    ) -> None:
        self._file = state_folder / "state.json"
        self._quick = runtime_folder / "state.json"
        self._clock = clock
        self._flushed_at = clock()
        self.failure: str | None = None
        self.kept = self._load()

    def _load(self) -> Kept:
        read = [_read(path) for path in (self._file, self._quick)]
        both = [kept for kept in read if kept is not None]
        if not both:
            return Kept()
        kept = both[0]
        for other in both[1:]:
            # Decisions come from the disk; counters from whichever file counted further.
            for name, meter in other.energy.items():
                if meter.get("kwh", 0.0) > kept.energy.get(name, {}).get("kwh", 0.0):
                    kept.energy[name] = meter
            for key, value in asdict(other.totals).items():
                setattr(kept.totals, key, max(value, getattr(kept.totals, key)))
        return kept

    def save(self) -> None:
        """Write to the disk now: a decision was made."""
        self._flushed_at = self._clock()
        self._write(self._file, durable=True)

    def tick(self) -> None:
        """Note the counters: quickly each time, on the disk when the last flush is old enough."""
        self._write(self._quick, durable=False)
        if self._clock() - self._flushed_at >= _FLUSH_S:
            self.save()

    def _write(self, path: Path, *, durable: bool) -> None:
        part = path.with_suffix(".part")
        try:
            with part.open("w") as file:
                os.fchmod(file.fileno(), 0o600)
                json.dump(asdict(self.kept), file)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            part.replace(path)
        except OSError as err:
            if self.failure is None:
                _LOGGER.warning("%s cannot be written (%s): counters are kept in memory", path, err)
            self.failure = f"{path} cannot be written ({err.strerror})"
        else:
            self.failure = None if durable else self.failure


def _read(path: Path) -> Kept | None:
    try:
        raw: dict[str, Any] = json.loads(path.read_text())
        return Kept(
            controller=raw["controller"],
            stopped=bool(raw["stopped"]),
            ordinals={str(uid): int(number) for uid, number in raw["ordinals"].items()},
            energy={
                str(name): {str(key): float(value) for key, value in meter.items()}
                for name, meter in raw["energy"].items()
            },
            totals=Totals(**{key: int(value) for key, value in raw["totals"].items()}),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as err:
        _LOGGER.warning("%s cannot be read (%s): it is set aside", path, err)
        with suppress(OSError):
            path.replace(path.with_suffix(".broken"))
        return None


def make_folder(path: Path, what: str) -> Path:
    """Create a private folder. Raises ConfigError naming the key when that is not possible."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = path / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as err:
        raise ConfigError(
            f"[rig] {what}: {path} cannot be written ({err.strerror}); name another folder"
        ) from None
    return path
