"""The integration carries the bridge's wire byte for byte."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
CANONICAL = ROOT / "bridge/src/hashcenter_bridge/wire"
COPY = ROOT / "custom_components/hashcenter/wire"


def test_the_copy_is_identical_to_its_source() -> None:
    source = {path.name: path.read_bytes() for path in CANONICAL.glob("*.py")}
    copy = {path.name: path.read_bytes() for path in COPY.glob("*.py")}
    assert source
    assert copy == source, "run `./dev wire`"


def test_every_module_says_which_one_is_canonical() -> None:
    for path in CANONICAL.glob("*.py"):
        assert "bridge/src/hashcenter_bridge/wire" in path.read_text().split('"""')[1], path.name
