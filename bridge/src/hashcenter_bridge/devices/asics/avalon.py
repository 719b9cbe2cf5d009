"""Canaan Avalon (Q, Mini 3, Nano 3 and the big ones): cgminer's API on TCP 4028, no password.

    version, estats, summary, pools      ascset "0,workmode,set,1"
    ascset "0,softoff,1:<time>", "0,softon,1:<time>" (may hang up without a word), "0,reboot,0"

The knob is the work mode, of the models whose modes are known. What a machine takes is asked of it
(`ascset 0,help`). Source: the vendor's API page, recorded replies.
"""

import re
from typing import Any, Final, Literal

from ...errors import DeviceFault
from ...plugin import PluginContext
from ...wire.messages import Device
from ...wire.values import Activity, Capabilities, DeviceKind, PowerSource, PowerStep, Readings
from ..asic import AsicConfig, AsicFault, AsicSample, Setting
from ..transports import cgminer, refused, unreadable
from ..transports.machine import ApiMachine
from ..transports.reply import (
    amount,
    count,
    dig,
    highest,
    mac,
    positive,
    string,
)

_READS: Final = (
    "power_w", "inlet_temp_c", "chip_temp_c", "fan_percent", "fan_rpm", "hash_rate_mhs",
    "shares_accepted_total", "shares_rejected_total", "best_share",
)  # fmt: skip
#: Model -> its work modes by number: name and about what it draws (the vendor's data sheets).
_MODES: Final[dict[str, dict[int, tuple[str, float]]]] = {
    "Q": {0: ("eco", 800.0), 1: ("standard", 1300.0), 2: ("super", 1674.0)},
    "NANO3S": {0: ("low", 70.0), 1: ("medium", 105.0), 2: ("high", 140.0)},
    "NANO3": {0: ("low", 65.0), 1: ("medium", 100.0), 2: ("high", 140.0)},
}
_FIELD: Final = re.compile(r"([A-Za-z][\w ]*?)\[([^\]]*)\]")
#: Where the power supply's list has the watts it draws.
_PS_WATTS: Final = 4
#: How far ahead of the machine's own clock it is told to go off or on.
_SOON_S: Final = 5
_STARTS_WITHIN_S: Final = 600.0
_NO_ERROR: Final = {"0", ""}


def identity(version: Any) -> str | None:
    """Return the MAC in `version`."""
    return mac(dig(version, "VERSION", 0, "MAC"))


def is_avalon(version: Any) -> bool:
    """Tell whether it is an Avalon that answers `version`."""
    product = string(dig(version, "VERSION", 0, "PROD")) or ""
    return "avalon" in product.lower()


def model(version: Any) -> str | None:
    """Return the model as it is sold."""
    row = dig(version, "VERSION", 0)
    return string(dig(row, "PROD")) or string(dig(row, "MODEL"))


def modes(version: Any) -> dict[int, tuple[str, float]]:
    """Return the work modes of its model by number, none for one that is not known."""
    name = (string(dig(version, "VERSION", 0, "MODEL")) or "").upper().split("-")[0]
    return _MODES.get(name, {})


def accepts(help_reply: Any) -> frozenset[str]:
    """Return the settings that `ascset 0,help` lists."""
    words = cgminer.status(help_reply)[1] if isinstance(help_reply, dict) else ""
    return frozenset(words.rpartition(": ")[2].split("|")) - {""}


def fields(stats: Any) -> dict[str, str]:
    """Return what `estats` says: "Temp[30] PS[0 1214 ...]" by name; some firmware parses it."""
    row = dig(stats, "STATS", 0)
    found = dig(row, "MM ID0")
    if found is None:
        found = dig(row, "MM ID0:Summary")
    if isinstance(found, str):
        return {name.strip(): value for name, value in _FIELD.findall(found)}
    parsed = dig(found, "STATS") or found
    if not isinstance(parsed, dict):
        return {}
    return {
        name: " ".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in parsed.items()
    }


def power_w(found: dict[str, str]) -> float | None:
    """Return the watts it draws: at the wall where it says that, else of its power supply."""
    supply = found.get("PS", "").split()
    told = supply[_PS_WATTS] if len(supply) > _PS_WATTS else None
    return positive(found.get("WALLPOWER")) or positive(told)


def device(address: str, version: Any, help_reply: Any) -> Device:
    """Return who it is and what it can do. Raises DeviceFault when it does not say its MAC."""
    uid = identity(version)
    if uid is None:
        raise unreadable(address, "version has no MAC")
    known = accepts(help_reply)
    steps = sorted(modes(version).values(), key=lambda mode: mode[1])
    return Device(
        uid=uid,
        kind=DeviceKind.ASIC,
        name="Avalon",
        model=model(version),
        firmware=string(dig(version, "VERSION", 0, "LVERSION"))
        or string(dig(version, "VERSION", 0, "CGMiner")),
        mac=uid,
        url=f"http://{address}",
        capabilities=Capabilities(
            readings=_READS,
            power_source=PowerSource.MEASURED,
            steps=tuple(PowerStep(name=name, power_w=watts) for name, watts in steps)
            if "workmode" in known
            else (),
            can_pause={"softoff", "softon"} <= known,
            can_restart="reboot" in known,
            stored=True,
            idle_w=15.0,
            nominal_w=None,
            settle_s=240.0,
            start_s=240.0,
        ),
    )


def sample(version: Any, stats: Any, summary: Any, pools: Any) -> AsicSample:
    """Return one look at it. `GHSspd` is its hash rate now."""
    found = fields(stats)
    rate_ghs = amount(found.get("GHSspd"))
    rate_mhs = cgminer.hash_rate_mhs(summary) if rate_ghs is None else rate_ghs * 1000
    accepted, rejected = cgminer.shares(summary)
    readings = Readings(
        power_w=power_w(found),
        inlet_temp_c=positive(found.get("ITemp")) or positive(found.get("Temp")),
        chip_temp_c=positive(found.get("TMax")),
        fan_percent=amount(found.get("FanR")),
        fan_rpm=highest(*(found.get(f"Fan{index}") for index in range(1, 5))),
        hash_rate_mhs=rate_mhs,
        shares_accepted_total=accepted,
        shares_rejected_total=rejected,
        best_share=positive(dig(summary, "SUMMARY", 0, "Best Share")),
    )
    known = cgminer.pools(pools)
    elapsed_s = amount(dig(stats, "STATS", 0, "Elapsed"))
    number = count(found.get("WORKMODE"))
    mode = None if number is None else modes(version).get(number)
    idle = bool(known) and not any(pool.connected for pool in known)
    return AsicSample(
        readings=readings,
        activity=_activity(found, rate_mhs, elapsed_s, idle=idle),
        setting=mode[0] if mode else None,
        pools=known,
        mac=identity(version),
        mining_s=elapsed_s,
        faults=faults(found),
    )


def _activity(
    found: dict[str, str], rate_mhs: float | None, elapsed_s: float | None, *, idle: bool
) -> Activity:
    if count(found.get("SoftOFF")) or "in idle" in found.get("SYSTEMSTATU", "").lower():
        return Activity.PAUSED
    if rate_mhs:
        return Activity.HASHING
    if idle:
        return Activity.IDLE
    return Activity.STARTING if (elapsed_s or 0.0) < _STARTS_WITHIN_S else Activity.IDLE


def faults(found: dict[str, str]) -> tuple[AsicFault, ...]:
    """Return the vendor's error words: of the boards (`ECHU`), the controller, the fans."""
    told = []
    for name, code, words in (
        ("ECHU", "board_error", "A hash board reports an error"),
        ("ECMM", "controller_error", "The controller reports an error"),
        ("FanErr", "fan_failed", "A fan reports an error"),
    ):
        value = found.get(name, "")
        if set(value.split()) - _NO_ERROR:
            told.append(AsicFault(code, f"{words} ({name} {value})."))
    return tuple(told)


class Plugin(ApiMachine):
    """One Avalon. `[[asic]]` with `plugin = "avalon"`."""

    ports = (4028,)

    class Config(AsicConfig):
        """Its API has no password."""

        plugin: Literal["avalon"] = "avalon"

    def __init__(self, config: Config, _context: PluginContext) -> None:
        super().__init__(config)
        self._version: dict[str, Any] = {}
        self._can = Capabilities()

    @classmethod
    async def recognize(cls, address: str, port: int) -> Device | None:
        """Return the machine at an open port, None if it is no Avalon."""
        version = await cgminer.glance(address, port, "version")
        if not is_avalon(version) or identity(version) is None:
            return None
        return device(address, version, None)

    async def probe(self) -> Device:
        """Return who it is and what it can do. Raises DeviceFault."""
        version = await self._ask("version")
        help_reply = await cgminer.ask(self._address, self._port, "ascset", "0,help")
        found = device(self._address, version, help_reply)
        self._met(found.uid)
        self._version, self._can = version, found.capabilities
        return found

    async def read(self) -> AsicSample:
        """Look at it once. Raises DeviceFault."""
        names = ("version", "estats", "summary", "pools")
        return sample(*[await self._ask(name) for name in names])

    async def pause(self) -> None:
        """Let it go off softly. Raises DeviceFault."""
        await self._soft("softoff", "pause")

    async def resume(self) -> None:
        """Let it go on. Raises DeviceFault."""
        await self._soft("softon", "resume")

    async def set(self, to: Setting) -> None:
        """Set the work mode by its name. Raises DeviceFault."""
        numbers = {name: number for number, (name, _) in modes(self._version).items()}
        if not self._can.steps or to not in numbers:
            raise refused(self._address, f"set {to}", "it is none of its work modes")
        await self._ascset(f"0,workmode,set,{numbers[str(to)]}", f"set {to}")

    async def restart(self) -> None:
        """Reboot it. Raises DeviceFault."""
        if not self._can.can_restart:
            raise refused(self._address, "restart", "it has no such command")
        await self._ascset("0,reboot,0", "restart", silent=True)

    async def _soft(self, word: str, what: str) -> None:
        if not self._can.can_pause:
            raise refused(self._address, what, "it has no soft-off")
        version = await self._who()
        now = count(dig(version, "STATUS", 0, "When"))
        if now is None:
            raise unreadable(self._address, "version does not say its time")
        await self._ascset(f"0,{word},1:{now + _SOON_S}", what, silent=True)

    async def _ascset(self, parameter: str, what: str, *, silent: bool = False) -> None:
        """Set something; `silent`: it may hang up instead of answering."""
        await self._who()
        try:
            answer = await cgminer.ask(self._address, self._port, "ascset", parameter)
        except DeviceFault:
            if silent:
                return
            raise
        cgminer.succeeded(self._address, what, answer)

    async def _who(self) -> dict[str, Any]:
        version = await self._ask("version")
        self._same(identity(version))
        return version
