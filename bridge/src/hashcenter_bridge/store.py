"""What survives a restart: identity, the paired controller, Stop all, energy and totals.

Two JSON files: one in the state folder, written to the disk at once for decisions and at most every
60 s for counters; one in the runtime folder (memory on most systems), written before every
published reading, so that a killed process loses nothing and an SD card is spared. A power cut
loses at most 60 s.
"""

import json
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from .errors import ConfigError
from .fleet import memory
from .wire.messages import Device

_LOGGER = logging.getLogger(__name__)
_FLUSH_S = 60.0
#: Beyond it, whole numbers are no longer counted exactly.
_LARGEST = 2.0**53


@dataclass
class Totals:
    """Counters over the rig's life."""

    answers: int = 0
    tokens: int = 0
    preemptions: int = 0
    shares: int = 0
    hashes_given_up: int = 0
    joules_given_up: int = 0


@dataclass
class Kept:
    """Everything kept. `energy` maps a meter's name to its kWh and its last hardware counter.

    `memory` is what each program was seen to take of each GPU, in MiB.
    """

    controller: str | None = None
    stopped: bool = False
    ordinals: dict[str, int] = field(default_factory=dict)
    energy: dict[str, dict[str, float]] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    asics: dict[str, memory.Kept] = field(default_factory=dict)
    memory: dict[str, dict[str, float]] = field(default_factory=dict)


class Store:
    """Keeps `Kept`. A disk that is full or read-only is a warning, never a crash.

    With `read_only` nothing is ever written: for a look beside a running bridge.
    """

    def __init__(
        self,
        state_folder: Path,
        runtime_folder: Path,
        clock: Callable[[], float],
        *,
        read_only: bool = False,
    ) -> None:
        self._file = state_folder / "state.json"
        self._quick = runtime_folder / "state.json"
        self._clock = clock
        self._read_only = read_only
        self._flushed_at = clock()
        self._failures: dict[Path, str] = {}
        self.kept = self._load()

    @property
    def failure(self) -> str | None:
        """What cannot be written, in a sentence, None if all can."""
        return next(iter(self._failures.values()), None)

    def _load(self) -> Kept:
        read = [_read(path, set_aside=not self._read_only) for path in (self._file, self._quick)]
        both = [kept for kept in read if kept is not None]
        if not both:
            return Kept()
        kept = both[0]
        for other in both[1:]:
            # Decisions come from the disk, but a stop that only one of the two knows still holds;
            # counters come from whichever file counted further.
            kept.stopped = kept.stopped or other.stopped
            kept.ordinals = {**other.ordinals, **kept.ordinals}
            for name, meter in other.energy.items():
                if meter.get("kwh", 0.0) > kept.energy.get(name, {}).get("kwh", -1.0):
                    kept.energy[name] = meter
            for key, value in asdict(other.totals).items():
                setattr(kept.totals, key, max(value, getattr(kept.totals, key)))
        return kept

    def ordinal(self, device: Device) -> int:
        """Return the device's number among its kind; once given, it stays with its uid."""
        ordinals = self.kept.ordinals
        name, family = f"{device.kind}:{device.uid}", f"{device.kind}:"
        if name not in ordinals:
            taken = {number for known, number in ordinals.items() if known.startswith(family)}
            ordinals[name] = next(number for number in range(len(taken) + 1) if number not in taken)
            self.save()
        return ordinals[name]

    def save(self) -> None:
        """Write to the disk now: a decision was made."""
        self._flushed_at = self._clock()
        self._write(self._file, durable=True)
        if self._quick.parent.is_dir():
            self._write(self._quick, durable=False)

    def tick(self) -> None:
        """Note the counters: quickly each time, on the disk when the last flush is old enough."""
        if self._clock() - self._flushed_at >= _FLUSH_S:
            self.save()
        else:
            self._write(self._quick, durable=False)

    def _write(self, path: Path, *, durable: bool) -> None:
        if self._read_only:
            return
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
            if path not in self._failures:
                _LOGGER.warning("%s cannot be written (%s): counters are kept in memory", path, err)
            self._failures[path] = f"{path} cannot be written ({err.strerror})"
        else:
            self._failures.pop(path, None)


def _read(path: Path, *, set_aside: bool) -> Kept | None:
    try:
        raw = json.loads(path.read_bytes())
        if isinstance(raw, dict):
            return _kept(raw)
        why = "it is not an object"
    except FileNotFoundError:
        return None
    except OSError as err:
        _LOGGER.warning("%s cannot be read (%s)", path, err.strerror)
        return None
    except (ValueError, RecursionError) as err:
        why = str(err)
    _LOGGER.warning("%s cannot be understood (%s): it is set aside", path, why)
    if set_aside:
        with suppress(OSError):
            path.replace(path.with_suffix(".broken"))
    return None


def _kept(raw: dict[str, Any]) -> Kept:
    """Return what is understood of a file that another version, or nobody, may have written."""
    controller = raw.get("controller")
    totals = _numbers(raw.get("totals"))
    meters, asics, held = raw.get("energy"), raw.get("asics"), raw.get("memory")
    return Kept(
        controller=controller
        if isinstance(controller, str) and 0 < len(controller) <= 120
        else None,
        stopped=bool(raw.get("stopped")),
        ordinals={uid: int(number) for uid, number in _numbers(raw.get("ordinals")).items()},
        energy={name: _numbers(meter) for name, meter in meters.items()}
        if isinstance(meters, dict)
        else {},
        asics={uid: memory.understood(one) for uid, one in asics.items()}
        if isinstance(asics, dict)
        else {},
        memory={name: _numbers(one) for name, one in held.items()}
        if isinstance(held, dict)
        else {},
        totals=Totals(**{one.name: int(totals.get(one.name, 0)) for one in fields(Totals)}),
    )


def _numbers(raw: object) -> dict[str, float]:
    """Return those entries that are numbers a counter can have."""
    if not isinstance(raw, dict):
        return {}
    return {
        key: value
        for key, value in raw.items()
        if isinstance(value, int | float) and 0 <= value < _LARGEST
    }


def make_folder(path: Path, what: str) -> Path:
    """Create a private folder. Raises ConfigError naming the key when that is not possible."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = path / ".writable"
        probe.touch()
        probe.unlink(missing_ok=True)
    except OSError as err:
        raise ConfigError(
            f"[rig] {what}: {path} cannot be written ({err.strerror}); name another folder"
        ) from None
    return path
