"""Runs the steps of a check: one line each, `ok` or `FAILED`, with the seconds it took."""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from tools.demo.processes import DemoError


class Report:
    """What held and what did not. A step that fails does not keep the later ones from trying."""

    def __init__(self, logs: Path) -> None:
        self.failed: list[str] = []
        self._logs = logs
        self._began = time.monotonic()

    async def step(self, title: str, work: Callable[[], Awaitable[str]]) -> bool:
        """Do `work`, which returns what it saw; print the line and return whether it held."""
        began = time.monotonic()
        try:
            seen = await work()
        except Exception as err:  # noqa: BLE001 - a step that breaks has failed, whatever broke
            self._line("FAILED", began, title)
            said = str(err) if isinstance(err, DemoError) else repr(err)
            print(f"        {said}\n        logs: {self._logs}", flush=True)
            self.failed.append(title)
            return False
        self._line("ok", began, title, seen)
        return True

    def total(self) -> int:
        """Print the last line and return the exit status."""
        seconds = time.monotonic() - self._began
        if self.failed:
            print(f"FAILED  {seconds:5.1f} s  {len(self.failed)} of the steps above", flush=True)
            return 1
        print(f"ok      {seconds:5.1f} s  everything above held", flush=True)
        return 0

    @staticmethod
    def _line(result: str, began: float, title: str, seen: str = "") -> None:
        seconds = time.monotonic() - began
        print(f"{result:<7} {seconds:5.1f} s  {title}{': ' if seen else ''}{seen}", flush=True)
