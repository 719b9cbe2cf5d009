"""`hashcenter models fit FILE`: what a model's file says, against the GPUs of this machine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from . import fit
from .errors import BridgeError
from .runners import gguf_header
from .runners.gguf import NotGguf

_PCI: Final = Path("/sys/bus/pci/devices")
_NVIDIA: Final = "0x10de"
_DISPLAY: Final = "0x03"
#: What is left of each lane's rate (GT/s) after encoding and protocol, in bytes per second.
_LANE_BYTES_S: Final = {"2.5": 0.2e9, "5.0": 0.4e9, "8.0": 0.85e9, "16.0": 1.7e9, "32.0": 3.4e9}
_CONTEXTS: Final = (4096, 8192, 16384, 32768)
_GIB: Final = 1024**3


def links(pci: Path = _PCI) -> list[float | None]:
    """Return what the link of each NVIDIA card carries at most, in bytes per second, in bus order.

    A card at rest slows its link down, so the widest and fastest it can do here is taken.
    Source: Documentation/ABI/testing/sysfs-bus-pci (max_link_speed, current_link_width).
    """
    found: list[float | None] = []
    for device in sorted(pci.glob("*")):
        try:
            if (device / "vendor").read_text().strip() != _NVIDIA:
                continue
            if not (device / "class").read_text().startswith(_DISPLAY):
                continue
            speed = (device / "max_link_speed").read_text().split()[0]
            lanes = int((device / "current_link_width").read_text())
        except (OSError, ValueError, IndexError):
            found.append(None)
            continue
        lane = _LANE_BYTES_S.get(speed)
        found.append(lane * lanes if lane and lanes else None)
    return found


def read_shape(path: Path) -> fit.Shape:
    """Return the shape of the model at `path`. Raises BridgeError with a sentence."""
    try:
        header = gguf_header.read(path)
        return fit.shape(header.metadata, header.parameters, path.stat().st_size)
    except OSError as err:
        raise BridgeError(f"{path} cannot be read ({err.strerror})") from None
    except NotGguf as err:
        raise BridgeError(f"{path} is no model that can be read: {err}") from None
    except (KeyError, TypeError, ValueError) as err:
        raise BridgeError(f"{path} does not say {err}, so its memory cannot be told") from None


def report(model: fit.Shape, cards: Sequence[fit.Card], context_tokens: int) -> str:
    """Return the answer as text for the owner."""
    size = f"{model.parameters / 1e9:.2f} billion weights, {model.file_bytes / _GIB:.1f} GiB"
    lines = [
        f"{model.name}: {size}, {model.layers} layers",
        f"each token of context takes {model.kv_bytes_per_token / 1024:.0f} KiB"
        + (f"; trained for {model.trained_tokens} tokens" if model.trained_tokens else ""),
        "",
        "GiB needed      " + "".join(f"{context:>9}" for context in _CONTEXTS),
    ]
    sizes = {"this file": float(model.file_bytes)}
    sizes |= {name: fit.weights_bytes(model, name) for name in fit.QUANTIZATIONS}
    for name, weights in sizes.items():
        needed = [fit.needed_bytes(model, weights, context) / _GIB for context in _CONTEXTS]
        lines.append(f"  {name:<14}" + "".join(f"{one:>9.1f}" for one in needed))
    lines.append("")
    if not cards:
        lines.append("No GPU was found here, so nothing can be said about fit and speed.")
        return "\n".join(lines)
    verdict = fit.judge(model, cards, context_tokens)
    room = sum(card.memory_bytes for card in cards) / _GIB
    names = ", ".join(card.name for card in cards)
    fits = "fits" if verdict.fits else "does not fit"
    lines.append(f"On {names} ({room:.1f} GiB) it {fits} with {context_tokens} tokens;")
    lines.append(f"at most {verdict.most_context_tokens} tokens of context fit.")
    if verdict.load_s is not None:
        lines.append(f"Loading takes {verdict.load_s:.0f} s over the slowest link, or longer.")
    if verdict.tokens_per_s is not None and verdict.fits:
        lines.append(f"Expect about {verdict.tokens_per_s:.0f} tokens per second.")
    return "\n".join(lines)
