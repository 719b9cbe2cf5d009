"""Whether a model fits: from headers written here, against figures that are known."""

import struct
from pathlib import Path
from typing import Any

import pytest

from hashcenter_bridge import fit
from hashcenter_bridge.errors import BridgeError
from hashcenter_bridge.fit import Card, Shape, judge, needed_bytes, weights_bytes
from hashcenter_bridge.fit_report import links, read_shape, report
from hashcenter_bridge.runners import gguf_header

GIB = 1024**3
#: Qwen 2.5 Coder 32B: 64 layers, 8 key-value heads of 128; its Q4_K_M file has 19.9 GB.
CODER = Shape("Coder 32B", 32_763_876_352, 19_851_336_256, 64, 8, 128, 32_768)
RTX_3090 = Card("NVIDIA GeForce RTX 3090", 24 * GIB, 0.85e9)


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def gguf(path: Path, metadata: dict[str, Any], tensors: list[tuple[int, ...]]) -> Path:
    """Write the header of a GGUF file."""
    data = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    for name, value in metadata.items():
        data += text(name)
        if isinstance(value, str):
            data += struct.pack("<I", 8) + text(value)
        elif isinstance(value, list):
            data += struct.pack("<IIQ", 9, 4, len(value)) + b"".join(
                struct.pack("<I", one) for one in value
            )
        else:
            data += struct.pack("<II", 4, value)
    for number, dimensions in enumerate(tensors):
        data += text(f"blk.{number}.weight") + struct.pack("<I", len(dimensions))
        data += b"".join(struct.pack("<Q", one) for one in dimensions) + struct.pack("<IQ", 12, 0)
    path.write_bytes(data)
    return path


LLAMA: dict[str, Any] = {
    "general.architecture": "llama",
    "general.name": "Small",
    "llama.block_count": 30,
    "llama.attention.head_count": 9,
    "llama.attention.head_count_kv": 3,
    "llama.embedding_length": 576,
    "llama.context_length": 8192,
    "tokenizer.words": list(range(5000)),
}


def test_a_shape_is_read_from_the_header_alone(tmp_path: Path) -> None:
    found = read_shape(gguf(tmp_path / "m.gguf", LLAMA, [(576, 49152), (576, 576)]))
    assert (found.name, found.layers, found.kv_heads, found.head_size) == ("Small", 30, 3, 64)
    assert found.parameters == 576 * 49152 + 576 * 576
    assert found.kv_bytes_per_token == 2 * 30 * 3 * 64 * 2
    assert found.trained_tokens == 8192


def test_heads_that_differ_from_layer_to_layer_are_averaged(tmp_path: Path) -> None:
    metadata = {**LLAMA, "llama.attention.head_count_kv": [1, 3], "llama.attention.key_length": 80}
    found = read_shape(gguf(tmp_path / "m.gguf", metadata, []))
    assert (found.kv_heads, found.head_size) == (2, 80)


def test_the_small_real_model_has_the_weights_it_is_named_for(small_model: Path) -> None:
    found = read_shape(small_model)
    assert 130e6 < found.parameters < 170e6
    assert found.layers == 30
    assert len(gguf_header.read(small_model).metadata) > 10


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "no model"), (b"GGUF" + b"\xff" * 40, "not known"), (b"GGUF\x03\0\0\0", "cut off")],
)
def test_what_is_no_model_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(content)
    with pytest.raises(BridgeError, match=said):
        read_shape(file)
    with pytest.raises(BridgeError, match="cannot be read"):
        read_shape(tmp_path / "none.gguf")


def test_a_header_without_its_shape_says_what_is_missing(tmp_path: Path) -> None:
    metadata = {name: value for name, value in LLAMA.items() if "block_count" not in name}
    with pytest.raises(BridgeError, match=r"llama\.block_count"):
        read_shape(gguf(tmp_path / "m.gguf", metadata, []))


def test_memory_is_weights_cache_and_what_computing_takes() -> None:
    assert CODER.kv_bytes_per_token == 262_144
    needed = needed_bytes(CODER, CODER.file_bytes, 8192)
    assert needed == CODER.file_bytes + 262_144 * 8192 + fit.OVERHEAD_BYTES
    assert weights_bytes(CODER, "Q4_K_M") == pytest.approx(CODER.file_bytes, rel=0.03)


def test_a_32b_fits_a_3090_with_some_context_and_not_with_all() -> None:
    with_8k = judge(CODER, [RTX_3090], 8192)
    assert with_8k.fits
    assert 8192 < with_8k.most_context_tokens < 32_768
    assert not judge(CODER, [RTX_3090], 32_768).fits
    assert judge(CODER, [RTX_3090, RTX_3090], 32_768).fits


def test_a_riser_decides_how_long_loading_takes_and_bandwidth_how_fast_it_speaks() -> None:
    alone = judge(CODER, [RTX_3090], 8192)
    assert alone.load_s == pytest.approx(23.4, abs=0.5)
    assert alone.tokens_per_s is not None
    assert 25 < alone.tokens_per_s < 36
    unknown = judge(CODER, [Card("Some card", 24 * GIB)], 8192)
    assert (unknown.load_s, unknown.tokens_per_s) == (None, None)


def test_nothing_fits_where_there_is_no_card() -> None:
    assert not judge(CODER, [], 4096).fits


def test_the_longest_name_decides() -> None:
    assert Card("RTX 3090 Ti", 0).bandwidth_bytes_s == 1008e9
    assert Card("NVIDIA GeForce RTX 3090", 0).bandwidth_bytes_s == 936e9


def test_links_are_those_of_nvidia_cards(tmp_path: Path) -> None:
    cards = {
        "0000:01:00.0": ("0x10de", "0x030000", "16.0 GT/s PCIe", "16"),
        "0000:02:00.0": ("0x10de", "0x030000", "8.0 GT/s PCIe", "1"),
        "0000:02:00.1": ("0x10de", "0x040300", "8.0 GT/s PCIe", "1"),
        "0000:03:00.0": ("0x1002", "0x030000", "16.0 GT/s PCIe", "16"),
        "0000:04:00.0": ("0x10de", "0x030200", "Unknown", "0"),
    }
    for name, values in cards.items():
        (tmp_path / name).mkdir()
        files = ("vendor", "class", "max_link_speed", "current_link_width")
        for file, value in zip(files, values, strict=True):
            (tmp_path / name / file).write_text(value + "\n")
    assert links(tmp_path) == [pytest.approx(27.2e9), pytest.approx(0.85e9), None]


def test_the_report_says_it_in_words() -> None:
    said = report(CODER, [RTX_3090], 8192)
    assert "32.76 billion weights" in said
    assert "it fits with 8192 tokens" in said
    assert "Loading takes 23 s" in said
    assert "Q8_0" in said
    assert "No GPU was found" in report(CODER, [], 8192)
