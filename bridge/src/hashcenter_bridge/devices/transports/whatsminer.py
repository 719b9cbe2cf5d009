"""How Whatsminers know who may set something: v2 by an encrypted token, v3 by a salted hash.

    v2: get_token -> time, salt, newsalt
        key = md5crypt(password, salt)    sign = md5crypt(key + time, newsalt)
        {"enc": 1, "data": base64(AES-256-ECB(sha256(key), {"cmd": ..., "token": sign}))}
    v3: token = base64(sha256(cmd + password + salt + ts))[:8], sent with the account and ts

Source: the vendor's API documents 2.0.5 and 3.0. ECB is the vendor's choice.
"""

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from .md5crypt import md5_crypt
from .reply import dig, parse, string

_BLOCK = 16
_TOKEN_LETTERS = 8


@dataclass(frozen=True)
class Seal:
    """What a v2 machine's `get_token` and the password make: the key and the signature."""

    key: bytes
    sign: str

    @classmethod
    def from_token(cls, told: Any, password: str) -> "Seal | None":
        """Return the seal for the reply to `get_token`, None if it is no such reply."""
        message = dig(told, "Msg")
        salt, newsalt = string(dig(message, "salt")), string(dig(message, "newsalt"))
        time = dig(message, "time")
        if salt is None or newsalt is None or not isinstance(time, str | int):
            return None
        key = md5_crypt(password, salt)
        sign = md5_crypt(f"{key}{time}", newsalt)
        return cls(hashlib.sha256(key.encode()).digest(), sign)

    def closed(self, command: dict[str, Any]) -> dict[str, Any]:
        """Return the request that carries `command`."""
        plain = json.dumps({**command, "token": self.sign}).encode()
        return {"enc": 1, "data": self.encrypted(plain)}

    def encrypted(self, plain: bytes) -> str:
        """Return `plain`, padded with zeros, encrypted and in base64."""
        padded = plain + b"\0" * (-len(plain) % _BLOCK)
        encryptor = Cipher(algorithms.AES(self.key), modes.ECB()).encryptor()  # noqa: S305
        return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()

    def opened(self, told: dict[str, Any]) -> dict[str, Any] | None:
        """Return what an encrypted reply says, None if it was made with another key.

        Refusals come in the clear and are returned as they are.
        """
        if "enc" not in told:
            return told
        try:
            sealed = base64.b64decode(str(told["enc"]), validate=False)
            decryptor = Cipher(algorithms.AES(self.key), modes.ECB()).decryptor()  # noqa: S305
            plain = decryptor.update(sealed) + decryptor.finalize()
            found = parse(plain.rstrip(b"\0"))
        except ValueError:
            return None
        return found if isinstance(found, dict) else None


def v3_token(command: str, password: str, salt: str, ts: int) -> str:
    """Return the token that goes with a v3 command."""
    digest = hashlib.sha256(f"{command}{password}{salt}{ts}".encode()).digest()
    return base64.b64encode(digest).decode()[:_TOKEN_LETTERS]
