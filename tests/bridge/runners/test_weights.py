import asyncio
import hashlib
import os
from pathlib import Path

import pytest

from hashcenter_bridge.errors import RunnerFault
from hashcenter_bridge.runners.weights import Trust, Weights

# The smallest GGUF file: no tensors, no keys.
EMPTY = b"GGUF\x03\x00\x00\x00" + bytes(16)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(EMPTY + b"the weights")
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def weights(file: Path, *pins: str) -> Weights:
    return Weights(file, Trust(pins), "voice", file.parent)


def check(model: Weights) -> None:
    asyncio.run(model.verify())


def test_the_pinned_weights_are_accepted(file: Path) -> None:
    check(weights(file, sha256(file).upper()))


def test_altered_weights_are_refused_with_both_hashes(file: Path) -> None:
    pin = sha256(file)
    check(weights(file, pin))
    file.write_bytes(EMPTY + b"the Weights")
    with pytest.raises(RunnerFault) as refused:
        check(weights(file, pin))
    assert refused.value.code == "weights_altered"
    for part in (str(file), pin[:12], sha256(file)[:12], "'voice'"):
        assert part in refused.value.text


def test_weights_altered_behind_the_clock_are_noticed(file: Path) -> None:
    pin, before = sha256(file), file.stat()
    check(weights(file, pin))
    with file.open("r+b") as open_file:
        open_file.seek(len(EMPTY))
        open_file.write(b"THE")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    with pytest.raises(RunnerFault, match="not the one you verified"):
        check(weights(file, pin))


def test_weights_put_back_are_accepted_again(file: Path) -> None:
    good, pin = file.read_bytes(), sha256(file)
    file.write_bytes(EMPTY)
    with pytest.raises(RunnerFault):
        check(weights(file, pin))
    file.write_bytes(good)
    check(weights(file, pin))


def test_an_untouched_file_is_hashed_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check(weights(file, sha256(file)))
    pin = sha256(file)
    hashed: list[None] = []
    monkeypatch.setattr(
        "hashcenter_bridge.runners.hashes.hashlib.sha256", lambda: hashed.append(None)
    )
    check(weights(file, pin))
    assert hashed == []


def test_the_memory_of_hashes_is_private_and_may_be_garbage(file: Path) -> None:
    checked = weights(file, sha256(file))
    cache = file.parent / "weights.json"
    for garbage in ("", "[]", '{"' + str(file) + '": 7}', "\x00"):
        cache.write_text(garbage)
        check(checked)
    assert cache.stat().st_mode & 0o777 == 0o600


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(RunnerFault, match=r"nowhere\.gguf .* is not there") as refused:
        check(weights(tmp_path / "nowhere.gguf"))
    assert refused.value.code == "weights_missing"


def test_what_is_no_model_is_refused_even_unpinned(file: Path) -> None:
    file.write_bytes(b"<html>not found</html>")
    with pytest.raises(RunnerFault, match="does not begin as a GGUF file does") as refused:
        check(weights(file))
    assert refused.value.code == "weights_unreadable"


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(RunnerFault, match="cannot be read"):
        check(weights(tmp_path))


def test_every_part_of_a_split_model_is_checked(tmp_path: Path) -> None:
    parts = [tmp_path / f"big-0000{number}-of-00002.gguf" for number in (1, 2)]
    for part in parts:
        part.write_bytes(EMPTY + part.name.encode())
    pins = [sha256(part) for part in parts]
    model = weights(parts[0], *pins)
    check(model)
    assert model.name == "big"
    assert model.size_bytes() == sum(part.stat().st_size for part in parts)
    with pytest.raises(RunnerFault, match="2 parts"):
        check(weights(parts[0], pins[0]))
    parts[1].write_bytes(EMPTY)
    with pytest.raises(RunnerFault, match="00002-of-00002"):
        check(model)
