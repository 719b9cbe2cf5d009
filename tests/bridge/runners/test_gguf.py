import struct
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from hashcenter_bridge.runners.gguf import NotGguf, context_tokens

STRING, ARRAY, UINT32 = 8, 9, 4


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def entry(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def header(*entries: bytes, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, 0, len(entries)) + b"".join(entries)


NAME = entry("general.name", STRING, text("Some model"))
WORDS = entry(
    "tokenizer.ggml.tokens",
    ARRAY,
    struct.pack("<IQ", STRING, 3) + text("a") + text("bee") + text(""),
)
SCORES = entry("tokenizer.ggml.scores", ARRAY, struct.pack("<IQ2f", 6, 2, 0.5, 1.5))
CONTEXT = entry("llama.context_length", UINT32, struct.pack("<I", 8192))


def test_the_context_is_found_behind_everything_else(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(header(NAME, WORDS, SCORES, CONTEXT))
    assert context_tokens(file) == 8192


def test_a_model_that_does_not_say_its_context_has_none(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(header(NAME, WORDS, version=2))
    assert context_tokens(file) is None


def test_the_small_model_was_made_for_8192_tokens(small_model: Path) -> None:
    assert context_tokens(small_model) == 8192


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        (b"", "does not begin"),
        (b"PK\x03\x04 a zip file", "does not begin"),
        (header(NAME, version=9), "version"),
        (header(NAME, CONTEXT)[:-3], "cut off"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**60), "damaged"),
        (header(struct.pack("<Q", 2**62)), "damaged"),
        (header(entry("a", 77, b"")), "damaged"),
        (header(entry("a", ARRAY, struct.pack("<IQ", STRING, 2**61))), "damaged"),
    ],
)
def test_what_is_no_gguf_file_is_refused_with_a_reason(
    tmp_path: Path, data: bytes, wrong: str
) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(data)
    with pytest.raises(NotGguf, match=wrong):
        context_tokens(file)


@pytest.fixture(scope="module")
def some_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gguf") / "model.gguf"


@given(data=st.binary(max_size=200))
def test_any_bytes_are_either_read_or_refused(some_file: Path, data: bytes) -> None:
    some_file.write_bytes(b"GGUF\x03\x00\x00\x00" + data)
    try:
        found = context_tokens(some_file)
    except NotGguf:
        return
    assert found is None or found >= 0
