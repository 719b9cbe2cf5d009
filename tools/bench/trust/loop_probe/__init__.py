"""Inside the Home Assistant that is measured: how late its loop runs, and what Hashcenter heard.

Lag is measured against a fixed schedule of one moment each 10 ms. A loop that is busy for 200 ms
misses twenty of them, and all twenty count: that is how long whatever happened then had to wait.
Beside it stands the part of each lag that the loop's thread computed itself: the rest it waited for
the machine, which matters where other programs run there.
Messages of the fleet carry numbers; they are counted where the integration takes them.
"""

import asyncio
import cProfile
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

from homeassistant.components import websocket_api
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.typing import ConfigType

from custom_components.hashcenter.coordinator import RigCoordinator

DOMAIN: Final = "loop_probe"
_STEP_S: Final = 0.01
_BIN_MS: Final = 0.1
_NUMBER: Final = re.compile(rb'"number":(\d+)')


class Probe:
    """What was measured since the last `reset`."""

    def __init__(self) -> None:
        #: Moments by their lag, in steps of `_BIN_MS`.
        self.lags: Counter[int] = Counter()
        self.own: Counter[int] = Counter()
        self.worst_ms = 0.0
        #: By topic: the first number heard, the last one, and how many messages.
        self.heard: dict[str, list[int]] = {}

    def reset(self) -> None:
        """Begin anew."""
        self.lags.clear()
        self.own.clear()
        self.worst_ms = 0.0
        self.heard.clear()

    async def watch(self) -> None:
        """Look each 10 ms, for ever."""
        loop = asyncio.get_running_loop()
        due, computed_s = loop.time() + _STEP_S, time.thread_time()
        while True:
            await asyncio.sleep(max(0.0, due - loop.time()))
            now, before_s, computed_s = loop.time(), computed_s, time.thread_time()
            self.worst_ms = max(self.worst_ms, 1000 * (now - due))
            while due <= now:
                self.lags[int(1000 * (now - due) / _BIN_MS)] += 1
                self.own[int(1000 * min(now - due, computed_s - before_s) / _BIN_MS)] += 1
                due += _STEP_S

    def hear(self, topic: str, payload: bytes) -> None:
        """Note a message that carries a number."""
        if (found := _NUMBER.search(payload)) is None:
            return
        number = int(found[1])
        if (known := self.heard.get(topic)) is None:
            self.heard[topic] = [number, number, 1]
        else:
            known[1] = max(known[1], number)
            known[2] += 1


def percentile_ms(lags: Counter[int], share: float) -> float:
    """Return the lag that this share of all moments did not exceed."""
    wanted, seen = share * lags.total(), 0
    for lag, count in sorted(lags.items()):
        seen += count
        if seen >= wanted:
            return (lag + 1) * _BIN_MS
    return 0.0


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:  # noqa: ARG001 - Home Assistant's own
    """Begin to measure, and answer the bench over Home Assistant's WebSocket."""
    probe = Probe()
    hear = RigCoordinator.async_hear

    @callback
    def heard(rig: RigCoordinator, address: Any, payload: bytes, *, retained: bool) -> None:
        hear(rig, address, payload, retained=retained)
        if not retained:
            probe.hear(address.topic.of(address.rig, address.uid), payload)

    RigCoordinator.async_hear = heard  # type: ignore[assignment, method-assign]
    hass.async_create_background_task(probe.watch(), DOMAIN)

    @websocket_api.websocket_command({"type": "loop_probe/read", "reset": bool})
    @callback
    def read(
        _: HomeAssistant, connection: websocket_api.ActiveConnection, message: dict[str, Any]
    ) -> None:
        result = {
            "p50_ms": percentile_ms(probe.lags, 0.5),
            "p99_ms": percentile_ms(probe.lags, 0.99),
            "own_p99_ms": percentile_ms(probe.own, 0.99),
            "worst_ms": probe.worst_ms,
            "moments": probe.lags.total(),
            "entities": hass.states.async_entity_ids_count(),
            "heard": {topic: list(known) for topic, known in probe.heard.items()},
        }
        connection.send_result(message["id"], result)
        if message["reset"]:
            probe.reset()

    @websocket_api.websocket_command({"type": "loop_probe/profile", "seconds": float, "file": str})
    @websocket_api.async_response
    async def profile(
        _: HomeAssistant, connection: websocket_api.ActiveConnection, message: dict[str, Any]
    ) -> None:
        profiler = cProfile.Profile()
        profiler.enable()
        await asyncio.sleep(message["seconds"])
        profiler.disable()
        file = Path(message["file"])
        await hass.async_add_executor_job(profiler.dump_stats, file)
        connection.send_result(message["id"], {})

    websocket_api.async_register_command(hass, read)
    websocket_api.async_register_command(hass, profile)
    return True
