"""LuxOS: cgminer's API on TCP 4028, with a session for whoever sets something.

    logon -> SESSION[0].SessionID      {"command": "curtail", "parameter": "<session>,sleep"}

The knob is the profile (each with its watts), up to the default one. It can only be turned while
the firmware's own thermal management (ATM) is off; turning that off is its owner's choice
(`turn_off_atm`), not ours. A sleep outlasts a reboot. There is one session at a time: one that
somebody else holds is never taken away. Source: the vendor's API reference, recorded replies.
"""

import asyncio
from typing import Any, Final, Literal

from ...plugin import PluginContext
from ...wire.messages import Device
from ...wire.values import Activity, Capabilities, DeviceKind, PowerSource, PowerStep, Readings
from ..asic import AsicConfig, AsicFault, AsicSample, Setting
from ..transports import busy, cgminer, refused, unreadable
from ..transports.machine import ApiMachine
from ..transports.reply import (
    amount,
    dig,
    highest,
    mac,
    positive,
    rows,
    string,
    truth,
)

_READS: Final = (
    "power_w", "temp_c", "inlet_temp_c", "fan_percent", "fan_rpm", "hash_rate_mhs",
    "expected_hash_rate_mhs", "shares_accepted_total", "shares_rejected_total", "best_share",
)  # fmt: skip
_STARTS_WITHIN_S: Final = 600.0
_MOST_FAULTS: Final = 3
_LOG_OFF_WITHIN_S: Final = 3.0


def identity(config: Any) -> str | None:
    """Return the MAC in `config`."""
    return mac(dig(config, "CONFIG", 0, "MACAddr"))


def device(
    address: str, config: Any, profiles: Any, power: Any, version: Any, *, knob: bool
) -> Device:
    """Return who it is and what it can do. Raises DeviceFault when it does not say its MAC."""
    uid = identity(config)
    if uid is None:
        raise unreadable(address, "config has no MACAddr")
    row = dig(config, "CONFIG", 0)
    places = steps(config, profiles)
    now = string(dig(row, "Profile"))
    nominal = {place.name: place.power_w for place in places}.get(now or "")
    measured = truth(dig(power, "POWER", 0, "PSU"))
    return Device(
        uid=uid,
        kind=DeviceKind.ASIC,
        name=string(dig(row, "Hostname")) or "LuxOS",
        model=string(dig(row, "Model")),
        firmware=string(dig(version, "VERSION", 0, "LUXminer")),
        mac=uid,
        url=f"http://{address}",
        capabilities=Capabilities(
            readings=_READS,
            power_source=PowerSource.MEASURED if measured else PowerSource.ESTIMATED,
            steps=places if knob else (),
            can_pause=True,
            can_restart=True,
            stored=True,
            keeps_pause=True,
            idle_w=25.0,
            nominal_w=nominal,
            settle_s=180.0,
            start_s=120.0,
        ),
    )


def steps(config: Any, profiles: Any) -> tuple[PowerStep, ...]:
    """Return the knob's places, the lowest first: profiles up to the default or the present one."""
    now = string(dig(config, "CONFIG", 0, "Profile"))
    known = {
        name: (power_w, string(row.get("Step")) == "0")
        for row in rows(profiles, "PROFILES")
        if (name := string(row.get("Profile Name"))) and (power_w := positive(row.get("Watts")))
    }
    most_w = max(
        (power_w for name, (power_w, built) in known.items() if built or name == now), default=0.0
    )
    places = [
        PowerStep(name=name, power_w=power_w)
        for name, (power_w, _) in known.items()
        if power_w <= most_w
    ]
    return tuple(sorted(places, key=lambda place: place.power_w))


def atm_is_on(config: Any) -> bool:
    """Tell whether the firmware changes the profile by itself."""
    return truth(dig(config, "CONFIG", 0, "IsAtmEnabled")) is True


def sample(
    config: Any, summary: Any, power: Any, temps: Any, fans: Any, pools: Any, events: Any = None
) -> AsicSample:
    """Return one look at it, from six of its replies and, where something is wrong, its events."""
    row = dig(config, "CONFIG", 0)
    accepted, rejected = cgminer.shares(summary)
    nominal_ths = amount(dig(row, "NameplateTHS"))
    rate_mhs = cgminer.hash_rate_mhs(summary)
    known = cgminer.pools(pools)
    intakes, others = _corners(temps)
    spinning = rows(fans, "FANS")
    readings = Readings(
        power_w=positive(dig(power, "POWER", 0, "Watts")),
        temp_c=highest(*intakes, *others),
        inlet_temp_c=highest(*intakes),
        fan_percent=highest(*(fan.get("Speed") for fan in spinning)),
        fan_rpm=highest(*(fan.get("RPM") for fan in spinning)),
        hash_rate_mhs=rate_mhs,
        expected_hash_rate_mhs=None if nominal_ths is None else nominal_ths * 1e6,
        shares_accepted_total=accepted,
        shares_rejected_total=rejected,
        best_share=positive(dig(summary, "SUMMARY", 0, "Best Share")),
    )
    elapsed_s = amount(dig(summary, "SUMMARY", 0, "Elapsed"))
    return AsicSample(
        readings=readings,
        activity=_activity(row, rate_mhs, elapsed_s, idle=_no_work(known)),
        # While its thermal management chooses the profile, that is no setting of anybody's.
        setting=None if atm_is_on(config) else string(dig(row, "Profile")),
        pools=known,
        mac=identity(config),
        mining_s=elapsed_s,
        faults=faults(events),
    )


def _corners(temps: Any) -> tuple[list[Any], list[Any]]:
    """Return what the boards measure at their intakes, and elsewhere; replies name the corners."""
    labels = dig(temps, "METADATA", 0)
    intakes: list[Any] = []
    others: list[Any] = []
    for board in rows(temps, "TEMPS"):
        for corner in ("TopLeft", "TopRight", "BottomLeft", "BottomRight"):
            label = string(dig(labels, corner, "Label")) or ""
            (intakes if "intake" in label.lower() else others).append(board.get(corner))
    return intakes, others


def _no_work(known: tuple[Any, ...]) -> bool:
    return bool(known) and not any(pool.connected for pool in known)


def _activity(row: Any, rate_mhs: float | None, elapsed_s: float | None, *, idle: bool) -> Activity:
    if (string(dig(row, "CurtailMode")) or "None").lower() not in {"none", "wakeup", "active"}:
        return Activity.PAUSED
    if rate_mhs:
        return Activity.HASHING
    if idle:
        return Activity.IDLE
    return Activity.STARTING if (elapsed_s or 0.0) < _STARTS_WITHIN_S else Activity.IDLE


def faults(events: Any) -> tuple[AsicFault, ...]:
    """Return the last few different things that `events` tells."""
    found: dict[str, AsicFault] = {}
    for event in reversed(rows(events, "EVENTS")):
        code = string(event.get("Code"))
        if code and code not in found and len(found) < _MOST_FAULTS:
            words = string(event.get("Description")) or code
            found[code] = AsicFault(f"vendor_{code.lower()}", f"{words} ({code})")
    return tuple(found.values())


class Plugin(ApiMachine):
    """One ASIC with LuxOS. `[[asic]]` with `plugin = "luxos"`."""

    ports = (4028,)

    class Config(AsicConfig):
        """`turn_off_atm`: allow the firmware's thermal management to be turned off for a profile.

        Without it, a machine whose ATM is on can be paused and resumed, and nothing else.
        """

        plugin: Literal["luxos"] = "luxos"
        turn_off_atm: bool = False

    def __init__(self, config: Config, _context: PluginContext) -> None:
        super().__init__(config)
        self._turn_off_atm = config.turn_off_atm
        self._steps: frozenset[str] = frozenset()

    @classmethod
    async def recognize(cls, address: str, port: int) -> Device | None:
        """Return the machine at an open port, None if it is no LuxOS."""
        version = await cgminer.glance(address, port, "version")
        if string(dig(version, "VERSION", 0, "LUXminer")) is None:
            return None
        config = await cgminer.glance(address, port, "config")
        if identity(config) is None:
            return None
        return device(address, config, None, None, version, knob=False)

    async def probe(self) -> Device:
        """Return who it is and what it can do. Raises DeviceFault."""
        config = await self._ask("config")
        found = device(
            self._address,
            config,
            await self._ask("profiles"),
            await self._ask("power"),
            await self._ask("version"),
            knob=self._turn_off_atm or not atm_is_on(config),
        )
        self._met(found.uid)
        self._steps = frozenset(place.name for place in found.capabilities.steps)
        return found

    async def read(self) -> AsicSample:
        """Look at it once. Raises DeviceFault."""
        names = ("config", "summary", "power", "temps", "fans", "pools")
        replies: dict[str, Any] = {name: await self._ask(name) for name in names}
        found = sample(**replies)
        if found.activity in {Activity.HASHING, Activity.PAUSED}:
            return found
        # What happened matters while it does not work; it is a long history otherwise.
        return sample(**replies, events=await self._ask("events"))

    async def pause(self) -> None:
        """Let it sleep. Raises DeviceFault."""
        await self._in_session(("curtail", "sleep", "pause"))

    async def resume(self) -> None:
        """Wake it up. Raises DeviceFault."""
        await self._in_session(("curtail", "wakeup", "resume"))

    async def set(self, to: Setting) -> None:
        """Set a profile by its name. Raises DeviceFault."""
        if to not in self._steps:
            raise refused(self._address, f"set {to}", "it is none of its profiles")
        asked = [("profileset", str(to), f"set {to}")]
        if atm_is_on(await self._who()):
            if not self._turn_off_atm:
                raise refused(
                    self._address, f"set {to}", "its thermal management (ATM) is on again"
                )
            asked.insert(0, ("atmset", "enabled=false", "turn off its thermal management"))
        await self._in_session(*asked)

    async def restart(self) -> None:
        """Reboot it. Raises DeviceFault."""
        await self._in_session(("rebootdevice", None, "restart"))

    async def _who(self) -> dict[str, Any]:
        config = await self._ask("config")
        self._same(identity(config))
        return config

    async def _in_session(self, *asked: tuple[str, str | None, str]) -> None:
        """Log on, do what is asked, log off: (command, parameter, words) each."""
        await self._who()
        answer = await cgminer.ask(self._address, self._port, "logon")
        session = string(dig(answer, "SESSION", 0, "SessionID"))
        if session is None:
            words = cgminer.status(answer)[1] or "somebody else is logged on"
            raise busy(self._address, f"its one session is taken ({words})")
        try:
            for command, parameter, what in asked:
                joined = session if parameter is None else f"{session},{parameter}"
                told = await cgminer.ask(self._address, self._port, command, joined)
                cgminer.succeeded(self._address, what, told)
        finally:
            await asyncio.shield(self._log_off(session))

    async def _log_off(self, session: str) -> None:
        await cgminer.glance(
            self._address, self._port, "logoff", session, within_s=_LOG_OFF_WITHIN_S
        )
