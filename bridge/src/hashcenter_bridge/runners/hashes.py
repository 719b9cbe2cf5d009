"""The sha256 of large files, each read once: it is remembered with the file's identity.

Identity is device, inode, size, time of change of content and of the inode. Any write through the
file system changes one of them, and only root could set the last one back, so a file that was not
touched is not read again: 40 GB take a minute. What this cannot see, a disk that rots or whoever
writes past the file system, `hashcenter models --reread` finds.
"""

import hashlib
import json
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from ..errors import RunnerFault
from ..private import write_private

FILE: Final = "weights.json"
_CHUNK_BYTES: Final = 4 * 1024 * 1024

#: Device, inode, size, time of change of content and of the inode.
Identity = tuple[int, ...]


class Hashes:
    """Hashes of files, remembered in `cache` for every runner, command and start."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache

    def known(self, path: Path) -> str | None:
        """Return the hash of `path` if it was not touched since it was read. Raises OSError."""
        entry = self._all().get(str(path))
        if isinstance(entry, dict) and entry.get("file") == list(_identity(path)):
            return str(entry.get("sha256"))
        return None

    def of(self, path: Path, called_off: threading.Event) -> str:
        """Return the hash of `path`, reading it where it is not known.

        Raises OSError, or RunnerFault when the file is being written or this is `called_off`.
        """
        if found := self.known(path):
            return found
        before = _identity(path)
        digest = hashlib.sha256()
        with path.open("rb", buffering=0) as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
                if called_off.is_set():
                    break
        if called_off.is_set() or _identity(path) != before:
            raise RunnerFault(
                "weights_changing",
                f"the model file {path} is being written; it is loaded when it is complete",
            )
        self._remember(path, {"file": list(before), "sha256": digest.hexdigest()})
        return digest.hexdigest()

    def forget(self, path: Path) -> None:
        """Have `path` read again the next time."""
        self._remember(path, None)

    def _all(self) -> dict[str, object]:
        with suppress(OSError, ValueError):
            known = json.loads(self._cache.read_text())
            if isinstance(known, dict):
                return known
        return {}

    def _remember(self, path: Path, entry: dict[str, object] | None) -> None:
        """Keep hashes for the next start; without it the files are only hashed once more."""
        known = {name: one for name, one in self._all().items() if name != str(path)}
        if entry is not None:
            known[str(path)] = entry
        with suppress(OSError):
            write_private(self._cache, json.dumps(known).encode())


def _identity(path: Path) -> Identity:
    stat = path.stat()
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
