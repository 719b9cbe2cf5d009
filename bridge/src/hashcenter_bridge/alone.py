"""One bridge per folder: a lock that ends with its process, however that ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import ConfigError


@contextmanager
def alone(folder: Path, what: str) -> Iterator[None]:
    """Hold `folder`, named `what` in the owner's file. Raises ConfigError if a bridge has it."""
    path = folder / "lock"
    try:
        lock = path.open("w")
    except OSError as err:
        raise ConfigError(f"[rig] {what}: {path} cannot be written ({err.strerror})") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"[rig] {what}: another bridge runs with {folder}; stop it, "
                "or give this one a folder of its own"
            ) from None
        yield
