"""`hashcenter models add FILE`: what the owner trusts, recorded, so that nothing else is loaded."""

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from .errors import BridgeError, ConfigError, RunnerFault
from .runners import gguf_header, signature
from .runners.gguf import NotGguf
from .runners.hashes import FILE as HASHES, Hashes
from .runners.records import FILE as RECORDS, Record, Records, described
from .runners.weights import parts_of

#: A file of this size is hashed so long that a person wants to know why nothing happens.
_LARGE_BYTES: Final = 2_000_000_000

Blocks = Sequence[Mapping[str, Any]]


def add(path: Path, runners: Blocks, state_folder: Path, say: Callable[[str], None]) -> str:
    """Record the model at `path` and return what is said of it. Raises BridgeError.

    `runners` are the blocks of the owner's file: those that use the model say which template it is
    given and who must have signed it. `say` is told what takes long.
    """
    parts = _parts(path)
    users = [block for block in runners if _path(block, "model") == parts[0]]
    known, hashes = Records(state_folder / RECORDS), Hashes(state_folder / HASHES)
    before = known.of(parts[0])
    try:
        header = gguf_header.read(parts[0])
        sizes = [part.stat().st_size for part in parts]
        if sum(sizes) > _LARGE_BYTES:
            say(f"Reading {sum(sizes) / 1e9:.1f} GB ...")
        record = described(
            header.metadata,
            header.parameters if len(parts) == 1 else 0,
            sha256=[hashes.of(part, threading.Event()) for part in parts],
            size_bytes=sizes,
            templates=_templates(users),
        )
        signed = _check_signatures(users, parts[0], record)
        known.add(parts[0], record)
    except OSError as err:
        raise BridgeError(f"{err.filename or path}: {err.strerror}") from None
    except NotGguf as err:
        raise BridgeError(f"{path} is no model that can be read: {err}") from None
    names = [str(block.get("name")) for block in users]
    return "\n".join([*_lines(parts, record, signed), *_changes(before, record), _used(names)])


def forget(path: Path, state_folder: Path) -> str:
    """Drop what was recorded of the model at `path`. Raises BridgeError."""
    first = _whole(path)
    try:
        if not Records(state_folder / RECORDS).forget(first):
            raise ConfigError(f"{first} was not added")
    except OSError as err:
        raise BridgeError(f"{err.filename}: {err.strerror}") from None
    return f"{first} is loaded whatever is in it."


def reread(runners: Blocks, state_folder: Path) -> None:
    """Forget what the files of these runners hash to, so that the next check reads all of them."""
    hashes = Hashes(state_folder / HASHES)
    for block in runners:
        if (path := _path(block, "model")) is not None:
            for part in parts_of(path):
                hashes.forget(part)


def _parts(path: Path) -> tuple[Path, ...]:
    first = _whole(path)
    parts = parts_of(first)
    if missing := next((part for part in parts if not part.is_file()), None):
        raise ConfigError(f"{missing} is not there, or is no file")
    return parts


def _whole(path: Path) -> Path:
    """Return the path as the owner's file has it: a link is not followed, or it could be moved."""
    return path.expanduser().absolute()


def _path(block: Mapping[str, Any], key: str) -> Path | None:
    value = block.get(key)
    return Path(value).expanduser() if isinstance(value, str) else None


def _templates(users: Blocks) -> list[str]:
    files = [file for block in users if (file := _path(block, "chat_template")) is not None]
    return sorted({hashlib.sha256(file.read_bytes()).hexdigest() for file in files})


def _check_signatures(users: Blocks, first: Path, record: Record) -> bool:
    """Return whether a runner asks for a signature. Raises BridgeError where it does not hold."""
    asked = False
    for block in users:
        if (key := _path(block, "signed_by")) is not None:
            file = _path(block, "signature") or first.with_name(f"{first.name}.sig")
            try:
                signature.check(file, key, record.sha256)
            except signature.BadSignature as err:
                raise RunnerFault(
                    "weights_unsigned", f"{first} is not added: its signature {err}"
                ) from None
            asked = True
    return asked


def _lines(parts: Sequence[Path], record: Record, signed: bool) -> list[str]:  # noqa: FBT001
    named = record.name or parts[0].name
    about = [record.architecture, record.license and f"license {record.license}"]
    if record.parameters:
        about.append(f"{record.parameters / 1e9:.2f} billion weights")
    if record.context_tokens:
        about.append(f"{record.context_tokens} tokens of context")
    lines = [f"{named}: {', '.join(part for part in about if part) or 'says nothing of itself'}"]
    for part, digest, size in zip(parts, record.sha256, record.size_bytes, strict=True):
        lines.append(f"  {part.name}  {size / 1e6:.0f} MB  sha256 {digest}")
    lines.append(f"  chat template: {f'sha256 {record.template}' if record.template else 'none'}")
    if signed:
        lines.append("  its signature is in order")
    return lines


def _changes(before: Record | None, record: Record) -> list[str]:
    if before is None or before == record:
        return ["Added: it is loaded only while it stays what it is."]
    lines = ["Added anew, in place of what was known of this file:"]
    if before.sha256 != record.sha256:
        lines.append("  its weights are others")
    if before.template != record.template:
        lines.append("  WARNING: its chat template is another: what it is told has changed")
    if before.templates != record.templates:
        lines.append("  WARNING: the chat template that a runner gives it is another")
    return lines


def _used(names: Sequence[str]) -> str:
    if not names:
        return "No runner in the owner's file has this path as its model yet."
    return f"Used by: {', '.join(names)}."
