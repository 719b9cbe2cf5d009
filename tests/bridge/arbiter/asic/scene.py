"""A pure ASIC under the arbiter: acts come true after a while, watts follow, time is a number."""

from dataclasses import dataclass, field, replace
from typing import Any

from hashcenter_bridge.arbiter import leases
from hashcenter_bridge.arbiter.asic.decide import decide
from hashcenter_bridge.arbiter.asic.knob import Knob
from hashcenter_bridge.arbiter.asic.types import (
    Act,
    AsicRules,
    AsicSeen,
    AsicState,
    AsicWanted,
    House,
    Setting,
    Verb,
)
from hashcenter_bridge.wire.values import (
    Activity,
    Capabilities,
    Favor,
    PercentRange,
    PowerSource,
    PowerStep,
    WattRange,
)

WATTS = Capabilities(
    power_source=PowerSource.MEASURED,
    power_limit=WattRange(min_w=1000.0, max_w=3000.0, step_w=50.0),
    can_pause=True,
    idle_w=30.0,
    nominal_w=3000.0,
    settle_s=60.0,
    start_s=120.0,
)
PERCENT = WATTS.model_copy(
    update={
        "power_limit": None,
        "percent": PercentRange(min_percent=20.0, step_percent=1.0, full_w=3400.0),
        "nominal_w": 3400.0,
    }
)
STEPS = WATTS.model_copy(
    update={
        "power_limit": None,
        "steps": tuple(
            PowerStep(name=name, power_w=watts)
            for name, watts in (("low", 900.0), ("middle", 1500.0), ("high", 2100.0))
        ),
        "nominal_w": 2100.0,
    }
)
PLAIN = WATTS.model_copy(update={"power_limit": None, "nominal_w": 1300.0})
BITAXE = Capabilities(
    power_source=PowerSource.MEASURED,
    steps=tuple(
        PowerStep(name=f"{mhz} MHz", power_w=watts)
        for mhz, watts in ((400, 11.0), (525, 17.0), (600, 21.0))
    ),
    can_pause=True,
    idle_w=3.0,
    nominal_w=21.0,
    settle_s=10.0,
    start_s=10.0,
)


@dataclass
class Machine:
    """What a real one would do; `ratio` is what it draws per watt of its setting."""

    can: Capabilities = WATTS
    hashes: bool = True
    setting: Setting | None = None
    ratio: float = 1.0
    deaf: bool = False
    refuses: frozenset[Verb] = frozenset()
    meter: bool = True
    keeps_setting: bool = True
    pool_connected: bool | None = True
    ready_at: float = 0.0
    booted_at: float = -1e6
    tells_uptime: bool = True
    reachable: bool = True
    protecting: str | None = None
    rests: Activity = Activity.PAUSED
    stops: int = 0
    starts: int = 0
    sets: list[Setting] = field(default_factory=list)

    def __post_init__(self) -> None:
        knob = Knob(self.can, {})
        if self.setting is None and knob.exists:
            self.setting = knob.setting_for(knob.max_w)

    def watts(self, now: float) -> float:
        knob = Knob(self.can, {})
        if not self.hashes or now < self.ready_at:
            return knob.idle_w
        return knob.watts(self.setting) * self.ratio

    def obey(self, act: Act, now: float) -> str | None:
        """Do it; return what it says against it."""
        if not self.reachable:
            return "nobody answers"
        if act.verb in self.refuses:
            return "no, said the machine"
        if self.deaf:
            return None
        match act.verb:
            case Verb.PAUSE:
                self.stops += self.hashes
                self.hashes = False
            case Verb.RESUME:
                if not self.hashes:
                    self.start(now)
            case Verb.SET:
                assert act.setting is not None
                self.sets.append(act.setting)
                self.setting = act.setting
                if self.can.reboots_on_set and self.hashes:
                    self.start(now)
        return None

    def start(self, now: float) -> None:
        self.hashes = True
        self.starts += 1
        self.ready_at = now + self.can.start_s

    def reboot(self, now: float) -> None:
        """A power cut: it forgets its pause."""
        self.booted_at = now
        self.ready_at = now + self.can.start_s
        if not self.can.keeps_pause:
            self.hashes = True


@dataclass
class Scene:
    """One machine, decided every second and looked at every `interval_s`."""

    machine: Machine = field(default_factory=Machine)
    rules: AsicRules = field(default_factory=lambda: AsicRules(allow_control=True))
    state: AsicState = field(default_factory=AsicState)
    now: float = 1000.0
    interval_s: float = 10.0
    act_takes_s: float = 0.0
    stopped: bool = False
    may_start: bool = True
    wanted: AsicWanted | None = None
    acts: list[tuple[float, Act]] = field(default_factory=list)
    seen: AsicSeen | None = None
    _read_at: float = -1e9
    _over: int = 0
    _refused: str | None = None
    _doing: tuple[float, Act] | None = None

    def look(self) -> None:
        """Have it looked at."""
        machine, now = self.machine, self.now
        if not machine.reachable:
            return
        hashing = machine.hashes and now >= machine.ready_at
        activity = Activity.HASHING if hashing else Activity.STARTING
        self.seen = AsicSeen(
            can=machine.can,
            activity=activity if machine.hashes else machine.rests,
            age_s=0.0,
            power_w=machine.watts(now) if machine.meter else None,
            hash_rate_mhs=1e8 if hashing and machine.pool_connected is not False else 0.0,
            setting=machine.setting,
            pool_connected=machine.pool_connected,
            uptime_s=now - machine.booted_at if machine.tells_uptime else None,
            protecting=machine.protecting,
            look=self.seen.look + 1 if self.seen else 1,
            looked=self._over,
            refused=self._refused,
        )
        self._read_at = now

    def step(self, after_s: float = 1.0) -> AsicWanted:
        """Let time pass, carry out what was asked, look if it is time, decide."""
        self.now += after_s
        if self._doing is not None and self.now >= self._doing[0]:
            _, act = self._doing
            self._doing = None
            self._refused = self.machine.obey(act, self.now)
            self._over = act.number
            self._read_at = min(self._read_at, self.now - self.interval_s + 1.0)
        if self.seen is None or self.now >= self._read_at + self.interval_s:
            self.look()
        assert self.seen is not None
        seen = replace(self.seen, age_s=self.now - self._read_at, refused=self._refused)
        house = House(stopped=self.stopped, may_start=self.may_start)
        self.state, self.wanted = decide(self.state, seen, self.rules, house, self.now)
        if self.wanted.act is not None:
            self.acts.append((self.now, self.wanted.act))
            self._doing = (self.now + self.act_takes_s, self.wanted.act)
        return self.wanted

    def run(self, seconds: float, step_s: float = 1.0) -> AsicWanted:
        """Let so many seconds pass."""
        for _ in range(round(seconds / step_s)):
            self.step(step_s)
        assert self.wanted is not None
        return self.wanted

    def lease(self, power_w: float, ttl_s: float = 300.0, **more: Any) -> None:
        """Have the house ask for watts."""
        known: dict[str, Any] = {"cap_w": None, "favor": Favor.BALANCED, **more}
        lease = leases.granted(
            self.rules.coast_s, self.now, controller="house", power_w=power_w, ttl_s=ttl_s, **known
        )
        self.state = replace(self.state, lease=lease, adopted_until=0.0)

    def heat(self, power_w: float, seconds: float, **more: Any) -> AsicWanted:
        """Ask for watts again and again, for so long."""
        end = self.now + seconds
        while self.now < end:
            self.lease(power_w, **more)
            self.run(min(60.0, end - self.now))
        assert self.wanted is not None
        return self.wanted

    def verbs(self) -> list[Verb]:
        """Return what was done, in order."""
        return [act.verb for _, act in self.acts]


def scene(can: Capabilities = WATTS, *, hashes: bool = True, **more: Any) -> Scene:
    """Return a machine with these capabilities."""
    owner = {"allow_control": True, **more.pop("rules", {})}
    made = Scene(Machine(can, hashes=hashes, **more), AsicRules(**owner))
    made.look()
    return made
