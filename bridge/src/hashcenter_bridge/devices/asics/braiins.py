"""Braiins OS from 23.03 on: its public REST API, behind a login.

    POST /api/v1/auth/login -> token      GET miner/details, miner/stats, cooling/state, pools/
    PUT performance/power-target {"watt": N}      PUT actions/pause, resume, start, reboot

The knob is the tuner's power target, which is stored and acts without a restart. It is a target:
real machines draw a few percent more or less (3031 W asked, 3137 W drawn), and the watts told are
the firmware's own estimate. Source: the vendor's OpenAPI 1.3 (26.04).
"""

from typing import Any, Final, Literal

from ...plugin import PluginContext
from ...wire.messages import Device
from ...wire.values import Activity, Capabilities, DeviceKind, PowerSource, Readings, WattRange
from ..asic import AsicConfig, AsicFault, AsicSample, Pool, Setting
from ..transports import login_failed, refused, unreadable, web
from ..transports.machine import WebMachine
from ..transports.reply import (
    amount,
    count,
    dig,
    highest,
    mac,
    number,
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
#: MinerStatus of the vendor's protocol.
_NOT_STARTED, _NORMAL, _PAUSED, _SUSPENDED, _RESTRICTED = 1, 2, 3, 4, 5
_CHIP: Final = 1
_BY_POWER: Final = 1
_STARTS_WITHIN_S: Final = 600.0
_MOST_FAULTS: Final = 3


def identity(details: Any) -> str | None:
    """Return the MAC in `GET miner/details`."""
    return mac(dig(details, "mac_address"))


def target_w(configuration: Any) -> float | None:
    """Return the power target in `GET configuration/miner`, None where it tunes otherwise."""
    tuner = dig(configuration, "tuner")
    if truth(dig(tuner, "enabled")) is not True:
        return None
    return positive(dig(tuner, "power_target", "watt"))


def device(address: str, details: Any, configuration: Any, constraints: Any) -> Device:
    """Return who it is and what it can do. Raises DeviceFault when it does not say its MAC."""
    uid = identity(details)
    if uid is None:
        raise unreadable(address, "miner/details has no mac_address")
    now_w = target_w(configuration)
    return Device(
        uid=uid,
        kind=DeviceKind.ASIC,
        name=string(dig(details, "hostname")) or "Braiins OS",
        model=string(dig(details, "miner_identity", "miner_model"))
        or string(dig(details, "miner_identity", "name")),
        firmware=string(dig(details, "bos_version", "current")),
        mac=uid,
        url=f"http://{address}",
        capabilities=Capabilities(
            readings=_READS,
            power_source=PowerSource.ESTIMATED,
            power_limit=_range(now_w, constraints),
            can_pause=True,
            can_restart=True,
            stored=True,
            idle_w=30.0,
            nominal_w=now_w,
            settle_s=300.0,
            start_s=240.0,
        ),
    )


def _range(now_w: float | None, constraints: Any) -> WattRange | None:
    """Return the knob: from the firmware's least up to what the machine was set or built for."""
    limits = dig(constraints, "tuner_constraints", "power_target")
    least, built, most = (positive(dig(limits, name, "watt")) for name in ("min", "default", "max"))
    if now_w is None or least is None or most is None:
        return None
    most = min(most, max(built or 0.0, now_w))
    return WattRange(min_w=least, max_w=most, default_w=built) if least < most else None


def sample(
    details: Any, stats: Any, tuner: Any, configuration: Any, cooling: Any, pool_groups: Any
) -> AsicSample:
    """Return one look at it, from six of its replies. Hash rates come in GH/s."""
    work = dig(stats, "miner_stats")
    rate_ghs = _rate_ghs(work)
    expected_ghs = amount(dig(work, "nominal_hashrate", "gigahash_per_second"))
    sensor = dig(cooling, "highest_temperature")
    hottest = positive(dig(sensor, "temperature", "degree_c"))
    fans = rows(cooling, "fans")
    ratio = highest(*(fan.get("target_speed_ratio") for fan in fans))
    shares = dig(stats, "pool_stats")
    readings = Readings(
        power_w=positive(dig(stats, "power_stats", "approximated_consumption", "watt")),
        temp_c=hottest,
        chip_temp_c=hottest if count(dig(sensor, "location")) == _CHIP else None,
        fan_percent=None if ratio is None else round(ratio * 100, 1),
        fan_rpm=highest(*(fan.get("rpm") for fan in fans)),
        hash_rate_mhs=None if rate_ghs is None else rate_ghs * 1000,
        expected_hash_rate_mhs=None if expected_ghs is None else expected_ghs * 1000,
        shares_accepted_total=count(dig(shares, "accepted_shares")),
        shares_rejected_total=count(dig(shares, "rejected_shares")),
        best_share=positive(dig(shares, "best_share")),
    )
    asked_w = target_w(configuration)
    scaled_w = positive(dig(tuner, "mode_state", "powertargetmodestate", "current_target", "watt"))
    return AsicSample(
        readings=readings,
        activity=_activity(details, rate_ghs, pools(pool_groups)),
        setting=asked_w,
        pools=pools(pool_groups),
        mac=identity(details),
        uptime_s=amount(dig(details, "system_uptime_s")),
        protecting=(
            f"it scales itself down to {scaled_w:.0f} W (dynamic performance scaling)"
            if asked_w and scaled_w and scaled_w < asked_w
            else None
        ),
        faults=_suspended(details),
    )


def _rate_ghs(work: Any) -> float | None:
    for window in ("last_15s", "last_30s", "last_1m", "last_5m"):
        found = amount(dig(work, "real_hashrate", window, "gigahash_per_second"))
        if found is not None:
            return found
    return None


def _activity(details: Any, rate_ghs: float | None, known: tuple[Pool, ...]) -> Activity:
    status = count(dig(details, "status"))
    if status == _PAUSED:
        return Activity.PAUSED
    if status == _NOT_STARTED:
        return Activity.OFF
    if status == _SUSPENDED:
        return Activity.FAULT
    if rate_ghs:
        return Activity.HASHING
    if known and not any(pool.connected for pool in known):
        return Activity.IDLE
    working_s = number(dig(details, "bosminer_uptime_s")) or 0.0
    return Activity.STARTING if working_s < _STARTS_WITHIN_S else Activity.IDLE


def pools(groups: Any) -> tuple[Pool, ...]:
    """Return the pools of all groups, in their order."""
    listed = groups if isinstance(groups, list) else []
    return tuple(
        Pool(
            url=url,
            worker=string(pool.get("user")) or "",
            active=truth(pool.get("active")) is True,
            connected=truth(pool.get("alive")),
        )
        for group in listed
        for pool in rows(group, "pools")
        if truth(pool.get("enabled")) is not False and (url := string(pool.get("url")))
    )


def _suspended(details: Any) -> tuple[AsicFault, ...]:
    if count(dig(details, "status")) != _SUSPENDED:
        return ()
    return (AsicFault("suspended", "Its firmware stopped it because of an error (suspended)."),)


def errors(listed: Any) -> tuple[AsicFault, ...]:
    """Return the last few different errors that carry a code, in `GET miner/errors`."""
    found: dict[str, AsicFault] = {}
    for error in reversed(rows(listed, "errors")):
        for coded in rows(error, "error_codes"):
            code = string(coded.get("code"))
            if code and code not in found and len(found) < _MOST_FAULTS:
                reason = string(coded.get("reason")) or string(error.get("message")) or ""
                found[code] = AsicFault(f"vendor_{code.lower()}", f"{reason} ({code}).")
    return tuple(found.values())


class Plugin(WebMachine):
    """One ASIC with Braiins OS. `[[asic]]` with `plugin = "braiins"`."""

    ports = (80,)

    class Config(AsicConfig):
        """Its user is `root`, without a password unless its owner set one."""

        plugin: Literal["braiins"] = "braiins"

    def __init__(self, config: Config, _context: PluginContext) -> None:
        super().__init__(config)
        self._config = config
        self._range: WattRange | None = None
        self._rest = TokenWeb(self._web, self._login, lambda token: {"Authorization": token})

    @classmethod
    async def recognize(cls, address: str, port: int) -> Device | None:
        """Return the machine at an open port; it tells its MAC only to those who log in."""
        page = await web.glance(address, port, "/", within_s=1.4)
        if page is None or "Braiins" not in page.text:
            return None
        version = await web.glance(address, port, f"{_API}/version/", within_s=1.4)
        if count(dig(version.body if version else None, "major")) is None:
            return None
        return Device(uid=address, kind=DeviceKind.ASIC, name="Braiins OS", url=f"http://{address}")

    async def probe(self) -> Device:
        """Return who it is and what it can do. Raises DeviceFault."""
        details = await self._get("miner/details")
        configuration = await self._get("configuration/miner")
        constraints = await self._get("configuration/constraints")
        found = device(self._address, details, configuration, constraints)
        self._met(found.uid)
        before, limits = self._range, found.capabilities.power_limit
        if before and limits and before.max_w > limits.max_w:
            # Its owner had it higher; that we set it lower since is no new limit.
            limits = limits.model_copy(update={"max_w": before.max_w})
        self._range = limits
        changed = found.capabilities.model_copy(update={"power_limit": limits})
        return found.model_copy(update={"capabilities": changed})

    async def read(self) -> AsicSample:
        """Look at it once. Raises DeviceFault."""
        details = await self._get("miner/details")
        found = sample(
            details,
            await self._get("miner/stats"),
            await self._get("performance/tuner-state"),
            await self._get("configuration/miner"),
            await self._get("cooling/state"),
            await self._get("pools/"),
        )
        if found.activity is not Activity.FAULT:
            return found
        # Its errors are a long story; they are asked for when one stands in the way.
        told = errors(await self._get("miner/errors"))
        return AsicSample(**{**vars(found), "faults": (*found.faults, *told)})

    async def pause(self) -> None:
        """Stop hashing. Raises DeviceFault."""
        await self._put("actions/pause", "pause")

    async def resume(self) -> None:
        """Hash again; one whose mining was stopped is started. Raises DeviceFault."""
        stopped = count(dig(await self._get("miner/details"), "status")) == _NOT_STARTED
        await self._put("actions/start" if stopped else "actions/resume", "resume")

    async def set(self, to: Setting) -> None:
        """Set the power target in watts. Raises DeviceFault."""
        limits = self._range
        if limits is None or isinstance(to, str) or not limits.min_w <= to <= limits.max_w:
            raise refused(self._address, f"set {to}", "that is no power target it allows")
        await self._put("performance/power-target", f"set {to:.0f} W", {"watt": round(to)})

    async def restart(self) -> None:
        """Reboot it. Raises DeviceFault."""
        await self._put("actions/reboot", "restart")
        self._rest.forget()

    async def _get(self, path: str) -> Any:
        answer = await self._rest.get(f"{_API}/{path}")
        if answer.status != 200 or answer.body is None:
            raise unreadable(self._address, f"{path} has status {answer.status} and no JSON")
        return answer.body

    async def _put(self, path: str, what: str, body: Any = None) -> None:
        answer = await self._rest.write("PUT", f"{_API}/{path}", body)
        if answer.status >= 400:
            raise refused(self._address, what, f"status {answer.status}: {answer.text}")

    async def _who(self) -> None:
        self._same(identity(await self._get("miner/details")))

    async def _login(self) -> str:
        body = {"username": self._config.username or "root", "password": self._config.password()}
        answer = await self._web.ask("POST", f"{_API}/auth/login", body)
        token = string(dig(answer.body, "token"))
        if token is None:
            raise login_failed(self._address)
        return token
