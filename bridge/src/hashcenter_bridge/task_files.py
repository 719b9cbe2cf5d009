"""Queued tasks on the disk: a file each, private, whole or not there.

They hold the words of a question and its answer until they are deleted, fetched ones included, or
for a week after their end.
"""

import json
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from .task_rules import Run, Status, Task

_LOGGER = logging.getLogger(__name__)
_END: Final = ".json"


class TaskFiles:
    """The tasks in `folder`. Writing raises OSError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self) -> dict[str, Task]:
        """Return all tasks, oldest first; what cannot be understood is set aside."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.chmod(0o700)
        found: list[Task] = []
        for file in self.folder.iterdir():
            if file.suffix != _END:
                file.unlink(missing_ok=True)
                continue
            try:
                found.append(_task(json.loads(file.read_bytes())))
            except (OSError, ValueError, KeyError, TypeError, RecursionError) as err:
                _LOGGER.warning("the task in %s cannot be understood (%s)", file, err)
                with suppress(OSError):
                    file.replace(file.with_suffix(".broken"))
        found.sort(key=lambda task: (task.created_at, task.id))
        return {task.id: task for task in found}

    def write(self, task: Task) -> int:
        """Write a task so that a power cut leaves the old one or the new one; return its bytes."""
        data = json.dumps(asdict(task), ensure_ascii=False).encode()
        part = self.folder / f"{task.id}.part"
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.folder / (task.id + _END))
        return len(data)

    def remove(self, number: str) -> None:
        """Delete a task's words."""
        with suppress(OSError):
            (self.folder / (number + _END)).unlink(missing_ok=True)

    def size_bytes(self) -> int:
        """Return what all tasks take on the disk."""
        return sum(file.stat().st_size for file in self.folder.glob(f"*{_END}"))


def _task(raw: Mapping[str, Any]) -> Task:
    request, times = raw["request"], [raw["created_at"], raw["deadline_at"], raw["not_before"]]
    if not isinstance(request, dict) or not all(isinstance(one, int | float) for one in times):
        raise TypeError("its fields are of the wrong kind")
    return Task(**{**raw, "run": Run(raw["run"]), "status": Status(raw["status"])})
