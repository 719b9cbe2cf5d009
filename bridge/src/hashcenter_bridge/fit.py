"""Whether a model fits these GPUs: memory by quantization and context, load time, speed. Pure.

Memory = weights + a cache of keys and values per token of context + what computing takes.
Sources: llama.cpp allocates 2 x layers x key-value heads x head size x 2 bytes per token (f16);
bits per weight of each quantization as llama-quantize prints them for 7B to 70B models; for a token
each weight is read once, at which llama.cpp reaches about 65 % of the card's bandwidth.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

#: Bits per weight, averaged over a whole model.
QUANTIZATIONS: Final[Mapping[str, float]] = {
    "Q3_K_M": 3.91,
    "IQ4_XS": 4.29,
    "Q4_K_M": 4.85,
    "Q5_K_M": 5.69,
    "Q6_K": 6.59,
    "Q8_0": 8.50,
    "F16": 16.0,
}
#: What CUDA and the computation of a batch take on each card.
OVERHEAD_BYTES: Final = 900 * 1024**2
REACHED: Final = 0.65
#: Memory bandwidth in GB/s by a part of the card's name, longest match first. Vendor data sheets.
BANDWIDTH_GB_S: Final[Mapping[str, float]] = {
    "RTX 3060": 360, "RTX 3070": 448, "RTX 3080": 760, "RTX 3090": 936, "RTX 3090 Ti": 1008,
    "RTX 4060 Ti": 288, "RTX 4070": 504, "RTX 4080": 717, "RTX 4090": 1008, "RTX 5060 Ti": 448,
    "RTX 5070": 672, "RTX 5080": 960, "RTX 5090": 1792, "P40": 347, "P100": 732, "A4000": 448,
    "A5000": 768, "A6000": 768, "V100": 900, "T4": 320, "L4": 300, "A100": 1935, "H100": 3350,
}  # fmt: skip
_F16_BYTES: Final = 2


@dataclass(frozen=True)
class Shape:
    """What decides a model's memory, from its file. `file_bytes` are all parts of it."""

    name: str
    parameters: int
    file_bytes: int
    layers: int
    kv_heads: float
    head_size: int
    trained_tokens: int | None

    @property
    def kv_bytes_per_token(self) -> int:
        """Return what one token of context takes."""
        return int(2 * self.layers * self.kv_heads * self.head_size * _F16_BYTES)


@dataclass(frozen=True)
class Card:
    """A GPU: its free memory, and what its link carries if that is known, in bytes per second."""

    name: str
    memory_bytes: int
    link_bytes_s: float | None = None

    @property
    def bandwidth_bytes_s(self) -> float | None:
        """Return how fast it reads its own memory, None for a card that is not in the table."""
        for part in sorted(BANDWIDTH_GB_S, key=len, reverse=True):
            if part.lower() in self.name.lower():
                return BANDWIDTH_GB_S[part] * 1e9
        return None


@dataclass(frozen=True)
class Verdict:
    """What a model takes on these cards. None where nothing is known of them."""

    needed_bytes: int
    fits: bool
    most_context_tokens: int
    load_s: float | None
    tokens_per_s: float | None


def shape(metadata: Mapping[str, Any], parameters: int, file_bytes: int) -> Shape:
    """Return the shape in a GGUF file's metadata. Raises KeyError naming what is missing."""
    kind = metadata["general.architecture"]
    heads = _average(metadata[f"{kind}.attention.head_count"])
    kv_heads = _average(metadata.get(f"{kind}.attention.head_count_kv", heads))
    head_size = metadata.get(f"{kind}.attention.key_length")
    if head_size is None:
        head_size = metadata[f"{kind}.embedding_length"] / max(1.0, heads)
    return Shape(
        name=str(metadata.get("general.name", kind)),
        parameters=parameters,
        file_bytes=file_bytes,
        layers=int(metadata[f"{kind}.block_count"]),
        kv_heads=kv_heads,
        head_size=int(head_size),
        trained_tokens=metadata.get(f"{kind}.context_length"),
    )


def needed_bytes(model: Shape, weights_bytes: float, context_tokens: int, cards: int = 1) -> int:
    """Return the memory of a model with so much context on so many cards."""
    cache = model.kv_bytes_per_token * context_tokens
    return int(weights_bytes + cache + OVERHEAD_BYTES * max(1, cards))


def weights_bytes(model: Shape, quantization: str) -> float:
    """Return the size of the weights in another quantization."""
    return model.parameters * QUANTIZATIONS[quantization] / 8


def judge(model: Shape, cards: Sequence[Card], context_tokens: int) -> Verdict:
    """Return whether the file fits these cards, and how it would do there."""
    needed = needed_bytes(model, model.file_bytes, context_tokens, len(cards))
    room = sum(card.memory_bytes for card in cards)
    spare = room - needed_bytes(model, model.file_bytes, 0, len(cards))
    most = max(0, spare // max(1, model.kv_bytes_per_token))
    if model.trained_tokens is not None:
        most = min(most, model.trained_tokens)
    return Verdict(
        needed_bytes=needed,
        fits=bool(cards) and needed <= room,
        most_context_tokens=int(most),
        load_s=_load_s(model, cards),
        tokens_per_s=_speed(model, cards, context_tokens),
    )


def _load_s(model: Shape, cards: Sequence[Card]) -> float | None:
    """Each card gets its share over its own link; the slowest one ends last."""
    links = [card.link_bytes_s for card in cards]
    known = [link for link in links if link]
    if not known or len(known) < len(links):
        return None
    return model.file_bytes / len(cards) / min(known)


def _speed(model: Shape, cards: Sequence[Card], context_tokens: int) -> float | None:
    """Layers are spread over the cards, which work one after the other."""
    bandwidths = [card.bandwidth_bytes_s for card in cards]
    known = [bandwidth for bandwidth in bandwidths if bandwidth]
    if not known or len(known) < len(bandwidths):
        return None
    # Half of the context, as a conversation has it that is under way.
    read = model.file_bytes + model.kv_bytes_per_token * context_tokens / 2
    seconds = sum(read / len(cards) / bandwidth for bandwidth in known)
    return REACHED / seconds


def _average(value: Any) -> float:
    """Some models differ from layer to layer."""
    if isinstance(value, (list, tuple)):
        return sum(value) / max(1, len(value))
    return float(value)
