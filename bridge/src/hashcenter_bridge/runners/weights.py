"""The file (or the parts of one) that a model's weights are in: checked before every load.

Where the owner pinned a sha256, the whole content is hashed. What was hashed is remembered with the
file's size, times and inode, so that only a file that was touched is read again.
"""

import asyncio
import hashlib
import json
import re
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from ..errors import RunnerFault
from . import gguf

_PART: Final = re.compile(r"^(?P<stem>.+)-00001-of-(?P<count>[0-9]{5})\.gguf$")
_CHUNK_BYTES: Final = 4 * 1024 * 1024

#: Device, inode, size, time of change of content and of the inode: any write changes one of them.
Fingerprint = tuple[int, ...]


class Weights:
    """The weights at `path`, whose parts must have the hashes `pins` (none: they are not checked).

    `runner` is named in sentences; `cache` is the file that remembers hashes.
    """

    def __init__(self, path: Path, pins: Sequence[str], runner: str, cache: Path) -> None:
        self.parts = _parts(path)
        self.pins = tuple(pin.lower() for pin in pins)
        self._runner = runner
        self._cache = cache

    @property
    def name(self) -> str:
        """The file's name without its ending and the number of its part."""
        part = _PART.match(self.parts[0].name)
        return part["stem"] if part else self.parts[0].name.removesuffix(".gguf")

    def size_bytes(self) -> int | None:
        """Return the size of all parts, None while one is missing."""
        try:
            return sum(part.stat().st_size for part in self.parts)
        except OSError:
            return None

    def context_tokens(self) -> int | None:
        """Return the context that the model was made for, None while it cannot be read."""
        try:
            return gguf.context_tokens(self.parts[0])
        except (OSError, gguf.NotGguf):
            return None

    async def hashes(self, *, read: bool) -> tuple[str, ...] | None:
        """Return the sha256 of every part; None if one is not known and must not be `read`.

        Raises OSError, or RunnerFault when a part is being written.
        """
        if not read:
            known = [self._known_hash(part) for part in self.parts]
            return None if None in known else tuple(str(one) for one in known)
        called_off = threading.Event()
        try:
            return await asyncio.to_thread(
                lambda: tuple(self._hash(part, called_off) for part in self.parts)
            )
        finally:
            called_off.set()

    async def verify(self) -> None:
        """Raise RunnerFault unless every part is there, is GGUF and has its pinned hash."""
        called_off = threading.Event()
        try:
            await asyncio.to_thread(self._verify, called_off)
        finally:
            called_off.set()

    def _verify(self, called_off: threading.Event) -> None:
        if self.pins and len(self.pins) != len(self.parts):
            raise RunnerFault(
                "weights_not_pinned",
                f"the model of runner {self._runner!r} has {len(self.parts)} parts; "
                f"give sha256 as a list of as many hashes (it has {len(self.pins)})",
            )
        for index, part in enumerate(self.parts):
            try:
                gguf.context_tokens(part)
                if self.pins:
                    self._compare(part, self.pins[index], called_off)
            except FileNotFoundError:
                raise RunnerFault(
                    "weights_missing",
                    f"the model file {part} of runner {self._runner!r} is not there; "
                    "put it there or correct model",
                ) from None
            except OSError as err:
                raise RunnerFault(
                    "weights_unreadable",
                    f"the model file {part} of runner {self._runner!r} cannot be read: "
                    f"{err.strerror}; let the bridge's user read it",
                ) from None
            except gguf.NotGguf as err:
                raise RunnerFault(
                    "weights_unreadable",
                    f"the model file {part} of runner {self._runner!r} cannot be used: {err}; "
                    "fetch it again",
                ) from None

    def _compare(self, part: Path, pin: str, called_off: threading.Event) -> None:
        found = self._hash(part, called_off)
        if found != pin:
            raise RunnerFault(
                "weights_altered",
                f"the model file {part} is not the one you verified: its sha256 begins with "
                f"{found[:12]}, pinned is {pin[:12]}; put the verified file back, or pin the new "
                f"hash in runner {self._runner!r} if you trust it",
            )

    def _hash(self, part: Path, called_off: threading.Event) -> str:
        """Return the sha256 of `part`, from memory where the file was not touched since."""
        if found := self._known_hash(part):
            return found
        before = _fingerprint(part)
        digest = hashlib.sha256()
        with part.open("rb", buffering=0) as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
                if called_off.is_set():
                    break
        if called_off.is_set() or _fingerprint(part) != before:
            raise RunnerFault(
                "weights_changing",
                f"the model file {part} is being written; it is loaded when it is complete",
            )
        self._remember(part, {"file": list(before), "sha256": digest.hexdigest()})
        return digest.hexdigest()

    def _known_hash(self, part: Path) -> str | None:
        """Return the hash of `part` if it was not touched since it was read."""
        entry = self._known().get(str(part))
        if isinstance(entry, dict) and entry.get("file") == list(_fingerprint(part)):
            return str(entry.get("sha256"))
        return None

    def _known(self) -> dict[str, object]:
        with suppress(OSError, ValueError):
            known = json.loads(self._cache.read_text())
            if isinstance(known, dict):
                return known
        return {}

    def _remember(self, part: Path, entry: dict[str, object]) -> None:
        """Keep hashes for the next start; without it the files are only hashed once more."""
        known = {**self._known(), str(part): entry}
        fresh = self._cache.with_suffix(".new")
        with suppress(OSError):
            fresh.write_text(json.dumps(known))
            fresh.chmod(0o600)
            fresh.replace(self._cache)


def _fingerprint(path: Path) -> Fingerprint:
    stat = path.stat()
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def _parts(path: Path) -> tuple[Path, ...]:
    """Return all parts of a model that is split as llama.cpp does it (gguf-split)."""
    if (part := _PART.match(path.name)) is None:
        return (path,)
    stem, count = part["stem"], part["count"]
    return tuple(
        path.with_name(f"{stem}-{number:05}-of-{count}.gguf") for number in range(1, int(count) + 1)
    )
