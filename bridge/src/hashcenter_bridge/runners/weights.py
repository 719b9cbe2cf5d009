"""The file (or the parts of one) that a model's weights are in: checked before every load.

What the owner pinned (`sha256`), recorded (`hashcenter models add`) or signed (`signed_by`) has to
be what is there; each part is hashed at most once for all of it (hashes.py).
"""

import asyncio
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from ..errors import RunnerFault
from . import gguf, gguf_header, signature
from .hashes import FILE as HASHES, Hashes
from .records import FILE as RECORDS, Record, Records, template_hash

_PART: Final = re.compile(r"^(?P<stem>.+)-00001-of-(?P<count>[0-9]{5})\.gguf$")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Trust:
    """What the owner's file says of the weights: hashes per part, and who must have signed them.

    Without `signature` it is the file beside the model with `.sig` added to its name.
    """

    pins: tuple[str, ...] = ()
    signed_by: Path | None = None
    signature: Path | None = None


class Weights:
    """The weights at `path`, as the owner's file and what was added in `state` have them.

    `runner` is named in sentences; `state` is the bridge's folder.
    """

    def __init__(self, path: Path, trust: Trust, runner: str, state: Path) -> None:
        self.parts = parts_of(path)
        self.pins = tuple(pin.lower() for pin in trust.pins)
        self._trust = trust
        self._runner = runner
        self._hashes = Hashes(state / HASHES)
        self._records = Records(state / RECORDS)

    @property
    def name(self) -> str:
        """The file's name without its ending and the number of its part."""
        part = _PART.match(self.parts[0].name)
        return part["stem"] if part else self.parts[0].name.removesuffix(".gguf")

    def size_bytes(self) -> int | None:
        """Return the size of all parts, None while one is missing."""
        try:
            return sum(part.stat().st_size for part in self.parts)
        except OSError:
            return None

    def context_tokens(self) -> int | None:
        """Return the context that the model was made for, None while it cannot be read."""
        try:
            return gguf.context_tokens(self.parts[0])
        except (OSError, gguf.NotGguf):
            return None

    def record(self) -> Record | None:
        """Return what was recorded of this model. Raises RunnerFault."""
        return self._records.of(self.parts[0])

    def expected(self) -> str | None:
        """Return the hash that the weights must have, None for none or several."""
        pins = self.pins
        with suppress(RunnerFault):
            if not pins and (record := self.record()):
                pins = record.sha256
        return pins[0] if len(pins) == 1 else None

    async def hashes(self, *, read: bool) -> tuple[str, ...] | None:
        """Return the sha256 of every part; None if one is not known and must not be `read`.

        Raises OSError, or RunnerFault when a part is being written.
        """
        if not read:
            known = [self._hashes.known(part) for part in self.parts]
            return None if None in known else tuple(str(one) for one in known)
        return await _in_thread(self._all_hashes)

    async def verify(self) -> None:
        """Raise RunnerFault unless every part is there, is GGUF, and is what the owner trusts."""
        await _in_thread(self._verify)

    def _all_hashes(self, called_off: threading.Event) -> tuple[str, ...]:
        return tuple(self._hashes.of(part, called_off) for part in self.parts)

    def _verify(self, called_off: threading.Event) -> None:
        if self.pins and len(self.pins) != len(self.parts):
            raise RunnerFault(
                "weights_not_pinned",
                f"the model of runner {self._runner!r} has {len(self.parts)} parts; "
                f"give sha256 as a list of as many hashes (it has {len(self.pins)})",
            )
        record = self.record()
        found: list[str] = []
        for index, part in enumerate(self.parts):
            with self._sentences(part):
                gguf.context_tokens(part)
                if self.pins or record or self._trust.signed_by:
                    found.append(self._hashes.of(part, called_off))
                if self.pins and found[-1] != self.pins[index]:
                    raise self._altered(part, found[-1], self.pins[index])
        if record is not None:
            self._compare(record, found)
        if self._trust.signed_by is not None:
            self._check_signature(self._trust.signed_by, found)

    def _compare(self, record: Record, found: Sequence[str]) -> None:
        """Raise RunnerFault unless the parts are those that were added."""
        if tuple(found) == record.sha256:
            return
        wrong = next(
            (one for one, is_, was in zip(self.parts, found, record.sha256) if is_ != was),  # noqa: B905
            self.parts[-1],
        )
        template = ""
        with suppress(OSError, gguf.NotGguf):
            if template_hash(gguf_header.read(self.parts[0]).metadata) != record.template:
                template = " (its chat template, which decides what it is told, is another too)"
        raise RunnerFault(
            "weights_altered",
            f"the model file {wrong} of runner {self._runner!r} is not the one you added"
            f"{template}; put that one back, or trust this one: hashcenter models add "
            f"{self.parts[0]}",
        )

    def _altered(self, part: Path, found: str, pin: str) -> RunnerFault:
        return RunnerFault(
            "weights_altered",
            f"the model file {part} is not the one you verified: its sha256 begins with "
            f"{found[:12]}, pinned is {pin[:12]}; put the verified file back, or pin the new "
            f"hash in runner {self._runner!r} if you trust it",
        )

    def _check_signature(self, key: Path, found: Sequence[str]) -> None:
        first = self.parts[0]
        file = self._trust.signature or first.with_name(f"{first.name}.sig")
        try:
            signature.check(file, key, found)
        except OSError as err:
            raise RunnerFault(
                "weights_unsigned",
                f"the model file {first} of runner {self._runner!r} must be signed (signed_by), "
                f"but {err.filename or file} cannot be read: {err.strerror}",
            ) from None
        except signature.BadSignature as err:
            raise RunnerFault(
                "weights_unsigned",
                f"the model file {first} of runner {self._runner!r} must be signed (signed_by), "
                f"but its signature {err}",
            ) from None

    @contextmanager
    def _sentences(self, part: Path) -> Iterator[None]:
        """Say what is wrong with `part` in words for its owner."""
        try:
            yield
        except FileNotFoundError:
            raise RunnerFault(
                "weights_missing",
                f"the model file {part} of runner {self._runner!r} is not there; "
                "put it there or correct model",
            ) from None
        except OSError as err:
            raise RunnerFault(
                "weights_unreadable",
                f"the model file {part} of runner {self._runner!r} cannot be read: "
                f"{err.strerror}; let the bridge's user read it",
            ) from None
        except gguf.NotGguf as err:
            raise RunnerFault(
                "weights_unreadable",
                f"the model file {part} of runner {self._runner!r} cannot be used: {err}; "
                "fetch it again",
            ) from None


async def _in_thread(work: Callable[[threading.Event], _T]) -> _T:
    """Do `work` in a thread; whoever stops waiting calls it off."""
    called_off = threading.Event()
    try:
        return await asyncio.to_thread(work, called_off)
    finally:
        called_off.set()


def parts_of(path: Path) -> tuple[Path, ...]:
    """Return all parts of a model that is split as llama.cpp does it (gguf-split)."""
    if (part := _PART.match(path.name)) is None:
        return (path,)
    stem, count = part["stem"], part["count"]
    return tuple(
        path.with_name(f"{stem}-{number:05}-of-{count}.gguf") for number in range(1, int(count) + 1)
    )
