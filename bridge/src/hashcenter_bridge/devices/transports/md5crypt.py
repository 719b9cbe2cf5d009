"""MD5-crypt (`$1$salt$digest`), which Whatsminer derives its keys by. No library keeps it any more.

Source: FreeBSD's crypt-md5.c as documented in glibc's crypt(3); checked against openssl's.
"""

import hashlib

_LETTERS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ROUNDS = 1000
_ORDER = ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5))


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def md5_crypt(password: str, salt: str) -> str:
    """Return the digest's 22 letters: what follows the third `$`."""
    key, grain = password.encode(), salt.encode()[:8]
    inner = _md5(key + grain + key)
    mixed = key + b"$1$" + grain
    mixed += (inner * (len(key) // 16 + 1))[: len(key)]
    length = len(key)
    while length:
        mixed += b"\0" if length & 1 else key[:1]
        length >>= 1
    digest = _md5(mixed)
    for number in range(_ROUNDS):
        part = key if number & 1 else digest
        part += (grain if number % 3 else b"") + (key if number % 7 else b"")
        digest = _md5(part + (digest if number & 1 else key))
    letters = "".join(
        _base64(digest[high] << 16 | digest[middle] << 8 | digest[low], 4)
        for high, middle, low in _ORDER
    )
    return letters + _base64(digest[11], 2)


def _base64(value: int, letters: int) -> str:
    return "".join(_LETTERS[value >> 6 * place & 63] for place in range(letters))
