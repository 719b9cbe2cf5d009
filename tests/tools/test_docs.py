"""What the documents claim can be looked up: every named test and every linked file exists."""

import re
from pathlib import Path

import pytest

from tools.paths import ROOT

_DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def _tests() -> set[str]:
    return {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)\(", path.read_text())
    }


def test_every_rule_of_heating_is_held_by_a_test_of_that_name() -> None:
    rules = (ROOT / "docs/heating.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", rules))
    assert len(named) > 30
    assert named <= _tests()


@pytest.mark.parametrize("document", _DOCUMENTS, ids=lambda path: path.name)
def test_every_linked_file_exists(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text())
    files = [link for link in links if "://" not in link]
    missing = [link for link in files if not (document.parent / link).exists()]
    assert missing == []
