"""Ears and mouth: speech programs that speak the Wyoming protocol, as children of the bridge.

Each has its own availability: it is there when it has said what it can do. Words to and from them
go straight to Home Assistant; the bridge only starts, watches and ends them.
Source: the Wyoming protocol, github.com/OHF-Voice/wyoming: an event is a line of JSON, followed by
`data_length` bytes of JSON; `describe` is answered with `info`.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from .child import Child, ChildSpec, ChildState
from .wire.messages import VoiceProgram

_WITHIN_S: Final = 4.0
_MAX_BYTES: Final = 1 << 20
#: What `info` calls it, and what it is to a person.
_ABILITIES: Final = {"asr": "hears", "tts": "speaks", "wake": "wakes", "intent": "understands"}


class VoiceConfig(BaseModel):
    """`[[voice]]`: a program that hears or speaks, and the `port` of this machine it listens on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")
    command: tuple[str, ...] = Field(min_length=1)
    port: int = Field(ge=1, le=65_535)
    nice: int = Field(default=0, ge=0, le=19)


async def abilities(port: int, host: str = "127.0.0.1") -> tuple[str, ...]:
    """Return what the Wyoming program there can do. Raises OSError when it does not say so."""
    async with asyncio.timeout(_WITHIN_S):
        reader, writer = await asyncio.open_connection(host, port, limit=_MAX_BYTES)
        try:
            writer.write(b'{"type":"describe"}\n')
            await writer.drain()
            info = await _event(reader)
        except (ValueError, EOFError) as err:
            raise ConnectionError(f"it does not speak Wyoming ({err})") from None
        finally:
            writer.close()
    return tuple(what for name, what in _ABILITIES.items() if info.get(name))


async def _event(reader: asyncio.StreamReader) -> dict[str, Any]:
    """Return the data of `info`. Raises ValueError or EOFError for anything else."""
    head = json.loads(await reader.readline())
    if not isinstance(head, dict) or head.get("type") != "info":
        raise ValueError("it did not answer with info")
    length = head.get("data_length") or 0
    if not isinstance(length, int) or not 0 <= length <= _MAX_BYTES:
        raise ValueError("its answer is too long")
    data = json.loads(await reader.readexactly(length)) if length else head.get("data")
    if not isinstance(data, dict):
        raise ValueError("it did not say what it can do")  # noqa: TRY004
    return data


class Voice:
    """One speech program. `changed` is called when its availability changed."""

    def __init__(
        self, config: VoiceConfig, clock: Callable[[], float], changed: Callable[[], None]
    ) -> None:
        self.config = config
        self.can: tuple[str, ...] = ()
        self.child = Child(
            ChildSpec(config.name, config.command, nice=config.nice),
            ready=self._ready,
            before_start=None,
            changed=changed,
            clock=clock,
        )

    async def _ready(self) -> bool:
        self.can = await abilities(self.config.port)
        return bool(self.can)

    @property
    def shown(self) -> VoiceProgram:
        """Return it as the wire says it."""
        state = self.child.state
        why = self.child.why or ("ready" if state is ChildState.READY else f"it is {state}")
        return VoiceProgram(
            name=self.config.name,
            can=self.can,
            available=state is ChildState.READY,
            why=why[:400],
        )

    async def close(self) -> None:
        """Stop it."""
        await self.child.close()
