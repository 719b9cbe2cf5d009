"""Reads the head of a GGUF file: that it is one, and for how much context the model was made.

Everything before that key is skipped without being loaded.
Source: the GGUF specification, ggml-org/ggml docs/gguf.md (versions 2 and 3, little endian).
"""

import os
import struct
from pathlib import Path
from typing import BinaryIO, Final

_CONTEXT: Final = b".context_length"
_UINT32, _STRING, _ARRAY = 4, 8, 9
#: Value type -> its size in bytes.
_SIZES: Final = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
#: No header has more keys, or more items in a list (the words of a tokenizer).
_MAX_KEYS: Final = 10_000
_MAX_ITEMS: Final = 10_000_000


class NotGguf(ValueError):
    """The file is no GGUF file that can be read; the text says what is wrong with it."""


def context_tokens(path: Path) -> int | None:
    """Return the tokens of context that the model at `path` was trained for, if it says so.

    Raises OSError, or NotGguf when it is no GGUF file.
    """
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise NotGguf("it does not begin as a GGUF file does")
        if _unpack(file, "<I") not in {2, 3}:
            raise NotGguf("its version of GGUF is not known")
        _tensors, keys = _unpack(file, "<Q"), _unpack(file, "<Q")
        if keys > _MAX_KEYS:
            raise NotGguf("its header is damaged")
        for _ in range(keys):
            key, kind = _key(file), _unpack(file, "<I")
            if key.endswith(_CONTEXT) and kind == _UINT32:
                return _unpack(file, "<I")
            _skip(file, kind)
    return None


def _unpack(file: BinaryIO, form: str) -> int:
    data = file.read(struct.calcsize(form))
    if len(data) < struct.calcsize(form):
        raise NotGguf("its header is cut off")
    return int(struct.unpack(form, data)[0])


def _key(file: BinaryIO) -> bytes:
    # Longer keys are not ours, and a size from a damaged file must not be believed.
    size = _unpack(file, "<Q")
    if size > 4096:
        raise NotGguf("its header is damaged")
    return file.read(size)


def _skip(file: BinaryIO, kind: int) -> None:
    if kind == _ARRAY:
        kind, count = _unpack(file, "<I"), _unpack(file, "<Q")
        if count > _MAX_ITEMS or kind == _ARRAY:
            raise NotGguf("its header is damaged")
    else:
        count = 1
    if kind == _STRING:
        for _ in range(count):
            file.seek(min(_unpack(file, "<Q"), 2**40), os.SEEK_CUR)
    elif kind in _SIZES:
        file.seek(count * _SIZES[kind], os.SEEK_CUR)
    else:
        raise NotGguf("its header is damaged")
