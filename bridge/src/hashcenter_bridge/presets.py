"""`hashcenter models presets`: models that are known, what they take, and the block to paste.

The facts are in `presets.toml`. Nothing is fetched: a person gets the file, and `models fit` and
`models add` say what is in it.
"""

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from . import fit
from .errors import ConfigError

_GIB: Final = 1024**3


class Preset(BaseModel):
    """What is known of a model; the head of `presets.toml` says what each field means."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    title: str
    file_gb: float = Field(gt=0)
    quantization: str
    parameters_b: float = Field(gt=0)
    kv_layers: int | None = None
    kv_heads: int | None = None
    head_size: int | None = None
    context_tokens: int = Field(gt=0)
    license: str
    tools: bool
    sees: bool
    thinks: Literal["no", "switch", "always"]
    thinks_between: str | None = None
    keeps_prompt: bool
    assist_mini: float | None = Field(default=None, gt=0, le=100)
    where: str
    note: str = ""

    @property
    def shape(self) -> fit.Shape | None:
        """Return what decides its memory, None where only its file says that."""
        if self.kv_layers is None or self.kv_heads is None or self.head_size is None:
            return None
        return fit.Shape(
            self.title,
            int(self.parameters_b * 1e9),
            int(self.file_gb * 1e9),
            self.kv_layers,
            self.kv_heads,
            self.head_size,
            self.context_tokens,
        )


@cache
def presets() -> tuple[Preset, ...]:
    """Return all that are known, in the order of the file."""
    text = files("hashcenter_bridge").joinpath("presets.toml").read_text(encoding="utf-8")
    return tuple(Preset.model_validate(one) for one in tomllib.loads(text)["model"])


def find(name: str) -> Preset:
    """Return the preset of this name. Raises ConfigError with those that begin alike."""
    if (found := next((one for one in presets() if one.name == name), None)) is not None:
        return found
    near = [one.name for one in presets() if one.name.startswith(name[:4])]
    known = ", ".join(near or [one.name for one in presets()])
    raise ConfigError(f"{name[:60]!r} is not known here; known are: {known}")


def listed(cards: Sequence[fit.Card], context_tokens: int) -> str:
    """Return all of them as a table, with whether each fits `cards` with so much context."""
    head = f"{'':<31}{'file GB':>8}{'GiB':>7}  {'fits':<5}{'tools':<7}{'thinks':<8}{'assist':<8}"
    lines = [f"GiB: memory with {context_tokens} tokens of context.", "", head + "license"]
    for one in presets():
        gib, fits = _memory(one, cards, context_tokens)
        score = f"{one.assist_mini:.0f} %" if one.assist_mini is not None else ""
        lines.append(
            f"{one.name:<31}{one.file_gb:>8.1f}{gib:>7}  {fits:<5}{_yes(one.tools):<7}"
            f"{one.thinks:<8}{score:<8}{one.license}"
        )
    lines += ["", "`hashcenter models presets NAME` says more, with a block for the owner's file."]
    return "\n".join(lines)


def described(one: Preset, cards: Sequence[fit.Card], context_tokens: int) -> str:
    """Return all that is known of one, and the block to paste."""
    context_tokens = min(context_tokens, one.context_tokens)
    gib, fits = _memory(one, cards, context_tokens)
    think = {
        "no": "It does not think before it speaks.",
        "switch": "It thinks before it speaks unless it is asked not to",
        "always": "It always thinks before it speaks",
    }[one.thinks] + (f" ({one.thinks_between})." if one.thinks_between else "")
    lines = [
        (
            f"{one.title}: {one.parameters_b:g} billion weights, {one.quantization}, "
            f"{one.file_gb:g} GB, trained for {one.context_tokens} tokens, license: {one.license}"
        ),
        f"Files: {one.where} on Hugging Face; get one yourself, nothing is fetched from here.",
        f"Tools in its template: {_yes(one.tools)}. Sees pictures: {_sees(one)}. {think}",
    ]
    if one.assist_mini is not None:
        lines.append(f"Right in {one.assist_mini:g} % of the tasks of assist-mini, as published.")
    if not one.keeps_prompt:
        lines.append("llama.cpp reads a prompt that differs early anew: it cannot go back in it.")
    if one.note:
        lines.append(one.note)
    if one.shape is None:
        lines.append("What its context takes is in its file: `hashcenter models fit FILE`.")
    else:
        kib = one.shape.kv_bytes_per_token / 1024
        lines.append(
            f"It needs {gib} GiB with {context_tokens} tokens of context ({kib:.0f} KiB each)"
            + (f"; fits these GPUs: {fits}." if cards else ".")
        )
    return "\n".join([*lines, "", *_block(one, cards, context_tokens)])


def _block(one: Preset, cards: Sequence[fit.Card], context_tokens: int) -> list[str]:
    block = [
        "[[runner]]",
        f'plugin = "{"llama_server" if cards else "xllamacpp"}"',
        'name = "voice"',
        *(['binary = "/usr/local/bin/llama-server"'] if cards else []),
        f"gpus = {chr(34) + 'all' + chr(34) if cards else '[]'}",
        f'model = "/srv/models/{one.name}.gguf"    # the file as you have it',
        f'alias = "{one.name}"',
        f"context_tokens = {context_tokens}",
    ]
    if (
        cards
        and one.shape is not None
        and not _room_beside_a_miner(one.shape, cards, context_tokens)
    ):
        block.append('sharing = "exclusive"              # no room for a miner\'s memory beside it')
    return block


#: What a miner of a memory-hard coin keeps on each card (KawPow's graph, late 2026, and its work).
_MINER_BYTES: Final = 7 * _GIB


def _room_beside_a_miner(shape: fit.Shape, cards: Sequence[fit.Card], context_tokens: int) -> bool:
    room = sum(card.memory_bytes - _MINER_BYTES for card in cards)
    return fit.needed_bytes(shape, shape.file_bytes, context_tokens, len(cards)) <= room


def _memory(one: Preset, cards: Sequence[fit.Card], context_tokens: int) -> tuple[str, str]:
    if (shape := one.shape) is None:
        return "?", "?" if cards else ""
    verdict = fit.judge(shape, cards, min(context_tokens, one.context_tokens))
    return f"{verdict.needed_bytes / _GIB:.1f}", _yes(verdict.fits) if cards else ""


def _yes(value: object) -> str:
    return "yes" if value else "no"


def _sees(one: Preset) -> str:
    return "yes, with the projector file beside it" if one.sees else "no"
