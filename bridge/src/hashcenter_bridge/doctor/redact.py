"""What may leave the house in a bundle: facts by a list of what is harmless, nothing else.

Of the owner's file numbers and switches stay, and words under keys that are known to hold no
secret; every other word is left out there and, wherever it turns up, everywhere else. What looks
like a key, a wallet or an address with a login is left out even where nobody knows it.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

LEFT_OUT: Final = "(left out)"

#: Keys whose words say nothing that a stranger could use.
_HARMLESS: Final = frozenset(
    {
        "plugin", "id", "name", "level", "network", "sharing", "listen", "gpus", "state_folder",
        "runtime_folder", "powerd", "model", "models", "binary", "alias", "draws", "value",
    }
)  # fmt: skip
#: Keys of files and of environment variables whose content is a secret.
_FILES: Final = re.compile(r"(^|_)(password|key|token|secret)_file$")
_VARIABLES: Final = re.compile(r"_env$")
#: Shorter words are found in every text.
_SHORTEST: Final = 4
_SHORTEST_HALF: Final = 6
#: A path, or a host with its port: their pieces are ordinary words.
_PLACE: Final = re.compile(r"/|:[0-9]+$")
#: Keys of ours and of others, wallets, addresses of coins, hashes; a login before an @.
_LOOKS_SECRET: Final = re.compile(
    r"(?<!\w)(?:hc-[\w-]{8,}|[A-Za-z0-9]{26,}(?!\w))|(?<=://)[^\s/@]+@"
)


class Redactor:
    """Knows what must not be said; `file` is the owner's file as TOML has it."""

    def __init__(self, file: Mapping[str, Any], more: Iterable[str] = ()) -> None:
        secrets: set[str] = set(more)
        self.file = _harmless(file, "", secrets)
        password = os.environ.get("HASHCENTER_MQTT_PASSWORD")
        known = {*secrets, *((password,) if password else ())}
        # The longest first: one secret may begin another.
        self._secrets = sorted(
            {form for one in known if len(one) >= _SHORTEST for form in _forms(one)}, key=len
        )[::-1]

    def text(self, said: str) -> str:
        """Return a text without what must not be said."""
        for secret in self._secrets:
            said = said.replace(secret, LEFT_OUT)
        return _LOOKS_SECRET.sub(LEFT_OUT, said)


def _forms(secret: str) -> tuple[str, ...]:
    """Return how JSON, Python and an address write it."""
    return secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], quote(secret, safe="")


def _harmless(value: Any, key: str, secrets: set[str]) -> Any:
    """Return what may be said of a value; every word of the rest becomes a secret."""
    if isinstance(value, Mapping):
        owners = key == "environment"  # whose keys are somebody else's
        return {
            name: _harmless(one, key if owners else name, secrets) for name, one in value.items()
        }
    if isinstance(value, list | tuple):
        program = [str(one) for one in value[:1]] if key == "command" else []
        return program + [_harmless(one, key, secrets) for one in value[len(program) :]]
    if not isinstance(value, str):
        return value
    if _FILES.search(key):
        secrets |= _content(Path(value))
        return value
    if _VARIABLES.search(key):
        if (held := os.environ.get(value)) is not None:
            secrets.add(held)
        return value
    if key in _HARMLESS:
        return value
    secrets |= parts_of(value)
    return LEFT_OUT


def _content(file: Path) -> set[str]:
    with suppress(OSError, UnicodeDecodeError):
        return {line for line in map(str.strip, file.read_text().splitlines()) if line}
    return set()


def parts_of(word: str) -> set[str]:
    """Return what a word such as `--user=wallet.worker:x` holds."""
    parts = {word, *re.split(r"[=,;\s]", word)}
    users = (part for part in parts if not _PLACE.search(part))
    return parts | {
        half for user in users for half in re.split(r"[.:]", user) if len(half) >= _SHORTEST_HALF
    }


def words_of(value: Any) -> set[str]:
    """Return every word in what a JSON file holds, keys apart."""
    if isinstance(value, Mapping):
        return {word for one in value.values() for word in words_of(one)}
    if isinstance(value, list):
        return {word for one in value for word in words_of(one)}
    return {value} if isinstance(value, str) else set()
