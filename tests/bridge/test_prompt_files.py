"""Saved states of prompts: private, usable only by what made them, and within their share."""

import json
import os
import time
from pathlib import Path

import pytest

from hashcenter_bridge.prompt_files import PromptFiles, key_of

TOKENS = tuple(range(100))
MIB = 1 << 20


def keep(files: PromptFiles, tokens: tuple[int, ...] = TOKENS, size: int = 1000) -> str:
    """Do what the runner and the bridge do when a state is saved."""
    files.load("made here", 0.0)
    key = key_of("made here", tokens)
    (files.folder / files.part_name(key)).write_bytes(b"x" * size)
    assert files.keep(key, "made here", tokens)
    return key


@pytest.fixture
def files(tmp_path: Path) -> PromptFiles:
    return PromptFiles(tmp_path / "prompts/voice", 10)


def names(files: PromptFiles) -> set[str]:
    return {file.name for file in files.folder.iterdir()}


def test_a_saved_prompt_is_found_again_with_its_tokens(files: PromptFiles) -> None:
    key = keep(files)
    (found,) = files.load("made here", 50.0).values()
    assert (found.key, found.tokens, found.saved) == (key, TOKENS, True)
    assert found.used_at < 50.0


def test_only_its_owner_can_read_it(files: PromptFiles) -> None:
    os.umask(0o022)
    keep(files)
    assert files.folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in files.folder.iterdir()} == {0o600}


def test_what_other_weights_or_another_build_made_is_removed(files: PromptFiles) -> None:
    keep(files)
    assert files.load("made elsewhere", 0.0) == {}
    assert names(files) == set()


def test_without_knowing_the_weights_nothing_is_usable_and_nothing_is_lost(
    files: PromptFiles,
) -> None:
    key = keep(files)
    assert files.load(None, 0.0) == {}
    assert set(files.load("made here", 0.0)) == {key}


def test_the_last_used_one_comes_first(files: PromptFiles) -> None:
    first, second = keep(files), keep(files, TOKENS[:50])
    os.utime(files.folder / f"{first}.json", (1, time.time() - 100))
    os.utime(files.folder / f"{second}.json", (1, time.time() - 200))
    files.touch(second)
    loaded = files.load("made here", 0.0)
    assert max(loaded.values(), key=lambda one: one.used_at).key == second


def test_a_week_without_use_is_enough(files: PromptFiles) -> None:
    key = keep(files)
    long_ago = time.time() - 8 * 24 * 3600
    os.utime(files.folder / f"{key}.json", (long_ago, long_ago))
    assert files.load("made here", 0.0) == {}
    assert names(files) == set()


def test_the_longest_unused_states_give_their_place_to_new_ones(files: PromptFiles) -> None:
    keys = [keep(files, TOKENS[:count], size=4 * MIB) for count in (10, 20)]
    for age, key in zip((200, 100), keys, strict=True):
        moment = time.time() - age
        os.utime(files.folder / f"{key}.json", (moment, moment))
    new = keep(files, TOKENS, size=4 * MIB)
    assert set(files.load("made here", 0.0)) == {keys[1], new}


def test_a_state_larger_than_all_the_room_is_not_kept(files: PromptFiles) -> None:
    files.load("made here", 0.0)
    key = key_of("made here", TOKENS)
    (files.folder / files.part_name(key)).write_bytes(b"x" * (11 * MIB))
    assert not files.keep(key, "made here", TOKENS)
    assert names(files) == set()


@pytest.mark.parametrize("damage", ["", "{}", "[", '{"identity":"made here","tokens":[1]}'])
def test_what_cannot_be_understood_is_removed(files: PromptFiles, damage: str) -> None:
    key = keep(files)
    (files.folder / f"{key}.json").write_text(damage)
    assert files.load("made here", 0.0) == {}
    assert names(files) == set()


def test_what_was_not_finished_is_removed(files: PromptFiles) -> None:
    key = keep(files)
    (files.folder / "half.part").write_bytes(b"x")
    (files.folder / "orphan.kv").write_bytes(b"x")
    (files.folder / f"{key}.kv").unlink()
    (files.folder / "lone.json").write_text(json.dumps({"identity": "made here", "tokens": []}))
    assert files.load("made here", 0.0) == {}
    assert names(files) == set()
