"""The only place that acts and times: look, decide, close the gap between wanted and seen.

It wakes on every event and at least once a second, decides, and starts one task per device or
program whose state differs from the wanted one. It never awaits a device itself: a reply that takes
20 s must not stall an answer to a person.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

from . import diagnosis, people, picture, sharing
from .arbiter import decide, leases
from .arbiter.effect import tolerance_w
from .arbiter.types import Running, Wanted
from .errors import DeviceFault
from .intake import Intake, Situation
from .masters import Master, sentence
from .mqtt import Line
from .report import Schedule
from .rig import Rig
from .task_rules import Status
from .wire.messages import (
    Announce,
    AnyRequest,
    Event,
    LeaseRequest,
    ReleaseRequest,
    Response,
    RestartDeviceRequest,
    StopAllRequest,
)
from .wire.topics import ANNOUNCE, DEVICE, EVENT, INVENTORY, RESPONSE, STATE
from .wire.values import Effect, Severity
from .wire.version import MIN_PROTOCOL, PROTOCOL

_LOGGER = logging.getLogger(__name__)

_TICK_S = 1.0
#: A setting that was refused is tried again after this long.
_AGAIN_S = 5.0
_TELL_AGAIN_S = 2.0
#: Whoever writes nonsense to the broker fills no log and no house's history.
_REFUSALS_S = 1.0
_REFUSED = {
    "stopped": "The rig was stopped by a person (Stop all).",
    "queue_full": "Too many questions wait already.",
}


class Loop:
    """Runs a rig. `line` is given later, because it needs this loop's ears.

    `proves` is what `Intake` knows signed requests by.
    """

    def __init__(self, rig: Rig, proves: Callable[[bytes, str], bool] | None = None) -> None:
        self.rig = rig
        self.line: Line | None = None
        self._awake = asyncio.Event()
        #: Decisions so far.
        self.turns = 0
        self._schedule = Schedule()
        self._working: dict[str, asyncio.Task[None]] = {}
        self._limits_set: dict[str, tuple[float, float]] = {}
        self._limit_faults: dict[str, DeviceFault] = {}
        self._told: dict[str, tuple[Running, float]] = {}
        self._preempting: set[int] = set()
        self._refused_at = float("-inf")
        self._shares: dict[str, int] = {}
        self._intake = Intake(self._situation, proves)

    # What wakes it

    def wake(self) -> None:
        """Something happened."""
        self._awake.set()

    def connected(self) -> None:
        """The line is up, or Home Assistant was born: say everything again."""
        self._schedule.forget()
        config = self.rig.config.rig
        announce = Announce(
            rig=config.id,
            name=config.name or config.id,
            protocol=PROTOCOL,
            min_protocol=MIN_PROTOCOL,
            version=self.rig.version,
        )
        if self.line:
            self.line.say(ANNOUNCE, announce)
        self.wake()

    def heard(self, payload: bytes, *, retained: bool) -> None:
        """A message on the request topic: judge it, answer at once, do it."""
        taken = self._intake.take(payload, retained=retained)
        health = self.rig.health
        if taken.request is not None:
            self._execute(taken.request)
            counted = {"requests_accepted_total": health.requests_accepted_total + 1}
        elif taken.response is None:
            counted = {"messages_invalid_total": health.messages_invalid_total + 1}
        else:
            counted = {"requests_refused_total": health.requests_refused_total + 1}
            self._tell_refusal(taken.response)
        self.rig.health = health.model_copy(update=counted)
        if taken.response is not None and self.line:
            self.line.say(RESPONSE, taken.response)
        self.wake()

    def _tell_refusal(self, response: Response) -> None:
        now = self.rig.clock()
        if now - self._refused_at >= _REFUSALS_S:
            self._refused_at = now
            _LOGGER.info("request refused: %s", response.text)
            self.tell("refused", f"A request was refused: {response.text}")

    def device_event(self, uid: str, code: str, text: str) -> None:
        """A device reported something by itself."""
        self.tell(code, text, Severity.WARNING, uid=uid)
        self.wake()

    # What it does

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            self.step()
            self.turns += 1
            try:
                async with asyncio.timeout(_TICK_S):
                    await self._awake.wait()
            except TimeoutError:
                pass
            self._awake.clear()

    def step(self) -> None:
        """Look, decide, act, report: once."""
        rig, now = self.rig, self.rig.clock()
        sharing.look(rig, now)
        seen = rig.seen(now)
        rig.state, wanted = decide.decide(rig.state, seen, rig.rules, now)
        rig.wanted = wanted
        rig.fleet.step(now, stopped=rig.state.stopped)
        self._settle_tickets(wanted)
        self._settle_miners(wanted, now)
        for runner in rig.runners:
            if runner.child is not None:
                runner.child.want(wanted.runners[runner.runner.name].running is Running.ACTIVE)
        for voice in rig.voices:
            voice.child.want(not rig.state.stopped)
        self._settle_limits(wanted, now)
        people.keep_prompts(rig)
        self._count()
        people.count_given_up(rig, now)
        people.run_tasks(rig, now)
        self._find_faults(now)
        self._publish(now)

    def _execute(self, request: AnyRequest) -> None:
        rig, now = self.rig, self.rig.clock()
        if rig.store.kept.controller is None:
            rig.store.kept.controller = request.controller
            rig.store.save()
            self.tell("paired", f"This rig now obeys the house {request.controller}.")
        match request:
            case LeaseRequest():
                lease = leases.granted(
                    rig.rules.coast_s,
                    now,
                    controller=request.controller,
                    power_w=request.power_w,
                    cap_w=request.cap_w,
                    ttl_s=request.ttl_s,
                    favor=request.favor,
                    urgent=request.urgent,
                    dark=request.dark,
                )
                if not rig.fleet.lease(request.heater, lease):
                    rig.state = replace(rig.state, lease=lease)
            case ReleaseRequest():
                if not rig.fleet.lease(request.heater, None):
                    rig.state = replace(rig.state, lease=None, adopted_until=0.0)
            case StopAllRequest():
                self.stop_all(engaged=request.engaged)
            case RestartDeviceRequest():
                if not rig.fleet.restart(request.uid):
                    self._start(f"restart {request.uid}", self._restart(request.uid))

    def stop_all(self, *, engaged: bool) -> None:
        """Engage or release the latch; it holds over restarts."""
        rig = self.rig
        if rig.state.stopped != engaged:
            words = "Everything was stopped by a person." if engaged else "Stop all was released."
            self.tell("stop_all", words, Severity.WARNING)
        rig.state = replace(rig.state, stopped=engaged, lease=None if engaged else rig.state.lease)
        if engaged:
            rig.fleet.drop_leases()
        rig.store.kept.stopped = engaged
        rig.store.save()

    def unpair(self) -> None:
        """Forget the house this rig obeys; the next one that asks is obeyed."""
        self.rig.state = replace(self.rig.state, lease=None)
        self.rig.fleet.drop_leases()
        self.rig.store.kept.controller = None
        self.rig.store.save()
        self.wake()

    def beside(self, masters: Sequence[Master]) -> None:
        """Take in who else sets the GPUs: while anybody does, requests are refused."""
        rig, why = self.rig, sentence(masters)
        if why == rig.control_refused:
            return
        rig.control_refused = why
        rig.rules = replace(rig.rules, rival=masters[0].claim if masters else None)
        said = why or "Nobody else sets the GPUs any more: requests are taken again."
        _LOGGER.warning("%s", said)
        self.tell("two_masters" if why else "two_masters_over", said, Severity.WARNING)
        self.wake()

    def _settle_tickets(self, wanted: Wanted) -> None:
        rig = self.rig
        miners_run = any(program.running is Running.ACTIVE for program in rig.miners)
        for number, fate in wanted.tickets.items():
            ticket = rig.tickets.open.get(number)
            if ticket is None:
                continue
            if fate.recall:
                ticket.recall()
                self.wake()
            if not ticket.waiting:
                continue
            if fate.runner is not None:
                ticket.grant(fate.runner, fate.slot or 0)
                preempted = number in self._preempting
                rig.answers.granted(ticket, preempted=preempted)
                if preempted:
                    self.tell("preempted", "Hashing gave way to a question.")
                self._preempting.discard(number)
            elif fate.code is not None:
                ticket.refuse(fate.code, _REFUSED.get(fate.code, fate.reason))
            elif miners_run and fate.reason.startswith("waiting for"):
                self._preempting.add(number)
        self._preempting &= set(rig.tickets.open)

    def _settle_miners(self, wanted: Wanted, now: float) -> None:
        for program in self.rig.miners:
            name = program.miner.name
            running = wanted.miners[name].running
            if running is None:
                continue
            if program.child is not None:
                if running is Running.PAUSED and program.running is Running.STARTING:
                    continue
                program.child.want(
                    running is Running.ACTIVE
                    or (running is Running.PAUSED and program.running is not Running.STOPPED)
                )
            # Only one that hashes or is paused can be told the other.
            if {running, program.running} != {Running.ACTIVE, Running.PAUSED}:
                continue
            # Only the same word waits before it is said again: a new one never does.
            told, told_at = self._told.get(name, (None, 0.0))
            if told is running and now < told_at + _TELL_AGAIN_S:
                continue
            if self._start(f"miner {name}", program.tell(running)):
                self._told[name] = (running, now)

    def _settle_limits(self, wanted: Wanted, now: float) -> None:
        """Set what differs; while something must come down, nothing goes up."""
        changes: list[tuple[str, float, bool]] = []
        lowering = False
        for uid, device in wanted.devices.items():
            readings = self.rig.metering.watched[uid].readings
            limit_w, target_w = readings.power_limit_w, device.target_w
            if device.limit_w is None or target_w is None or limit_w is None:
                continue
            failed = device.effect is Effect.NO_EFFECT
            if abs(device.limit_w - limit_w) >= 1.0 or failed:
                changes.append((uid, device.limit_w, device.limit_w > limit_w))
            drawn_w = readings.power_w or 0.0
            too_high = failed and drawn_w > target_w + tolerance_w(target_w)
            lowering = lowering or too_high or limit_w - device.limit_w >= 1.0
        for uid, wanted_w, up in changes:
            # Only the same setting waits before it is tried again: a new one never does.
            set_w, set_at = self._limits_set.get(uid, (None, 0.0))
            if (up and lowering) or (set_w == wanted_w and now < set_at + _AGAIN_S):
                continue
            if self._start(f"limit {uid}", self._set_limit(uid, wanted_w)):
                self._limits_set[uid] = (wanted_w, now)

    async def _set_limit(self, uid: str, limit_w: float) -> None:
        try:
            await self.rig.metering.watched[uid].driver.set_power_limit(uid, limit_w)
        except DeviceFault as fault:
            self._limit_faults[uid] = fault
        else:
            self._limit_faults.pop(uid, None)
        self.rig.metering.look_soon(uid)

    async def _restart(self, uid: str) -> None:
        try:
            await self.rig.metering.watched[uid].driver.restart(uid)
        except DeviceFault as fault:
            self.tell(fault.code, fault.text, Severity.WARNING, uid=uid)

    def _start(self, key: str, work: Coroutine[Any, Any, None]) -> bool:
        """Start `work` unless the same is under way; return whether it was started."""
        if key in self._working:
            work.close()
            return False
        task = asyncio.create_task(work, name=key)
        self._working[key] = task

        def done(finished: asyncio.Task[None]) -> None:
            del self._working[key]
            if not finished.cancelled() and (error := finished.exception()):
                _LOGGER.error("%s failed: %r", key, error)
            self.wake()

        task.add_done_callback(done)
        return True

    def _count(self) -> None:
        for program in self.rig.miners:
            if program.reading is None:
                continue
            name, shares = program.miner.name, program.reading.shares_accepted
            # What somebody else's miner found before we came is not ours to count; a count that
            # fell began anew.
            before = self._shares.get(name, 0 if program.child else shares)
            self._shares[name] = shares
            self.rig.answers.totals.shares += shares - before if shares >= before else shares
        for more_kwh, more_shares in self.rig.fleet.used():
            self.rig.metering.count(more_kwh)
            self.rig.answers.totals.shares += more_shares

    def _find_faults(self, now: float) -> None:
        current = diagnosis.wrong_now(self.rig, self._limit_faults, now)
        appeared, gone = self.rig.faults.update(current, now)
        for key in appeared:
            _LOGGER.warning("%s", current[key], extra={"code": key[0], "uid": key[1]})
            self.tell(key[0], current[key], Severity.WARNING, uid=key[1])
        for code, gone_uid in gone:
            self.tell(f"{code}_over", f"No longer: {code.replace('_', ' ')}.", uid=gone_uid)

    def _publish(self, now: float) -> None:
        rig, line = self.rig, self.line
        if line is None:
            return
        rig.health = rig.health.model_copy(
            update={
                "device_read_failures_total": rig.metering.failures + rig.fleet.failures,
                "broker_reconnects_total": max(0, line.connects - 1),
            }
        )
        inventory = picture.inventory(rig)
        if self._schedule.inventory(inventory, now):
            line.say(INVENTORY, inventory)
        devices = picture.device_states(rig)
        state = picture.rig_state(rig, devices)
        say_state = self._schedule.state(state, now)
        due = {
            uid: device
            for uid, device in devices.items()
            if self._schedule.device(uid, device, now)
        }
        if say_state or due:
            # Noted before it is said: energy that was shown is never taken back.
            rig.store.tick()
        if say_state:
            line.say(STATE, state)
        for uid, device in due.items():
            line.say(DEVICE, device, uid)

    def tell(
        self,
        code: str,
        text: str,
        severity: Severity = Severity.INFO,
        uid: str | None = None,
        task: str | None = None,
    ) -> None:
        """Say that something happened."""
        if self.line is not None:
            event = Event(
                boot_id=self.rig.boot_id,
                tick=round(self.rig.clock(), 1),
                code=code,
                text=text[:400],
                severity=severity,
                uid=uid,
                task=task,
            )
            self.line.say(EVENT, event)

    def task_event(self, number: str, status: Status) -> None:
        """Say what became of a queued task: its id and status, never its words."""
        self.tell(f"task_{status}", f"A queued task is {status}.", task=number)
        self.wake()

    def _situation(self) -> Situation:
        rig = self.rig
        return Situation(
            boot_id=rig.boot_id,
            tick=rig.clock(),
            controller=rig.store.kept.controller,
            allow_control=rig.rules.allow_control,
            control_refused=rig.control_refused,
            stopped=rig.state.stopped,
            heaters=rig.fleet.heaters | ({rig.rules.heater} if rig.metering.watched else set()),
            restartable=rig.fleet.restartable
            | {
                uid
                for uid, watched in rig.metering.watched.items()
                if watched.device.capabilities.can_restart
            },
            max_ttl_s=picture.MAX_TTL_S,
        )
