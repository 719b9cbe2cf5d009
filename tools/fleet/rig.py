"""One simulated rig: once a second it looks, decides and says what is due, as a bridge does.

Leases, the intake of requests, the schedule and the line are the bridge's own code.
"""

import random
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Final

from hashcenter_bridge.arbiter import leases
from hashcenter_bridge.arbiter.types import Lease, Rules
from hashcenter_bridge.config import MqttConfig
from hashcenter_bridge.fleet.words import lease_in_force
from hashcenter_bridge.intake import Intake, Situation
from hashcenter_bridge.mqtt import Line
from hashcenter_bridge.report import Schedule
from hashcenter_bridge.wire.messages import (
    Announce,
    AnyRequest,
    Event,
    Health,
    Heater,
    HeaterState,
    InferenceState,
    Inventory,
    LeaseRequest,
    Model,
    ReleaseRequest,
    Runner,
    StopAllRequest,
)
from hashcenter_bridge.wire.topics import ANNOUNCE, DEVICE, EVENT, INVENTORY, RESPONSE, STATE
from hashcenter_bridge.wire.values import Activity, Effect
from hashcenter_bridge.wire.version import MIN_PROTOCOL, PROTOCOL
from tools.fleet.devices import ASIC, GPU, Simulated
from tools.fleet.words import NumberedDevice, NumberedState

VERSION: Final = "0.1.0"
_MODEL: Final = "qwen2.5-coder-32b-instruct-q4_k_m"
_BASE_W: Final = 50.0
_EFFICIENCY: Final = 0.9
_MAX_TTL_S: Final = 900.0
_COAST_S: Final = 1800.0
_ANSWER_S: Final = 7.0


class FleetRig:
    """A machine with GPUs, or a box with ASICs, or both. `clock` counts seconds since its start.

    `safe_share`: which part of its watts it may draw when nobody asks for heat. `asked_every_s`:
    how often, on average, somebody asks it a question.
    """

    def __init__(
        self,
        rig_id: str,
        broker: MqttConfig,
        clock: Callable[[], float],
        *,
        gpus: int,
        asics: int = 0,
        safe_share: float = 0.0,
        asked_every_s: float = 120.0,
    ) -> None:
        self.rig_id = rig_id
        self.clock = clock
        self.chance = random.Random(rig_id)  # noqa: S311 - the same rig draws the same noise
        self.boot_id = uuid.UUID(int=self.chance.getrandbits(128)).hex[:12]
        self.gpus = [self._device(number, is_asic=False) for number in range(gpus)]
        self.asics = [self._device(number, is_asic=True) for number in range(asics)]
        #: Messages by topic and device: how many were said.
        self.said: Counter[str] = Counter()
        self.executed = 0
        self._refused = 0
        self._safe_share = safe_share
        self._asked_every_s = asked_every_s
        self._leases: dict[str, Lease] = {}
        self._controller: str | None = None
        self._stopped = False
        self._lived_at = clock()
        self._answers = 0
        self._answers_until = 0.0
        self._schedule = Schedule()
        self._intake = Intake(self._situation)
        self._heaters: dict[str, tuple[Rules, list[Simulated]]] = {}
        if self.gpus:
            most_w = sum(gpu.kind.high_w for gpu in self.gpus) / _EFFICIENCY + _BASE_W
            self._heaters[rig_id] = (self._rules(rig_id, most_w, _BASE_W, _EFFICIENCY), self.gpus)
        for asic in self.asics:
            heater = f"asic-{asic.uid.replace(':', '-')}"
            self._heaters[heater] = (self._rules(heater, asic.kind.high_w, 0.0, 1.0), [asic])
        self._inventory = self._describe()
        self.line = Line(
            broker,
            rig_id,
            self.boot_id,
            heard=lambda payload, retained: self.heard(payload, retained=retained),
            connected=self.connected,
            born=self.connected,
        )

    def _device(self, number: int, *, is_asic: bool) -> Simulated:
        bits = self.chance.getrandbits(128)
        if is_asic:
            # A private address, as a firmware that makes its own has (IEEE 802, bit 1).
            octets = [0x02, *(bits >> 8 * one & 0xFF for one in range(5))]
            uid = ":".join(f"{octet:02x}" for octet in octets)
            return Simulated(ASIC, uid, f"ASIC {number}", number, self.chance)
        return Simulated(GPU, f"GPU-{uuid.UUID(int=bits)}", f"GPU {number}", number, self.chance)

    def _rules(self, heater: str, most_w: float, base_w: float, efficiency: float) -> Rules:
        return Rules(
            heater,
            max_w=round(most_w, 1),
            safe_w=round(self._safe_share * most_w, 1),
            base_w=base_w,
            psu_efficiency=efficiency,
            coast_s=_COAST_S,
            allow_control=True,
        )

    # What it hears

    def connected(self) -> None:
        """The line is up, or Home Assistant was born: say everything again."""
        self._schedule.forget()
        announce = Announce(
            rig=self.rig_id,
            name=f"Rig {self.rig_id}",
            protocol=PROTOCOL,
            min_protocol=MIN_PROTOCOL,
            version=VERSION,
        )
        self.line.say(ANNOUNCE, announce)
        self.step()

    def heard(self, payload: bytes, *, retained: bool) -> None:
        """Judge a request, answer at once, do it."""
        taken = self._intake.take(payload, retained=retained)
        if taken.request is not None:
            self._execute(taken.request)
        elif taken.response is not None:
            self._refused += 1
        if taken.response is not None:
            self.line.say(RESPONSE, taken.response)
        self.step()

    def _situation(self) -> Situation:
        return Situation(
            boot_id=self.boot_id,
            tick=self.clock(),
            controller=self._controller,
            allow_control=True,
            control_refused=None,
            stopped=self._stopped,
            heaters=frozenset(self._heaters),
            restartable=frozenset(asic.uid for asic in self.asics),
            max_ttl_s=_MAX_TTL_S,
        )

    def _execute(self, request: AnyRequest) -> None:
        self._controller = self._controller or request.controller
        self.executed += 1
        match request:
            case LeaseRequest():
                self._leases[request.heater] = leases.granted(
                    _COAST_S,
                    self.clock(),
                    controller=request.controller,
                    power_w=request.power_w,
                    cap_w=request.cap_w,
                    ttl_s=request.ttl_s,
                    favor=request.favor,
                    urgent=request.urgent,
                )
            case ReleaseRequest():
                self._leases.pop(request.heater, None)
            case StopAllRequest():
                self._stopped = request.engaged
                if request.engaged:
                    self._leases.clear()

    # What it does

    def step(self) -> None:
        """Let the time since the last look pass, follow the leases, say what is due."""
        now = self.clock()
        passed_s, self._lived_at = now - self._lived_at, now
        self._answer(now, passed_s)
        aims = {}
        for heater, (rules, devices) in self._heaters.items():
            aims[heater] = aim = leases.aim(
                self._leases.get(heater),
                rules,
                self._floor_w(rules, devices),
                now,
                stopped=self._stopped,
                adopted_until=0.0,
            )
            for device in devices:
                inside_w = ((aim.power_w or 0.0) - rules.base_w) * rules.psu_efficiency
                share_w = round(max(0.0, inside_w) / len(devices), 1)
                device.aim(share_w if share_w >= device.kind.low_w else 0.0, now)
        for device in (*self.gpus, *self.asics):
            device.live(passed_s)
        self._say(now, aims)

    def _floor_w(self, rules: Rules, devices: list[Simulated]) -> float:
        return sum(one.kind.low_w for one in devices) / rules.psu_efficiency + rules.base_w

    def _answer(self, now: float, passed_s: float) -> None:
        """Let people ask: hashing gives way on the first GPU for a few seconds."""
        if not self.gpus or self._stopped:
            return
        gpu = self.gpus[0]
        if gpu.answering and now >= self._answers_until:
            gpu.answering = False
            self._answers += 1
        elif not gpu.answering and self.chance.random() < passed_s / self._asked_every_s:
            gpu.answering = True
            self._answers_until = now + _ANSWER_S
            if gpu.hashes:
                text = "Hashing gave way to a question."
                event = Event(boot_id=self.boot_id, tick=round(now, 1), code="preempted", text=text)
                self.line.say(EVENT, event)

    # What it says

    def _say(self, now: float, aims: dict[str, leases.Aim]) -> None:
        if self._schedule.inventory(self._inventory, now):
            self.line.say(INVENTORY, self._inventory)
        spoken: dict[str, NumberedDevice] = {}
        for heater, (_, devices) in self._heaters.items():
            for device in devices:
                said = self._device_state(device, aims[heater].reason, now)
                spoken[device.uid] = said
                if self._schedule.device(device.uid, said, now):
                    self.said[DEVICE.of(self.rig_id, device.uid)] += 1
                    self.line.say(DEVICE, said, device.uid)
        state = self._state(now, aims, spoken)
        if self._schedule.state(state, now):
            self.said[STATE.of(self.rig_id)] += 1
            self.line.say(STATE, state)

    def _describe(self) -> Inventory:
        return Inventory(
            boot_id=self.boot_id,
            protocol=PROTOCOL,
            min_protocol=MIN_PROTOCOL,
            version=VERSION,
            name=f"Rig {self.rig_id}",
            allow_control=True,
            max_ttl_s=_MAX_TTL_S,
            coast_s=_COAST_S,
            heaters=tuple(
                self._heater(rules, devices) for rules, devices in self._heaters.values()
            ),
            devices=tuple(device.described for device in (*self.gpus, *self.asics)),
            runners=(Runner(name="llama", plugin="llama_server", models=(Model(id=_MODEL),)),)
            if self.gpus
            else (),
        )

    def _heater(self, rules: Rules, devices: list[Simulated]) -> Heater:
        kind = devices[0].kind
        idle_w = sum(one.kind.idle_w for one in devices) / rules.psu_efficiency + rules.base_w
        return Heater(
            id=rules.heater,
            name=devices[0].name if devices[0] in self.asics else f"Rig {self.rig_id}",
            devices=tuple(device.uid for device in devices),
            idle_w=round(idle_w, 1),
            min_w=round(self._floor_w(rules, devices), 1),
            max_w=rules.max_w,
            unattended_w=rules.max_w,
            step_w=kind.step_w,
            settle_s=kind.settle_s,
            start_s=kind.start_s,
            starts_per_day=6 if kind is ASIC else None,
            can_hash=True,
            can_answer=kind is GPU,
        )

    def _device_state(self, device: Simulated, reason: str, now: float) -> NumberedDevice:
        return NumberedDevice.model_construct(
            number=self.said[DEVICE.of(self.rig_id, device.uid)] + 1,
            boot_id=self.boot_id,
            activity=device.activity,
            target_w=device.target_w,
            since_s=float(round(now - device.since)),
            effect=device.effect,
            reason=reason,
            missing={},
            **device.read(now),
        )

    def _state(
        self, now: float, aims: dict[str, leases.Aim], spoken: dict[str, NumberedDevice]
    ) -> NumberedState:
        heaters = tuple(
            self._heater_state(rules, devices, aims[rules.heater], spoken, now)
            for rules, devices in self._heaters.values()
        )
        activities = {device.activity for device in (*self.gpus, *self.asics)}
        power_w = sum(heater.power_w or 0.0 for heater in heaters)
        devices = (*self.gpus, *self.asics)
        hashing = [device for device in devices if device.activity is Activity.HASHING]
        hashing_w = sum(device.power_w for device in hashing)
        return NumberedState.model_construct(
            number=self.said[STATE.of(self.rig_id)] + 1,
            boot_id=self.boot_id,
            tick=round(now, 1),
            activity=next(
                (one for one in (Activity.ANSWERING, Activity.HASHING) if one in activities),
                Activity.OFF if self._stopped else Activity.IDLE,
            ),
            power_w=round(power_w, 1),
            energy_kwh=round(sum(device.energy_kwh for device in devices), 4),
            hashing_w=round(hashing_w, 1),
            answering_w=round(sum(gpu.power_w for gpu in self.gpus if gpu.answering), 1),
            idle_w=round(max(0.0, power_w - hashing_w), 1),
            hash_rate_mhs=round(sum(device.hash_rate_mhs for device in hashing), 3),
            shares_accepted_total=sum(device.shares for device in devices),
            stopped=self._stopped,
            controller=self._controller,
            heaters=heaters,
            inference=self._inference() if self.gpus else None,
            health=Health(
                requests_accepted_total=self.executed, requests_refused_total=self._refused
            ),
            voice=(),
            faults=(),
            missing={},
        )

    def _heater_state(
        self,
        rules: Rules,
        devices: list[Simulated],
        aim: leases.Aim,
        spoken: dict[str, NumberedDevice],
        now: float,
    ) -> HeaterState:
        drawn_w = sum(spoken[device.uid].power_w or 0.0 for device in devices)
        effects = {device.effect for device in devices}
        return HeaterState.model_construct(
            id=rules.heater,
            power_w=round(drawn_w / rules.psu_efficiency + rules.base_w, 1),
            target_w=aim.power_w,
            effect=Effect.SETTLING if Effect.SETTLING in effects else Effect.REACHED,
            reason=aim.reason,
            available_w=0.0 if self._stopped else aim.cap_w,
            available_why="its owner allows no more",
            starts_left=6 if devices[0].kind is ASIC else None,
            hold_s=None,
            lease=lease_in_force(self._leases.get(rules.heater), now),
        )

    def _inference(self) -> InferenceState:
        return InferenceState.model_construct(
            available=not self._stopped,
            why="ready" if not self._stopped else "stopped by a person",
            model=_MODEL,
            first_token_s=1.4,
            tokens_per_s=17.9,
            prompt_tokens_per_s=412.5,
            waiting=0,
            answering=int(self.gpus[0].answering),
            answers_total=self._answers,
            tokens_total=140 * self._answers,
            preemptions_total=self._answers,
            local_why="",
        )
