"""The rig's key: whoever shows it may ask. Made once, kept 0600, printed by `hashcenter key`.

`renew` makes a new one at any time; the running bridge finds it by itself, and goes on taking the
one before for a week, so that whoever has it can be told first.
"""

import hmac
import secrets
import time
from pathlib import Path
from typing import Final

from .errors import ConfigError
from .log import hide
from .private import write_private
from .wire import signing

#: For how long the key before the present one is taken.
GRACE_S: Final = 7 * 24 * 3600.0


def read_or_make(state_folder: Path) -> str:
    """Return the rig's key, making it on the first call. Raises ConfigError when neither works."""
    path = state_folder / "key"
    try:
        key = path.read_text().strip()
        if key:
            return hide(key)
    except FileNotFoundError:
        pass
    except (OSError, UnicodeDecodeError) as err:
        why = getattr(err, "strerror", None) or "it is not text"
        raise ConfigError(f"{path}: the key cannot be read ({why})") from None
    return renew(state_folder)


def renew(state_folder: Path) -> str:
    """Make a new key and keep the one before. Raises ConfigError when it cannot be written."""
    path = state_folder / "key"
    key = hide("hc-" + secrets.token_urlsafe(24))
    try:
        if path.exists():
            write_private(state_folder / "key.before", path.read_bytes())
        write_private(path, f"{key}\n".encode())
    except OSError as err:
        raise ConfigError(f"{path}: the key cannot be written ({err.strerror})") from None
    return key


class Keys:
    """The keys that are taken now, as the files say; looked at again when they change."""

    def __init__(self, state_folder: Path) -> None:
        """Read the key, making it on the first call. Raises ConfigError when neither works."""
        self._folder = state_folder
        self._present = read_or_make(state_folder)
        self._before: str | None = None
        self._changed_ns = 0
        self.valid()

    def valid(self) -> tuple[str, ...]:
        """Return the keys, the present one first; what cannot be read changes nothing."""
        try:
            changed_ns = (self._folder / "key").stat().st_mtime_ns
            if changed_ns != self._changed_ns:
                self._present = hide((self._folder / "key").read_text().strip()) or self._present
                before = self._folder / "key.before"
                self._before = hide(before.read_text().strip()) if before.exists() else None
                self._changed_ns = changed_ns
        except (OSError, UnicodeDecodeError):
            pass
        is_recent = time.time() - self._changed_ns / 1e9 < GRACE_S
        return (self._present, self._before) if self._before and is_recent else (self._present,)

    def signed(self, rig: str, body: bytes, signature: str) -> bool:
        """Whether a key of this rig signed the request `body` to it."""
        right = [signing.signature(body, rig, key) for key in self.valid()]
        return sum(hmac.compare_digest(signature, one) for one in right) > 0

    def accepts(self, given: str) -> bool:
        """Whether `given` is a key of this rig; the comparison takes constant time."""
        shown = given.encode(errors="surrogateescape")
        # Every key is compared, so that the time says nothing about which one nearly fit.
        return sum(hmac.compare_digest(shown, key.encode()) for key in self.valid()) > 0
