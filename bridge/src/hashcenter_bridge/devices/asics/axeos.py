"""Bitaxe and NerdQAxe: AxeOS over HTTP, without a password.

    GET /api/system/info, /api/system/asic     PATCH /api/system {"frequency": MHz}
    POST /api/system/pause, resume (from v2.14), restart; NerdQAxe: shutdown, ended by restart
    PATCH /api/system {"displayTimeout": minutes} (0: dark, -1: never)

The knob is the frequency, in the firmware's own options up to what it was built or set for; voltage
stays as it is. It acts at once and is stored, a pause is forgotten at a reboot. Overheating makes
the firmware lower its stored frequency by itself. Source: ESP-Miner's OpenAPI (v2.15) and its
`http_server.c`; NerdQAxe's README.
"""

from typing import Any, Final, Literal

from ...errors import DeviceFault
from ...plugin import PluginContext
from ...wire.messages import Device
from ...wire.values import Activity, Capabilities, DeviceKind, PowerSource, PowerStep, Readings
from ..asic import AsicConfig, AsicFault, AsicSample, Pool, Setting
from ..transports import refused, unreadable, web
from ..transports.machine import WebMachine
from ..transports.reply import (
    amount,
    count,
    difficulty,
    dig,
    highest,
    mac,
    number,
    positive,
    rows,
    string,
    truth,
)

_INFO: Final = "/api/system/info"
_READS: Final = (
    "power_w", "temp_c", "chip_temp_c", "regulator_temp_c", "fan_percent", "fan_rpm", "clock_mhz",
    "hash_rate_mhs", "expected_hash_rate_mhs", "shares_accepted_total", "shares_rejected_total",
    "best_share",
)  # fmt: skip
#: Watts of one chip, and the MHz they are drawn at (nameplates of Max, Ultra, Supra, Gamma).
_CHIPS: Final = {
    "BM1397": (12.0, 425.0),
    "BM1366": (10.0, 485.0),
    "BM1368": (13.0, 490.0),
    "BM1370": (15.0, 525.0),
}
_OTHER_CHIP: Final = (15.0, 500.0)
#: Fan, regulator losses and the ESP32, whatever the chips do.
_BOARD_W: Final = 3.0
#: How much of the watts at work follows the frequency; the rest is leakage and the board.
_FOLLOWS: Final = 0.8
_WARMED_UP_S: Final = 120.0
_STARTS_WITHIN_S: Final = 60.0


def identity(info: Any) -> str | None:
    """Return the MAC in `GET /api/system/info`."""
    return mac(dig(info, "macAddr"))


def is_axeos(info: Any) -> bool:
    """Tell whether it is AxeOS that answers `GET /api/system/info`."""
    return string(dig(info, "ASICModel")) is not None and identity(info) is not None


def device(address: str, info: Any, asic: Any, once_mhz: float = 0.0) -> Device:
    """Return who it is and what it can do. Raises DeviceFault when it does not say its MAC.

    `once_mhz` is the highest frequency that its owner had set before we set another.
    """
    uid = identity(info)
    if uid is None:
        raise unreadable(address, f"{_INFO} has no macAddr")
    chip = string(dig(info, "ASICModel"))
    model = string(dig(asic, "deviceModel")) or string(dig(info, "deviceModel"))
    return Device(
        uid=uid,
        kind=DeviceKind.ASIC,
        name=string(dig(info, "hostname")) or "Bitaxe",
        model=" ".join(filter(None, (model or "Bitaxe", chip))),
        firmware=string(dig(info, "version")),
        mac=uid,
        url=f"http://{address}",
        capabilities=capabilities(info, asic, once_mhz),
    )


def capabilities(info: Any, asic: Any, once_mhz: float = 0.0) -> Capabilities:
    """Return what it can be asked and told."""
    steps = frequencies(info, asic, once_mhz)
    now_mhz = positive(dig(info, "frequency"))
    # NerdQAxe stops for good until a restart, which a one-time password may guard.
    otp = truth(dig(info, "otp")) is True
    stops = "shutdown" in info and not otp
    return Capabilities(
        readings=_READS,
        power_source=PowerSource.MEASURED,
        steps=tuple(PowerStep(name=step(mhz), power_w=watts(info, asic, mhz)) for mhz in steps),
        can_pause="miningPaused" in info or stops,
        can_restart=not otp,
        can_darken=display(info) is not None,
        stored=True,
        idle_w=_BOARD_W,
        nominal_w=watts(info, asic, now_mhz) if now_mhz else None,
        settle_s=30.0,
        start_s=90.0 if stops and "miningPaused" not in info else 30.0,
    )


def display(info: Any) -> float | None:
    """Return after how many minutes its screen goes dark (0: it is, -1: never)."""
    return number(dig(info, "displayTimeout"))


def frequencies(info: Any, asic: Any, once_mhz: float = 0.0) -> list[float]:
    """Return the knob's places in MHz, the lowest first, none above what it was set or built for.

    A higher one than its owner ever chose may need more volts than there are.
    """
    now = positive(dig(info, "frequency"))
    built = positive(dig(asic, "defaultFrequency"))
    most = max(filter(None, (now, built, once_mhz)), default=0.0)
    options = dig(asic, "frequencyOptions")
    listed = {positive(option) for option in options} if isinstance(options, list) else set()
    places = {*listed, now, once_mhz or None}
    return sorted(mhz for mhz in places if mhz is not None and mhz <= most)


def step(mhz: float) -> str:
    """Return the name of the knob's place at `mhz`."""
    return f"{mhz:g} MHz"


def watts(info: Any, asic: Any, mhz: float) -> float:
    """Return about what it draws at `mhz`: from what it draws now if it works, else its chips'."""
    now_mhz, now_w = positive(dig(info, "frequency")), positive(dig(info, "power"))
    rate, expected = amount(dig(info, "hashRate")), positive(dig(info, "expectedHashrate"))
    warm = (number(dig(info, "uptimeSeconds")) or 0.0) >= _WARMED_UP_S
    if now_mhz and now_w and rate and warm and (expected is None or rate >= 0.8 * expected):
        return round(now_w * (1 - _FOLLOWS + _FOLLOWS * mhz / now_mhz), 1)
    chips = count(dig(asic, "asicCount")) or count(dig(info, "asicCount")) or 1
    chip_w, chip_mhz = _CHIPS.get(string(dig(info, "ASICModel")) or "", _OTHER_CHIP)
    return round(_BOARD_W + chips * chip_w * (1 - _FOLLOWS + _FOLLOWS * mhz / chip_mhz), 1)


def sample(info: Any) -> AsicSample:
    """Return one look at it. Hash rates come in GH/s."""
    rate_ghs = amount(dig(info, "hashRate"))
    expected_ghs = amount(dig(info, "expectedHashrate"))
    frequency = positive(dig(info, "frequency"))
    hottest = highest(dig(info, "temp"), dig(info, "temp2"))
    readings = Readings(
        power_w=positive(dig(info, "power")),
        temp_c=hottest,
        chip_temp_c=hottest,
        regulator_temp_c=positive(dig(info, "vrTemp")),
        fan_percent=amount(dig(info, "fanspeed")),
        fan_rpm=highest(dig(info, "fanrpm"), dig(info, "fan2rpm")),
        clock_mhz=positive(dig(info, "actualFrequency")) or frequency,
        hash_rate_mhs=None if rate_ghs is None else rate_ghs * 1000,
        expected_hash_rate_mhs=None if expected_ghs is None else expected_ghs * 1000,
        shares_accepted_total=count(dig(info, "sharesAccepted")),
        shares_rejected_total=count(dig(info, "sharesRejected")),
        best_share=difficulty(dig(info, "bestDiff")),
    )
    pools = _pools(info)
    faults = _faults(info)
    hot = any(fault.code == "too_hot" for fault in faults)
    return AsicSample(
        readings=readings,
        activity=_activity(info, rate_ghs, hot=hot),
        setting=step(frequency) if frequency else None,
        pools=pools,
        mac=identity(info),
        uptime_s=amount(dig(info, "uptimeSeconds")),
        protecting="it overheated and lowers its own frequency" if hot else None,
        display=display(info),
        faults=faults,
    )


def _activity(info: Any, rate_ghs: float | None, *, hot: bool) -> Activity:
    if truth(dig(info, "shutdown")):
        return Activity.OFF
    if truth(dig(info, "miningPaused")):
        return Activity.PAUSED
    if rate_ghs:
        return Activity.HASHING
    if hot:
        return Activity.FAULT
    if (number(dig(info, "uptimeSeconds")) or 0.0) < _STARTS_WITHIN_S:
        return Activity.STARTING
    # It draws its watts only while there is work.
    return Activity.STARTING if _connected(info) else Activity.IDLE


def _pools(info: Any) -> tuple[Pool, ...]:
    """Return the first and the fallback pool; the connection is that of the one in use."""
    in_use = "fallbackStratum" if truth(dig(info, "isUsingFallbackStratum")) else "stratum"
    found = []
    for which in ("stratum", "fallbackStratum"):
        if (url := string(dig(info, f"{which}URL"))) is None:
            continue
        port, active = count(dig(info, f"{which}Port")), which == in_use
        found.append(
            Pool(
                url=f"{url}:{port}" if port else url,
                worker=string(dig(info, f"{which}User")) or "",
                active=active,
                connected=_connected(info) if active else None,
            )
        )
    return tuple(found)


def _connected(info: Any) -> bool | None:
    said = [truth(row.get("connected")) for row in rows(info, "stratum", "pools")]
    if known := [one for one in said if one is not None]:
        return any(known)
    words = (string(dig(info, "poolConnectionInfo")) or "").lower()
    if words.startswith(("ipv", "connected")):
        return True
    return False if words.startswith(("not", "disconnected", "connecting")) else None


def _faults(info: Any) -> tuple[AsicFault, ...]:
    found = []
    if number(dig(info, "overheat_mode")):
        found.append(AsicFault("too_hot", "It overheated and protects itself (overheat_mode)."))
    if said := string(dig(info, "power_fault")):
        found.append(AsicFault("power_fault", f"Its power supply reports a fault: {said}."))
    return tuple(found)


class Plugin(WebMachine):
    """One Bitaxe or NerdQAxe. `[[asic]]` with `plugin = "axeos"`."""

    ports = (80,)

    class Config(AsicConfig):
        """AxeOS has no password."""

        plugin: Literal["axeos"] = "axeos"

    def __init__(self, config: Config, _context: PluginContext) -> None:
        super().__init__(config)
        self._steps: dict[str, float] = {}
        self._pauses = True

    @classmethod
    async def recognize(cls, address: str, port: int) -> Device | None:
        """Return the machine at an open port, None if it is no AxeOS."""
        answer = await web.glance(address, port, _INFO)
        if answer is None or not is_axeos(answer.body):
            return None
        return device(address, answer.body, None)

    async def probe(self) -> Device:
        """Return who it is and what it can do. Raises DeviceFault."""
        info = await self._info()
        answer = await self._web.get("/api/system/asic")
        # Firmware before v2.4 does not know it; its frequency then has one place only.
        asic = answer.body if answer.status == 200 else None
        once_mhz = max(self._steps.values(), default=0.0)
        found = device(self._address, info, asic, once_mhz)
        self._met(found.uid)
        self._steps = {step(mhz): mhz for mhz in frequencies(info, asic, once_mhz)}
        self._pauses = "miningPaused" in info
        return found

    async def read(self) -> AsicSample:
        """Look at it once. Raises DeviceFault."""
        return sample(await self._info())

    async def pause(self) -> None:
        """Stop hashing; forgotten at a reboot. Raises DeviceFault."""
        await self._post("pause" if self._pauses else "shutdown", "pause")

    async def resume(self) -> None:
        """Hash again; a NerdQAxe has to restart for it. Raises DeviceFault."""
        await self._post("resume" if self._pauses else "restart", "resume")

    async def set(self, to: Setting) -> None:
        """Set the frequency by its step's name. Raises DeviceFault."""
        mhz = self._steps.get(str(to))
        if mhz is None:
            raise refused(self._address, f"set {to}", "it is none of its frequencies")
        value = int(mhz) if mhz == int(mhz) else mhz
        answer = await self._web.write("PATCH", "/api/system", {"frequency": value})
        self._agreed(answer, f"set {to}")

    async def show(self, display: float) -> None:
        """Set when its screen goes dark, in minutes. Raises DeviceFault."""
        body = {"displayTimeout": round(display)}
        self._agreed(await self._web.write("PATCH", "/api/system", body), "set its screen")

    async def restart(self) -> None:
        """Reboot it. Raises DeviceFault."""
        await self._post("restart", "restart")
        self._web.forget()

    async def _info(self) -> dict[str, Any]:
        answer = await self._web.get(_INFO)
        if answer.status == 401:
            raise refused(self._address, "answer", "it answers only to its own network (401)")
        return web.readable(self._address, answer, _INFO)

    async def _who(self) -> None:
        self._same(identity(await self._info()))

    async def _post(self, action: str, what: str) -> None:
        self._agreed(await self._web.write("POST", f"/api/system/{action}"), what)

    def _agreed(self, answer: web.Answer, what: str) -> None:
        if answer.status == 404:
            raise DeviceFault(
                "refused", f"{self._address} cannot {what}: it needs AxeOS v2.14 or newer"
            )
        if answer.status >= 400:
            raise refused(self._address, what, f"status {answer.status}")
