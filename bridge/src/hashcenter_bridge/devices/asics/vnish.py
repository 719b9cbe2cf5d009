"""VNish (AnthillOS): its REST API, behind a password.

    POST /api/v1/unlock {"pw": ...} -> token      GET info, summary, perf-summary
    POST mining/pause, mining/resume, mining/throttle {"percent": 20..100}, system/reboot

From 1.3.3 on the knob is the throttle, in percent of the preset: temporary and without a restart,
it takes about 80 s. Older firmware has presets only, which are stored and restart the mining.
Source: the vendor's OpenAPI (1.3.4).
"""

import re
from typing import Any, Final, Literal

from ...errors import DeviceFault
from ...plugin import PluginContext
from ...wire.messages import Device
from ...wire.values import (
    Activity,
    Capabilities,
    DeviceKind,
    PercentRange,
    PowerSource,
    PowerStep,
    Readings,
)
from ..asic import AsicConfig, AsicFault, AsicSample, Pool, Setting
from ..transports import login_failed, refused, unreadable, web
from ..transports.machine import WebMachine
from ..transports.reply import (
    amount,
    count,
    dig,
    highest,
    mac,
    positive,
    rows,
    string,
    truth,
)
from ..transports.token import TokenWeb

_API: Final = "/api/v1"
_READS: Final = (
    "power_w", "temp_c", "chip_temp_c", "fan_percent", "fan_rpm", "hash_rate_mhs",
    "expected_hash_rate_mhs", "shares_accepted_total", "shares_rejected_total", "best_share",
)  # fmt: skip
_THROTTLES_FROM: Final = (1, 3, 3)
_LEAST_PERCENT: Final = 20.0
_UNITS: Final = {"GH/s": 1e3, "MH/s": 1.0}
_STATES: Final = {
    "initializing": Activity.STARTING,
    "starting": Activity.STARTING,
    "restarting": Activity.STARTING,
    "shutting-down": Activity.PAUSED,
    "stopped": Activity.PAUSED,
    "paused": Activity.PAUSED,
    "failure": Activity.FAULT,
}


def identity(info: Any) -> str | None:
    """Return the MAC in `GET info`."""
    return mac(dig(info, "system", "network_status", "mac"))


def is_vnish(info: Any) -> bool:
    """Tell whether it is VNish that answers `GET info`."""
    return identity(info) is not None and string(dig(info, "fw_version")) is not None


def version(info: Any) -> tuple[int, ...]:
    """Return the firmware's version as numbers, empty if it does not say."""
    return tuple(
        int(part) for part in re.findall(r"\d+", string(dig(info, "fw_version")) or "")[:3]
    )


def device(address: str, info: Any, summary: Any, performance: Any, presets: Any) -> Device:
    """Return who it is and what it can do. Raises DeviceFault when it does not say its MAC."""
    uid = identity(info)
    if uid is None:
        raise unreadable(address, "info has no mac")
    full_w = preset_w(performance) or positive(dig(summary, "miner", "power_consumption"))
    throttles = version(info) >= _THROTTLES_FROM
    return Device(
        uid=uid,
        kind=DeviceKind.ASIC,
        name=string(dig(info, "system", "network_status", "hostname")) or "VNish",
        model=string(dig(info, "miner")),
        firmware=string(dig(info, "fw_version")),
        mac=uid,
        url=f"http://{address}",
        capabilities=Capabilities(
            readings=_READS,
            power_source=PowerSource.MEASURED if _is_metered(summary) else PowerSource.ESTIMATED,
            percent=(
                PercentRange(min_percent=_LEAST_PERCENT, full_w=full_w)
                if throttles and full_w
                else None
            ),
            steps=() if throttles else steps(presets),
            can_pause=True,
            can_restart=True,
            reboots_on_set=not throttles,
            stored=not throttles,
            idle_w=30.0,
            nominal_w=full_w,
            settle_s=150.0 if throttles else 600.0,
            start_s=240.0,
        ),
    )


def _is_metered(summary: Any) -> bool:
    return truth(dig(summary, "miner", "psu", "psu_power_metering")) is True


def preset_w(performance: Any) -> float | None:
    """Return the watts of the preset in `GET perf-summary`; its name is that number."""
    return positive(dig(performance, "current_preset", "name"))


def steps(presets: Any) -> tuple[PowerStep, ...]:
    """Return the presets that were tuned, the lowest first: its owner has run each before.

    An untuned one would begin with hours of tuning, and some need another power supply.
    """
    known = {
        watts: PowerStep(name=str(row["name"]), power_w=watts)
        for row in rows(presets)
        if row.get("status") == "tuned"
        and truth(row.get("modded_psu_required")) is not True
        and (watts := positive(row.get("name")))
    }
    return tuple(known[watts] for watts in sorted(known))


def sample(info: Any, summary: Any) -> AsicSample:
    """Return one look at it."""
    miner = dig(summary, "miner")
    scale = _UNITS.get(string(dig(info, "hr_measure")) or "", 1e3)
    rate, expected = amount(dig(miner, "hr_realtime")), amount(dig(miner, "hr_nominal"))
    known = pools(miner)
    chosen = rows(miner, "pools")
    counts = [[count(pool.get(name)) or 0 for pool in chosen] for name in ("accepted", "rejected")]
    readings = Readings(
        power_w=positive(dig(miner, "power_consumption")),
        temp_c=positive(dig(miner, "pcb_temp", "max")),
        chip_temp_c=positive(dig(miner, "chip_temp", "max")),
        fan_percent=amount(dig(miner, "cooling", "fan_duty")),
        fan_rpm=highest(*(fan.get("rpm") for fan in rows(miner, "cooling", "fans"))),
        hash_rate_mhs=None if rate is None else rate * scale,
        expected_hash_rate_mhs=None if expected is None else expected * scale,
        shares_accepted_total=sum(counts[0]) if chosen else None,
        shares_rejected_total=sum(counts[1]) if chosen else None,
        best_share=positive(dig(miner, "best_share")),
    )
    status = dig(miner, "miner_status")
    return AsicSample(
        readings=readings,
        activity=_activity(status, rate, idle=bool(known) and not any(p.connected for p in known)),
        setting=_percent(status),
        pools=known,
        mac=identity(info),
        uptime_s=uptime_s(dig(info, "system", "uptime")),
        faults=_faults(status),
    )


def _percent(status: Any) -> float | None:
    """Return the throttle; a firmware that never throttled says 0."""
    throttled = amount(dig(status, "throttled"))
    return None if throttled is None else throttled or 100.0


def _activity(status: Any, rate: float | None, *, idle: bool) -> Activity:
    state = string(dig(status, "miner_state")) or ""
    if state in _STATES:
        return _STATES[state]
    if rate:
        return Activity.HASHING
    return Activity.IDLE if idle else Activity.STARTING


def _faults(status: Any) -> tuple[AsicFault, ...]:
    if string(dig(status, "miner_state")) != "failure":
        return ()
    code = count(dig(status, "failure_code"))
    words = string(dig(status, "description")) or "It stopped because of a failure"
    known = "failure" if code is None else f"vendor_{code}"
    return (AsicFault(known, words if code is None else f"{words} ({code})"),)


def pools(miner: Any) -> tuple[Pool, ...]:
    """Return the owner's pools; the firmware lists its own fee's as well."""
    return tuple(
        Pool(
            url=url,
            worker=string(row.get("user")) or "",
            active=row.get("status") == "active",
            connected=_CONNECTED.get(str(row.get("status"))),
        )
        for row in rows(miner, "pools")
        if row.get("pool_type") in {None, "UserPool"} and (url := string(row.get("url")))
    )


_CONNECTED: Final = {
    "active": True, "working": True, "rejecting": True, "offline": False, "disabled": False,
}  # fmt: skip
_UPTIME: Final = re.compile(r"(?:(\d+)\s*d\w*,?\s*)?(?:(\d+):(\d+)(?::(\d+))?)?\s*$")


def uptime_s(value: Any) -> float | None:
    """Return seconds from a number or "2 days, 3:04:05"; None if it is written otherwise."""
    text = string(value)
    if text is None:
        return amount(value)
    found = _UPTIME.match(text)
    if found is None or not any(found.groups()):
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


class Plugin(WebMachine):
    """One ASIC with VNish. `[[asic]]` with `plugin = "vnish"`."""

    ports = (80,)

    class Config(AsicConfig):
        """Its password is `admin` unless its owner changed it; there is no user."""

        plugin: Literal["vnish"] = "vnish"

    def __init__(self, config: Config, _context: PluginContext) -> None:
        super().__init__(config)
        self._config = config
        self._can = Capabilities()
        self._rest = TokenWeb(
            self._web, self._login, lambda token: {"Authorization": f"Bearer {token}"}
        )

    @classmethod
    async def recognize(cls, address: str, port: int) -> Device | None:
        """Return the machine at an open port, None if it is no VNish."""
        answer = await web.glance(address, port, f"{_API}/info")
        if answer is None or not is_vnish(answer.body):
            return None
        return device(address, answer.body, None, None, None)

    async def probe(self) -> Device:
        """Return who it is and what it can do. Raises DeviceFault."""
        info = await self._get("info")
        uid = identity(info)
        self._met(uid)
        presets = None
        if version(info) < _THROTTLES_FROM:
            presets = (await self._rest.get(f"{_API}/autotune/presets")).body
        found = device(
            self._address,
            info,
            await self._get("summary"),
            await self._get("perf-summary"),
            presets,
        )
        self._can = found.capabilities
        return found

    async def read(self) -> AsicSample:
        """Look at it once. Raises DeviceFault."""
        found = sample(await self._get("info"), await self._get("summary"))
        if not self._can.steps:
            return found
        name = string(dig(await self._get("perf-summary"), "current_preset", "name"))
        return AsicSample(**{**vars(found), "setting": name})

    async def pause(self) -> None:
        """Stop hashing. Raises DeviceFault."""
        await self._post("mining/pause", "pause")

    async def resume(self) -> None:
        """Hash again; one whose mining was stopped is started. Raises DeviceFault."""
        state = string(dig(await self._get("summary"), "miner", "miner_status", "miner_state"))
        await self._post("mining/start" if state == "stopped" else "mining/resume", "resume")

    async def set(self, to: Setting) -> None:
        """Throttle to a percentage, or set a preset by its name. Raises DeviceFault."""
        percent = self._can.percent
        if percent and not isinstance(to, str) and _LEAST_PERCENT <= to <= percent.max_percent:
            await self._post("mining/throttle", f"set {to:.0f} %", {"percent": round(to)})
        elif any(step.name == to for step in self._can.steps):
            await self._set_preset(str(to))
        else:
            raise refused(self._address, f"set {to}", "that is nothing it can be set to")

    async def restart(self) -> None:
        """Reboot it. Raises DeviceFault."""
        await self._post("system/reboot", "restart")
        self._rest.forget()

    async def _set_preset(self, name: str) -> None:
        """Send the overclocking back as it was, with another preset."""
        answer = await self._rest.get(f"{_API}/settings")
        overclock = dig(answer.body, "miner", "overclock")
        if not isinstance(overclock, dict):
            raise unreadable(self._address, "settings have no miner.overclock")
        body = {"miner": {"overclock": {**overclock, "preset": name}}}
        await self._post("settings", f"set {name}", body)
        if truth(dig(await self._get("status"), "restart_required")):
            await self._post("mining/restart", f"set {name}")

    async def _get(self, path: str) -> dict[str, Any]:
        answer = await self._web.get(f"{_API}/{path}")
        return web.readable(self._address, answer, path)

    async def _post(self, path: str, what: str, body: Any = None) -> None:
        answer = await self._rest.write("POST", f"{_API}/{path}", body)
        if answer.status >= 400:
            raise refused(self._address, what, f"status {answer.status}: {answer.text}")

    async def _who(self) -> None:
        self._same(identity(await self._get("info")))

    async def _login(self) -> str:
        # A machine that is not the adopted one is not told the password.
        if self._mac is not None:
            await self._who()
        password = self._config.password("admin")
        answer = await self._web.ask("POST", f"{_API}/unlock", {"pw": password})
        if answer.status == 429:
            raise DeviceFault(
                "login_failed", f"{self._address} takes no more passwords for a while (429)"
            )
        token = string(dig(answer.body, "token"))
        if token is None:
            raise login_failed(self._address)
        return token
