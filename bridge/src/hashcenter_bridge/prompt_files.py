"""Saved states of prompts on the disk: private, few, and never more than their share.

    KEY.kv     the runner's own state of its slot, written by the runner
    KEY.json   the tokens it stands for, and what made it: weights, build, context

A state is usable only by the very program and weights that made it; all others are removed. They
hold what the house is made of (names of rooms and devices) in plain form, never anybody's words.
"""

import hashlib
import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from .prompts import MOST, Prompt
from .runners.slots import Tokens

_LOGGER = logging.getLogger(__name__)
_STATE, _INDEX, _PART = ".kv", ".json", ".part"
#: A state that nobody used for so long belongs to a prompt that is no more.
_UNUSED_S: Final = 7 * 24 * 3600.0
_MIB: Final = 1 << 20


def key_of(identity: str, tokens: Tokens) -> str:
    """Return the name of a prompt's state: it depends on everything that its content depends on."""
    said = json.dumps([identity, tokens], separators=(",", ":"))
    return hashlib.sha256(said.encode()).hexdigest()[:32]


class PromptFiles:
    """The states of one runner in `folder`, `cap_mib` at most. A full disk is no error here."""

    def __init__(self, folder: Path, cap_mib: int) -> None:
        self.folder = folder
        self._cap_bytes = cap_mib * _MIB

    def load(self, identity: str | None, now: float) -> dict[str, Prompt]:
        """Return the saved prompts of `identity`, the last used one as used last before `now`.

        Everything else in the folder is removed; without an identity nothing is usable, but kept.
        """
        self._open()
        found: dict[str, Prompt] = {}
        for file in sorted(self.folder.glob(f"*{_INDEX}"), key=_modified, reverse=True):
            tokens = _read(file, identity)
            state = file.with_suffix(_STATE)
            stale = time.time() - _modified(file) > _UNUSED_S
            if identity is None and not stale:
                continue
            if tokens is None or stale or not state.is_file() or len(found) == MOST:
                self.remove(file.stem)
                continue
            used_at = now - 1.0 - len(found)
            found[file.stem] = Prompt(file.stem, tokens, float("-inf"), used_at, saved=True)
        for file in self._files():
            if file.suffix == _PART or not file.with_suffix(_INDEX).exists():
                file.unlink(missing_ok=True)
        return found

    def name(self, key: str) -> str:
        """Return what the runner calls the state of `key` in its folder."""
        return key + _STATE

    def part_name(self, key: str) -> str:
        """Return the name under which a state is written before it is whole."""
        return key + _PART

    def keep(self, key: str, identity: str, tokens: Tokens) -> bool:
        """Take a written part as the state of `key`; False if it alone is more than the cap."""
        part = self.folder / self.part_name(key)
        part.chmod(0o600)
        if part.stat().st_size > self._cap_bytes:
            part.unlink()
            return False
        index = self.folder / (key + _INDEX)
        with os.fdopen(os.open(index, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump({"identity": identity, "tokens": tokens}, file, separators=(",", ":"))
        part.replace(self.folder / self.name(key))
        self._stay_below_cap(key)
        return True

    def touch(self, key: str) -> None:
        """Note that the state of `key` was used now."""
        with suppress(OSError):
            os.utime(self.folder / (key + _INDEX))

    def remove(self, key: str) -> None:
        """Forget the state of `key`, if there is one."""
        for suffix in (_STATE, _INDEX, _PART):
            with suppress(OSError):
                (self.folder / (key + suffix)).unlink(missing_ok=True)

    def _open(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.chmod(0o700)

    def _files(self) -> Iterator[Path]:
        return (file for file in self.folder.iterdir() if file.is_file())

    def _stay_below_cap(self, newest: str) -> None:
        """Remove the longest unused states until the rest fits."""
        states = [file for file in self._files() if file.suffix == _STATE and file.stem != newest]
        states.sort(key=lambda state: _modified(state.with_suffix(_INDEX)), reverse=True)
        room = self._cap_bytes - (self.folder / self.name(newest)).stat().st_size
        for state in states:
            room -= state.stat().st_size
            if room < 0:
                _LOGGER.info(
                    "the saved prompt %s is removed: the others need its place", state.stem
                )
                self.remove(state.stem)


def _modified(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def _read(file: Path, identity: str | None) -> Tokens | None:
    """Return the tokens of an index that `identity` made."""
    try:
        raw = json.loads(file.read_text())
        if identity is None or raw["identity"] != identity:
            return None
        tokens = tuple(int(token) for token in raw["tokens"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return tokens if key_of(identity, tokens) == file.stem else None
