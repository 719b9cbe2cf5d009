"""What the owner added with `hashcenter models add`: a model's hashes and what its file says of it.

A model with a record is loaded only while every part is what was recorded. Its chat template, which
decides what a model is told, is hashed by itself: in the weights, and in the files that the owner's
runners put in its place.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from ..errors import RunnerFault
from ..private import write_private

FILE: Final = "models.json"
_TEMPLATE: Final = "tokenizer.chat_template"


@dataclass(frozen=True)
class Record:
    """A model: the hash and size of each part, its template's hash, words from its metadata.

    `templates` are the hashes of templates in files that were there when it was added.
    """

    sha256: tuple[str, ...]
    size_bytes: tuple[int, ...]
    template: str | None = None
    templates: tuple[str, ...] = ()
    name: str = ""
    architecture: str = ""
    license: str = ""
    file_type: int | None = None
    context_tokens: int | None = None
    parameters: int | None = None


_RECORD: Final = TypeAdapter(Record)


class Records:
    """All records, in `file`, by the path of a model's first part.

    A file that cannot be read or understood is no reason to trust anything: RunnerFault.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def of(self, path: Path) -> Record | None:
        """Return the record of the model at `path`. Raises RunnerFault."""
        entry = self._all().get(str(path))
        if entry is None:
            return None
        try:
            return _RECORD.validate_python(entry)
        except ValidationError:
            raise self._damaged() from None

    def add(self, path: Path, record: Record) -> None:
        """Keep `record`, in place of the one before. Raises RunnerFault, or OSError."""
        self._write({**self._all(), str(path): asdict(record)})

    def forget(self, path: Path) -> bool:
        """Drop the record of `path`; return whether there was one. Raises as `add` does."""
        known = self._all()
        if known.pop(str(path), None) is None:
            return False
        self._write(known)
        return True

    def _write(self, known: Mapping[str, Any]) -> None:
        write_private(self._file, json.dumps(known, indent=1).encode())

    def _all(self) -> dict[str, Any]:
        try:
            known = json.loads(self._file.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError):
            raise self._damaged() from None
        if not isinstance(known, dict):
            raise self._damaged()
        return known

    def _damaged(self) -> RunnerFault:
        return RunnerFault(
            "records_damaged",
            f"{self._file} cannot be read, so no model can be trusted; repair it, or remove it and "
            "add your models again (hashcenter models add)",
        )


def described(
    metadata: Mapping[str, Any],
    parameters: int,
    *,
    sha256: Sequence[str],
    size_bytes: Sequence[int],
    templates: Sequence[str],
) -> Record:
    """Return the record of a model whose first part's header says `metadata`."""
    architecture = _text(metadata.get("general.architecture"))
    return Record(
        sha256=tuple(sha256),
        size_bytes=tuple(size_bytes),
        template=template_hash(metadata),
        templates=tuple(templates),
        name=_text(metadata.get("general.name")),
        architecture=architecture,
        license=_text(metadata.get("general.license")),
        file_type=_count(metadata.get("general.file_type")),
        context_tokens=_count(metadata.get(f"{architecture}.context_length")),
        parameters=parameters or None,
    )


def template_hash(metadata: Mapping[str, Any]) -> str | None:
    """Return the sha256 of the chat template, of all of them where there are several.

    Source: the GGUF specification, `tokenizer.chat_template` and `tokenizer.chat_template.NAME`.
    """
    texts = [str(metadata[key]) for key in sorted(metadata) if key.startswith(_TEMPLATE)]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest() if texts else None


def _text(value: object) -> str:
    return value[:120] if isinstance(value, str) else ""


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None
