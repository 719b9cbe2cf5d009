"""The owner's file for powerd: every mistake is one sentence that names file and key."""

from pathlib import Path

import pytest

from hashcenter_bridge.errors import ConfigError
from hashcenter_bridge.powerd.decide import GpuRules
from hashcenter_bridge.powerd.rules import load


def written(tmp_path: Path, text: str, mode: int = 0o644) -> Path:
    file = tmp_path / "powerd.toml"
    file.write_text(text)
    file.chmod(mode)
    return file


def test_a_gpu_may_have_figures_of_its_own(tmp_path: Path) -> None:
    rules = load(
        written(tmp_path, 'safe_limit_w = 150\nmax_limit_w = 300\n[gpu."GPU-1"]\nmax_limit_w = 200')
    )

    assert rules.rules("GPU-0") == GpuRules(150.0, 300.0)
    assert rules.rules("GPU-1") == GpuRules(150.0, 200.0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "safe_limit_w: field required"),
        ("safe_limit_w = 0", "safe_limit_w: input should be greater than 0"),
        ("safe_limit_w = 150\nunits = 1", "units: extra inputs are not permitted"),
        ('safe_limit_w = "150"', "safe_limit_w: input should be a valid number"),
        ("safe_limit_w = ", "not valid TOML"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        load(written(tmp_path, text))

    assert "powerd.toml" in str(caught.value)


def test_a_file_that_others_may_write_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="only root may be able to write it: chmod 644"):
        load(written(tmp_path, "safe_limit_w = 150", mode=0o666))


def test_a_user_that_is_not_there_is_named(tmp_path: Path) -> None:
    rules = load(written(tmp_path, 'safe_limit_w = 150\nusers = ["nobody-of-this-name"]'))

    with pytest.raises(ConfigError, match="has no user 'nobody-of-this-name'"):
        rules.uids()
