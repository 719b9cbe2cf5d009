"""The models that are known: facts that agree with each other, and blocks that the bridge takes."""

import tomllib
from pathlib import Path

import pytest

from hashcenter_bridge import cli, fit
from hashcenter_bridge.errors import ConfigError
from hashcenter_bridge.fit import Card
from hashcenter_bridge.presets import Preset, described, find, listed, presets
from hashcenter_bridge.registry import load

GIB = 1024**3
RTX_3090 = Card("NVIDIA GeForce RTX 3090", 24 * GIB)
KNOWN = presets()
#: MXFP4 has 4.25 bits; the attention of such a model is kept in more.
BITS = {**fit.QUANTIZATIONS, "MXFP4": 4.6}


def test_the_models_of_the_field_are_there() -> None:
    names = " ".join(one.name for one in KNOWN)
    for wanted in ("llama-3.3-70b", "llama-3.2", "gemma-3-12b", "gemma-3-27b", "mistral"):
        assert wanted in names
    assert "qwen2.5-coder-32b" in names
    assert sum(one.name.startswith("deepseek-r1-distill") for one in KNOWN) >= 4
    assert len({one.name for one in KNOWN}) == len(KNOWN)


@pytest.mark.parametrize("one", KNOWN, ids=lambda one: one.name)
def test_its_file_has_about_the_size_of_its_weights(one: Preset) -> None:
    expected = one.parameters_b * BITS[one.quantization] / 8
    assert one.file_gb == pytest.approx(expected, rel=0.12)
    assert (one.thinks == "no") is (one.thinks_between is None)


@pytest.mark.parametrize(
    ("name", "kib"),
    [
        ("llama-3.3-70b", 320),
        ("qwen2.5-coder-32b", 256),
        ("qwen3-8b", 144),
        ("qwen3.6-27b", 64),
        ("gpt-oss-20b", 24),
    ],
)
def test_what_a_token_of_context_takes(name: str, kib: int) -> None:
    shape = find(name).shape
    assert shape is not None
    assert shape.kv_bytes_per_token == kib * 1024


@pytest.mark.parametrize("cards", [(), (RTX_3090,)], ids=["processor", "3090"])
@pytest.mark.parametrize("one", KNOWN, ids=lambda one: one.name)
def test_its_block_is_taken(one: Preset, cards: tuple[Card, ...]) -> None:
    text = described(one, cards, 8192)
    (block,) = tomllib.loads(text[text.index("[[runner]]") :])["runner"]
    config = load("runners", block["plugin"]).Config.model_validate(block)
    assert config.context_tokens == 8192
    assert one.license in text


def test_one_that_leaves_no_room_for_a_miner_is_exclusive() -> None:
    assert 'sharing = "exclusive"' in described(find("qwen2.5-coder-32b"), [RTX_3090], 8192)
    assert "sharing" not in described(find("qwen3-8b"), [RTX_3090], 8192)


def test_the_table_says_what_fits_these_gpus() -> None:
    rows = {line.split()[0]: line.split() for line in listed([RTX_3090], 8192).splitlines() if line}
    assert rows["qwen3-8b"][3] == "yes"
    assert rows["llama-3.3-70b"][3] == "no"
    assert rows["gemma-4-12b"][2:4] == ["?", "?"]


def test_one_that_is_not_known_is_named_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match="qwen3-8b"):
        find("qwen9")


def test_it_is_told_without_an_owners_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = ["--config", str(tmp_path / "none.toml")]
    assert cli.main(["models", "presets", *missing]) == 0
    assert cli.main(["models", "presets", "gemma-3-27b", *missing]) == 0
    said = capsys.readouterr()
    assert "Gemma 3 27B" in said.out
    assert "cannot be read" in said.err
    assert cli.main(["models", "presets", "nothing", *missing]) != 0
