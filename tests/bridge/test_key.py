"""The rig's key: made once, private, and never a traceback."""

import stat
from pathlib import Path

import pytest

from hashcenter_bridge import key
from hashcenter_bridge.errors import ConfigError


def test_a_key_is_made_once_and_stays(tmp_path: Path) -> None:
    first = key.read_or_make(tmp_path)
    assert first.startswith("hc-")
    assert len(first) >= 32
    assert key.read_or_make(tmp_path) == first


def test_a_renewed_key_is_another(tmp_path: Path) -> None:
    first = key.read_or_make(tmp_path)
    second = key.renew(tmp_path)
    assert second != first
    assert key.read_or_make(tmp_path) == second


def test_a_key_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    key.read_or_make(tmp_path)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_two_rigs_have_two_keys(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert key.read_or_make(tmp_path) != key.read_or_make(tmp_path / "other")


def test_an_empty_key_lets_nobody_in(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("\n")
    assert key.read_or_make(tmp_path).startswith("hc-")


def test_a_key_that_the_owner_chose_is_kept(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("my own words\n")
    assert key.read_or_make(tmp_path) == "my own words"


def test_a_key_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="key: the key cannot be read"):
        key.read_or_make(tmp_path)
    (tmp_path / "key").unlink()
    (tmp_path / "key").mkdir()
    with pytest.raises(ConfigError, match="key: the key cannot be read"):
        key.read_or_make(tmp_path)


def test_a_key_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="key: the key cannot be written"):
        key.read_or_make(tmp_path / "nowhere")
