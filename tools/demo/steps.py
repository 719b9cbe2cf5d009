"""The steps of the user's check. Each returns what it saw, or says it in a DemoError."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from tools.demo.ask import PIECES, Answer, ask
from tools.demo.bridge import BASE_W, ENERGY, MAX_W, POWER
from tools.demo.client import HomeAssistant
from tools.demo.cpu_time import cpu_s, miners, used_since
from tools.demo.demo import Demo
from tools.demo.entities import Entities, number_in
from tools.demo.owner import THERMOMETER
from tools.demo.processes import DemoError, command_of, marked, until

#: The wire's own rule for "reached": within 30 W or 5 %.
_TOLERANCE_W: Final = 30.0
_TOLERANCE: Final = 0.05
_HEAT_W: Final = 600.0
_OTHER_HEAT_W: Final = 450.0
#: Far above what the room has: everything that the rig has is needed.
_WARM_C: Final = 24
#: Home Assistant shows a rig's watts within a twentieth: up to 200 W beside an ASIC of 3 kW.
_WARM_W: Final = 0.6 * MAX_W
_WARM_MOST_W: Final = 1.3 * MAX_W
#: An S19j Pro that works hard, and one that is paused.
_ASIC_WARM_W: Final = 2500.0
_ASIC_MOST_W: Final = 3300.0
_ASIC_IDLE_W: Final = 60.0
#: What cards, mainboard and the supply's loss draw when nothing runs, and a little more.
_IDLE_W: Final = BASE_W + 2 * 30.0

_SEEN_WITHIN_S: Final = 60.0
_WATTS_WITHIN_S: Final = 60.0
_UNAVAILABLE_WITHIN_S: Final = 15.0
_GONE_WITHIN_S: Final = 10.0
#: Over this long a hashing miner surely uses CPU time and finds shares.
_WATCH_S: Final = 2.0
#: CPU seconds that paused miners may use (they still answer the bridge's questions).
_RESTING_CPU_S: Final = 0.1

_ATTEMPTS: Final = 4
_SHORT_QUESTION: Final = "In three sentences, why is a computer as good a heater as any other?"
#: A tiny model may go on without end; hanging up also shows that hashing goes on then.
_HANG_UP_AFTER_S: Final = 4.0
_LONG_QUESTION: Final = "Tell me a long story about a house that is heated by computers."


class Steps:
    """What a user does, in order."""

    def __init__(self, demo: Demo, home: HomeAssistant) -> None:
        self._demo = demo
        self._home = home

    async def see_entities(self) -> str:
        """See that the entities that matter have values, and that they move."""
        missing: list[str] = []

        async def all_there() -> bool:
            try:
                entities = await Entities.read(self._home)
                numbers, words = self._must_show(entities)
            except DemoError as err:
                missing[:] = [str(err)]
                return False
            states = await self._home.states()
            missing[:] = [one for one in numbers if number_in(states.get(one)) is None]
            missing[:] += [
                one
                for one in words
                if one not in states or states[one]["state"] in ("unknown", "unavailable")
            ]
            return not missing

        try:
            await until("every entity has a value", all_there, _SEEN_WITHIN_S)
        except DemoError as err:
            raise DemoError(f"{err}; without one: {', '.join(missing)}") from None
        entities = await Entities.read(self._home)
        watts = await self._number(entities.rig("power_w"))
        return f"{len(entities.all())} entities; the rig draws {watts:.0f} W"

    def _must_show(self, entities: Entities) -> tuple[list[str], list[str]]:
        """Return the entities that must show a number, and those that must show a word."""
        numbers = [
            entities.house("power_w"),
            entities.rig("power_w"),
            entities.rig("energy_kwh"),
            entities.heater("available_w"),
            entities.asic("power_w"),
            entities.asic("hash_rate_mhs"),
            THERMOMETER,
        ]
        for uid in self._demo.gpus.uuids:
            numbers += [entities.device(uid, key) for key in ("power_w", "temp_c", "energy_kwh")]
        return numbers, [entities.rig("activity"), entities.rig("model"), entities.house("why")]

    async def ask_something(self) -> str:
        """See that the agent streams the local model's answer."""
        for _ in range(_ATTEMPTS):
            answer = await ask(self._home, _SHORT_QUESTION, hang_up_after_s=_HANG_UP_AFTER_S)
            # A tiny model now and then has just a word to say, which cannot be streamed.
            if answer.error or len(answer.pieces) >= PIECES:
                break
        _require_streamed(answer)
        model = await self._state((await Entities.read(self._home)).rig("model"))
        return (
            f"{model} said {answer.text[:40].strip()!r}... in {len(answer.pieces)} pieces, "
            f"the first after {answer.first_piece_s:.1f} s"
        )

    async def warm_the_room(self) -> str:
        """Turn the room's thermostat up and off again, and see the measured watts follow."""
        entities = await Entities.read(self._home)
        thermostat, asic = entities.thermostat, entities.asic("power_w")
        assert thermostat is not None
        await self._home.act(
            "climate", "set_temperature", thermostat, temperature=_WARM_C, hvac_mode="heat"
        )
        warm_w = await self._until_watts(_WARM_W, _WARM_MOST_W, "GPUs warm the room")
        asic_w = await self._until_number(asic, _ASIC_WARM_W, _ASIC_MOST_W, "the ASIC warms it")

        async def heating() -> bool:
            states = await self._home.states()
            return bool(states[thermostat]["attributes"].get("hvac_action") == "heating")

        await until("the thermostat says that it heats", heating, _WATTS_WITHIN_S)
        await self._home.act("climate", "turn_off", thermostat)
        idle_w = await self._until_watts(0.0, _IDLE_W, "the GPUs' heat ends")
        paused_w = await self._until_number(asic, 0.0, _ASIC_IDLE_W, "the ASIC's heat ends")
        return (
            f"{_WARM_C} °C asked, {warm_w:.0f} W and {asic_w:.0f} W of the ASIC; "
            f"off, {idle_w:.0f} W and {paused_w:.0f} W"
        )

    async def ask_for_heat(self) -> str:
        """Ask for watts as the dashboard does, and see the measured watts follow."""
        entities = await Entities.read(self._home)
        before_w = await self._until_watts(0.0, _IDLE_W, "nothing runs")
        await self._home.act("number", "set_value", entities.heater("heat_request"), value=_HEAT_W)
        after_w = await self._follows(_HEAT_W)
        return f"{before_w:.0f} W, then {after_w:.0f} W of {_HEAT_W:.0f} W"

    async def ask_while_hashing(self) -> str:
        """See the miners rest while a question is answered, and go on afterwards."""
        assert self._demo.pool is not None
        pool = self._demo.pool
        before = await self._hashes()
        answer = Answer(asyncio.get_running_loop().time())
        asking = asyncio.create_task(ask(self._home, _LONG_QUESTION, answer, _HANG_UP_AFTER_S))
        try:

            async def first_piece() -> bool:
                return bool(answer.pieces) or asking.done()

            await until("the answer begins", first_piece, 60.0, every_s=0.02)
            pids = miners(self._demo.mark)
            cpu_before, shares_before = cpu_s(pids), await pool.accepted()
            await asking
            cpu_used, shares = used_since(cpu_before, pids), await pool.accepted() - shares_before
        finally:
            asking.cancel()
        _require_streamed(answer)
        if cpu_used > _RESTING_CPU_S or shares:
            raise DemoError(
                f"while it answered, the miners used {cpu_used:.2f} s of CPU time "
                f"and the pool accepted {shares} shares"
            )
        after = await self._hashes()
        return (
            f"{before:.2f} s/s of CPU time before, {cpu_used:.2f} s and no share "
            f"in {answer.streaming_s:.1f} s of answering, {after:.2f} s/s after"
        )

    async def stop_all(self) -> str:
        """Press Stop all, see everything rest, release it and heat again."""
        entities = await Entities.read(self._home)
        switch = entities.house("stop_all")
        await self._home.act("switch", "turn_on", switch)
        idle_w = await self._until_watts(0.0, _IDLE_W, "the watts fall to idle")

        async def rests() -> bool:
            return await self._miners_cpu_s() <= 0.01

        await until("the miners use no CPU time", rests, _WATTS_WITHIN_S)
        refused = await ask(self._home, _SHORT_QUESTION)
        if refused.pieces or not refused.error:
            raise DemoError(f"it still answered while stopped: {refused.text!r}")
        await self._home.act("switch", "turn_off", switch)
        await self._until_state(switch, "off")
        request = entities.heater("heat_request")
        answer = await self._home.ask_action(
            "hashcenter", "request_heat", request, power_w=_OTHER_HEAT_W
        )
        if answer[request]["result"] != "accepted":
            raise DemoError(f"the rig refused {_OTHER_HEAT_W:.0f} W: {answer}")
        again_w = await self._follows(_OTHER_HEAT_W)
        await self._hashes()
        return f"{idle_w:.0f} W and no CPU time; released, {again_w:.0f} W by an action"

    async def kill_bridge(self) -> str:
        """Kill the bridge, see that, start it again, see energy go on where it was."""
        entities = await Entities.read(self._home)
        energy = [entities.house("energy_kwh"), entities.rig("energy_kwh")]
        energy += [entities.device(uid, "energy_kwh") for uid in self._demo.gpus.uuids]
        shown = [entities.rig("power_w"), entities.heater("reason"), *energy[1:]]
        metered_kwh = (await self._demo.bridge.metrics())[ENERGY]
        async with self._watching(energy) as seen:
            began = asyncio.get_running_loop().time()
            children = _started_by_bridge(self._demo)
            await self._demo.bridge.kill()

            async def unavailable() -> bool:
                states = await self._home.states()
                return all(states[one]["state"] == "unavailable" for one in shown)

            await until("its entities are unavailable", unavailable, _UNAVAILABLE_WITHIN_S)
            seconds = asyncio.get_running_loop().time() - began

            async def gone() -> bool:
                return not children & set(marked(self._demo.mark))

            try:
                await until("nothing of it is left", gone, _GONE_WITHIN_S)
            except DemoError as err:
                left = [f"{pid} {command_of(pid)}" for pid in children if cpu_s([pid])]
                raise DemoError(f"{err}: {'; '.join(left)}") from None
            await self._demo.bridge.start_again()

            async def back() -> bool:
                states = await self._home.states()
                return all(number_in(states[one]) is not None for one in energy)

            await until("its entities are back", back, _SEEN_WITHIN_S)
            await self._follows(_OTHER_HEAT_W)
        for entity, values in seen.items():
            for earlier, later in pairwise(values):
                if later < earlier:
                    raise DemoError(f"{entity} went from {earlier} kWh back to {later} kWh")
        now_kwh = (await self._demo.bridge.metrics())[ENERGY]
        if now_kwh < metered_kwh:
            raise DemoError(f"the rig's energy went from {metered_kwh} kWh back to {now_kwh} kWh")
        return (
            f"unavailable after {seconds:.1f} s; energy {1000 * metered_kwh:.2f} Wh before, "
            f"{1000 * now_kwh:.2f} Wh after; heating again"
        )

    async def _state(self, entity: str) -> str:
        return str((await self._home.states())[entity]["state"])

    async def _number(self, entity: str) -> float:
        value = number_in((await self._home.states()).get(entity))
        if value is None:
            raise DemoError(f"{entity} has no value")
        return value

    async def _until_state(self, entity: str, wanted: str) -> None:
        async def is_so() -> bool:
            return await self._state(entity) == wanted

        await until(f"{entity} is {wanted}", is_so, _SEEN_WITHIN_S)

    async def _until_number(self, entity: str, low: float, high: float, what: str) -> float:
        return await self._until(lambda states: number_in(states.get(entity)), low, high, what)

    async def _until_watts(self, low: float, high: float, what: str) -> float:
        """Wait for watts of the rig without its ASIC: GPUs, mainboard, the supply's loss."""
        entities = await Entities.read(self._home)
        rig, asic = entities.rig("power_w"), entities.asic("power_w")

        def machine_w(states: dict[str, Any]) -> float | None:
            whole_w, asic_w = number_in(states.get(rig)), number_in(states.get(asic))
            return None if whole_w is None or asic_w is None else whole_w - asic_w

        return await self._until(machine_w, low, high, what)

    async def _until(
        self, read: Callable[[dict[str, Any]], float | None], low: float, high: float, what: str
    ) -> float:
        seen: list[float] = []

        async def inside() -> bool:
            value = read(await self._home.states())
            if value is not None and (not seen or seen[-1] != value):
                seen.append(value)
            return value is not None and low <= value <= high

        try:
            await until(f"{what} ({low:.0f} to {high:.0f})", inside, _WATTS_WITHIN_S)
        except DemoError as err:
            shown = ", ".join(f"{value:g}" for value in seen) or "unknown"
            metered = (await self._demo.bridge.metrics()).get(POWER)
            raise DemoError(f"{err}; it was {shown}, the rig says {metered}") from None
        return seen[-1]

    async def _follows(self, target_w: float) -> float:
        tolerance_w = max(_TOLERANCE_W, _TOLERANCE * target_w)
        what = f"{target_w:.0f} W are drawn"
        return await self._until_watts(target_w - tolerance_w, target_w + tolerance_w, what)

    async def _miners_cpu_s(self) -> float:
        """Return the CPU seconds per second of the miners over a moment."""
        pids = miners(self._demo.mark)
        before, began = cpu_s(pids), asyncio.get_running_loop().time()
        await asyncio.sleep(_WATCH_S)
        passed_s = asyncio.get_running_loop().time() - began
        return used_since(before, miners(self._demo.mark)) / passed_s

    async def _hashes(self) -> float:
        """Wait until miners use CPU time and the pool accepts shares; return the CPU seconds/s."""
        assert self._demo.pool is not None
        pool, rate = self._demo.pool, 0.0
        accepted = await pool.accepted()

        async def hashing() -> bool:
            nonlocal rate
            rate = await self._miners_cpu_s()
            return rate > 0.05 and await pool.accepted() > accepted

        await until("the miners hash and the pool accepts shares", hashing, _SEEN_WITHIN_S)
        return rate

    @asynccontextmanager
    async def _watching(self, entities: Iterable[str]) -> AsyncIterator[dict[str, list[float]]]:
        """Collect every number that these entities show while the block runs."""
        seen: dict[str, list[float]] = {one: [await self._number(one)] for one in entities}
        async with self._home.subscribed("subscribe_events", event_type="state_changed") as events:

            async def collect() -> None:
                while True:
                    data: dict[str, Any] = (await events.get())["event"]["data"]
                    value = number_in(data["new_state"])
                    if data["entity_id"] in seen and value is not None:
                        seen[data["entity_id"]].append(value)

            collecting = asyncio.create_task(collect())
            try:
                yield seen
            finally:
                collecting.cancel()


def _require_streamed(answer: Answer) -> None:
    """Raise DemoError unless the answer came in pieces, over time, and says what was streamed."""
    if answer.error:
        raise DemoError(f"the agent failed: {answer.error}")
    if len(answer.pieces) < PIECES or answer.streaming_s <= 0:
        raise DemoError(f"the answer was not streamed: {answer.pieces}")
    if answer.speech and answer.speech.strip() != answer.text.strip():
        raise DemoError(f"the answer {answer.speech!r} is not what was streamed: {answer.text!r}")


def _started_by_bridge(demo: Demo) -> set[int]:
    """Return what the bridge started: all that shows the bridge's own environment but itself."""
    assert demo.bridge.program is not None
    fake_gpus = demo.gpus.environment["FAKE_NVML_DIR"].encode()
    found = set()
    for pid in marked(demo.mark):
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            continue
        if fake_gpus in environment and pid != demo.bridge.program.pid:
            found.add(pid)
    return found
