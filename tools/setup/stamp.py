"""How a prepared folder knows that it is still what is asked for: a digest in a file inside it."""

import hashlib
from pathlib import Path
from typing import Final

from tools.paths import ROOT

_NAME: Final = ".hashcenter-stamp"


class Stamp:
    """A folder's digest of what it was made from, the clone's path included (none can be moved)."""

    def __init__(self, folder: Path, *sources: Path | str) -> None:
        """Take the folder and what it is made from: files count by content, words as they are."""
        digest = hashlib.sha256(str(ROOT).encode())
        for source in sources:
            content = source.read_bytes() if isinstance(source, Path) else source.encode()
            digest.update(hashlib.sha256(content).digest())
        self._digest = digest.hexdigest()
        self._file = folder / _NAME

    def is_current(self) -> bool:
        """Say whether the folder was made, completely, from exactly these sources."""
        try:
            return self._file.read_text() == self._digest
        except OSError:
            return False

    def write(self) -> None:
        """Mark the folder as complete."""
        self._file.write_text(self._digest)
