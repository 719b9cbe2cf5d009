"""Replies recorded from real ASICs, which tests read beside the clone and never copy."""

import json
from pathlib import Path
from typing import Any


class Recorded:
    """One device's folder of replies, by file name without its ending."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getitem__(self, name: str) -> Any:
        return json.loads((self._folder / f"{name}.json").read_text())

    def raw(self, name: str) -> bytes:
        """Return a reply as it came over the line."""
        return (self._folder / f"{name}.json").read_bytes()

    def names(self) -> set[str]:
        """Return every reply there is."""
        return {file.stem for file in self._folder.glob("*.json")}
