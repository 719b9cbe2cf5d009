"""The rig's key: whoever shows it may ask. Made once, kept 0600, printed by `hashcenter key`."""

import os
import secrets
from pathlib import Path

from .errors import ConfigError


def read_or_make(state_folder: Path) -> str:
    """Return the rig's key, making it on the first call. Raises ConfigError when neither works."""
    path = state_folder / "key"
    try:
        key = path.read_text().strip()
        if key:
            return key
    except FileNotFoundError:
        pass
    except (OSError, UnicodeDecodeError) as err:
        why = getattr(err, "strerror", None) or "it is not text"
        raise ConfigError(f"{path}: the key cannot be read ({why})") from None
    return renew(state_folder)


def renew(state_folder: Path) -> str:
    """Make a new key; the old one stops working when the bridge is started again."""
    path = state_folder / "key"
    key = "hc-" + secrets.token_urlsafe(24)
    part = path.with_suffix(".part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(key + "\n")
        part.replace(path)
    except OSError as err:
        raise ConfigError(f"{path}: the key cannot be written ({err.strerror})") from None
    return key
