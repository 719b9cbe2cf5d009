"""Steps of a command: a line each with `ok` or `FAILED` and seconds, output only of failures."""

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.paths import ROOT
from tools.setup.console import clean_environment


@dataclass(frozen=True)
class Outcome:
    """Whether a step held, and what it had to say."""

    ok: bool
    output: str = ""


@dataclass(frozen=True)
class Step:
    """A step's name and what it does."""

    name: str
    act: Callable[[], Outcome]


def program(name: str, command: Sequence[str | Path]) -> Step:
    """Return a step that runs a program in the clone's root; it holds if the program exits 0."""

    def act() -> Outcome:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=ROOT,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Outcome(done.returncode == 0, done.stdout.strip())

    return Step(name, act)


def findings(name: str, find: Callable[[], Sequence[str]]) -> Step:
    """Return a step that holds if nothing is found."""

    def act() -> Outcome:
        found = find()
        return Outcome(not found, "\n".join(found))

    return Step(name, act)


def run_steps(steps: Sequence[Step]) -> bool:
    """Run every step, also after a failure, and say whether all held."""
    width = max(len(step.name) for step in steps)
    failed = 0
    for step in steps:
        print(f"{step.name:<{width}}  ", end="", flush=True)
        began = time.monotonic()
        outcome = step.act()
        print(
            f"{'ok' if outcome.ok else 'FAILED':<6} {time.monotonic() - began:6.1f} s", flush=True
        )
        if not outcome.ok:
            failed += 1
            print("\n".join(f"    {line}" for line in outcome.output.splitlines()), flush=True)
    print(f"{len(steps) - failed} passed, {failed} failed")
    return not failed
