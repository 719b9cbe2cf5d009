"""Reads all that a GGUF file says about its model, and how many weights it has.

Source: the GGUF specification, ggml-org/ggml docs/gguf.md (versions 2 and 3, little endian).
"""

import struct
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, Final

from .gguf import NotGguf

_FORMS: Final = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q",
    12: "<d",
}  # fmt: skip
_STRING, _ARRAY = 8, 9
_MAX_KEYS, _MAX_TENSORS, _MAX_ITEMS, _MAX_STRING = 10_000, 100_000, 10_000_000, 1 << 24
#: Longer lists (the words of a tokenizer) are skipped.
_KEPT_ITEMS: Final = 4096


@dataclass
class Header:
    """The metadata of a file, long lists left out, and the number of its weights."""

    metadata: dict[str, Any] = field(default_factory=dict)
    parameters: int = 0


def read(path: Path) -> Header:
    """Return a file's header. Raises OSError, or NotGguf when it is no GGUF file."""
    header = Header()
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise NotGguf("it does not begin as a GGUF file does")
        if _number(file, "<I") not in {2, 3}:
            raise NotGguf("its version of GGUF is not known")
        tensors, keys = _number(file, "<Q"), _number(file, "<Q")
        if keys > _MAX_KEYS or tensors > _MAX_TENSORS:
            raise NotGguf("its header is damaged")
        for _ in range(keys):
            name = _text(file)
            value = _value(file, _number(file, "<I"))
            if value is not None:
                header.metadata[name] = value
        for _ in range(tensors):
            _text(file)
            dimensions = _number(file, "<I")
            if dimensions > 8:
                raise NotGguf("its header is damaged")
            header.parameters += prod(_number(file, "<Q") for _ in range(dimensions))
            _number(file, "<I")
            _number(file, "<Q")
    return header


def _number(file: BinaryIO, form: str) -> Any:
    data = file.read(struct.calcsize(form))
    if len(data) < struct.calcsize(form):
        raise NotGguf("its header is cut off")
    return struct.unpack(form, data)[0]


def _text(file: BinaryIO) -> str:
    size = _number(file, "<Q")
    if size > _MAX_STRING:
        raise NotGguf("its header is damaged")
    data = file.read(size)
    if len(data) < size:
        raise NotGguf("its header is cut off")
    return data.decode(errors="replace")


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _text(file)
    if kind != _ARRAY:
        if kind not in _FORMS:
            raise NotGguf("its header is damaged")
        return _number(file, _FORMS[kind])
    inner, count = _number(file, "<I"), _number(file, "<Q")
    if inner == _ARRAY or count > _MAX_ITEMS:
        raise NotGguf("its header is damaged")
    items = [_value(file, inner) for _ in range(count)]
    return items if count <= _KEPT_ITEMS else None
