"""Whatsminer with API 2 (firmware before November 2024): JSON on TCP 4028, writes encrypted.

    summary, status, pools, get_version, get_error_code        power_off, power_on, reboot
    set_power_pct_v2 {"percent": "60"}

The knob is the percent of the machine's own power limit: temporary, gradual and without a reboot
(`adjust_power_limit` would reboot it). The owner has to turn the write API on once, in the vendor's
tool. Source: the vendor's API 2.0.5, recorded replies.
"""

from typing import Any, Final, Literal

from ...errors import DeviceFault
from ...plugin import PluginContext
from ...wire.messages import Device
from ...wire.values import Activity, Capabilities, DeviceKind, PercentRange, PowerSource, Readings
from ..asic import AsicConfig, AsicFault, AsicSample, Setting
from ..transports import cgminer, login_failed, refused, unreadable
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
from ..transports.whatsminer import Seal

_READS: Final = (
    "power_w", "chip_temp_c", "inlet_temp_c", "fan_rpm", "hash_rate_mhs",
    "expected_hash_rate_mhs", "shares_accepted_total", "shares_rejected_total", "best_share",
)  # fmt: skip
#: The vendor takes 0 to 100; chips work badly long before 0.
_LEAST_PERCENT: Final = 40.0
_STARTS_WITHIN_S: Final = 900.0
_NO_WRITES: Final = (
    "its write API is off: turn it on in WhatsMinerTool (Remote Ctrl, Miner API Switch)"
)


def identity(summary: Any) -> str | None:
    """Return the MAC in `summary` or `get_miner_info`."""
    return mac(dig(summary, "SUMMARY", 0, "MAC")) or mac(dig(summary, "Msg", "mac"))


def device(address: str, summary: Any, version: Any, details: Any) -> Device:
    """Return who it is and what it can do. Raises DeviceFault when it does not say its MAC."""
    uid = identity(summary)
    if uid is None:
        raise unreadable(address, "summary has no MAC")
    full_w = limit_w(summary)
    return Device(
        uid=uid,
        kind=DeviceKind.ASIC,
        name="Whatsminer",
        model=string(dig(details, "DEVDETAILS", 0, "Model")) or "Whatsminer",
        firmware=string(dig(version, "Msg", "fw_ver")),
        mac=uid,
        url=f"http://{address}",
        capabilities=Capabilities(
            readings=_READS,
            power_source=PowerSource.MEASURED,
            percent=PercentRange(min_percent=_LEAST_PERCENT, full_w=full_w) if full_w else None,
            can_pause=True,
            can_restart=True,
            idle_w=35.0,
            nominal_w=full_w,
            settle_s=300.0,
            start_s=600.0,
        ),
    )


def limit_w(summary: Any) -> float | None:
    """Return the machine's own power limit in watts."""
    return positive(dig(summary, "SUMMARY", 0, "Power Limit"))


def sample(summary: Any, status: Any, pools: Any, errors: Any = None) -> AsicSample:
    """Return one look at it. Hash rates come in MH/s, the factory's in GH/s."""
    row = dig(summary, "SUMMARY", 0)
    accepted, rejected = cgminer.shares(summary)
    factory_ghs = amount(dig(row, "Factory GHS"))
    rate_mhs = amount(dig(row, "HS RT"))
    if rate_mhs is None:
        rate_mhs = cgminer.hash_rate_mhs(summary)
    readings = Readings(
        power_w=positive(dig(row, "Power")),
        chip_temp_c=positive(dig(row, "Chip Temp Max")),
        inlet_temp_c=positive(dig(row, "Env Temp")),
        fan_rpm=highest(dig(row, "Fan Speed In"), dig(row, "Fan Speed Out")),
        hash_rate_mhs=rate_mhs,
        expected_hash_rate_mhs=None if factory_ghs is None else factory_ghs * 1000,
        shares_accepted_total=accepted,
        shares_rejected_total=rejected,
        best_share=positive(dig(row, "Best Share")),
    )
    known = cgminer.pools(pools)
    idle = bool(known) and not any(pool.connected for pool in known)
    return AsicSample(
        readings=readings,
        activity=_activity(row, status, rate_mhs, idle=idle),
        setting=percent(status),
        pools=known,
        mac=identity(summary),
        uptime_s=amount(dig(row, "Uptime")),
        faults=faults(errors),
    )


def percent(status: Any) -> float | None:
    """Return where the knob stands; a machine that was never turned down says 0 or nothing."""
    told = dig(status, "Msg", "hash_percent")
    return None if told is None else amount(told) or 100.0


def _activity(row: Any, status: Any, rate_mhs: float | None, *, idle: bool) -> Activity:
    off = dig(status, "Msg", "mineroff")
    if truth(off if off is not None else dig(status, "Msg", "btmineroff")):
        return Activity.PAUSED
    if rate_mhs:
        return Activity.HASHING
    if idle:
        return Activity.IDLE
    return (
        Activity.STARTING
        if (amount(dig(row, "Elapsed")) or 0.0) < _STARTS_WITHIN_S
        else Activity.IDLE
    )


def faults(errors: Any) -> tuple[AsicFault, ...]:
    """Return the vendor's error codes in `get_error_code`; the document explains each."""
    return tuple(
        AsicFault(f"vendor_{code}", f"Whatsminer error {code} (the vendor's list explains it).")
        for row in rows(errors, "Msg", "error_code")
        for code in row
    )


class Plugin(ApiMachine):
    """One Whatsminer with API 2. `[[asic]]` with `plugin = "whatsminer_v2"`."""

    ports = (4028,)

    class Config(AsicConfig):
        """Its account is `admin`; the vendor's password is `admin` as well."""

        plugin: Literal["whatsminer_v2"] = "whatsminer_v2"

    def __init__(self, config: Config, _context: PluginContext) -> None:
        super().__init__(config)
        self._config = config
        self._percent: PercentRange | None = None

    @classmethod
    async def recognize(cls, address: str, port: int) -> Device | None:
        """Return the machine at an open port, None if it is no Whatsminer of API 2."""
        version = await cgminer.glance(address, port, "get_version")
        api = string(dig(version, "Msg", "api_ver")) or ""
        if not api or api.startswith("3"):
            return None
        summary = await cgminer.glance(address, port, "summary")
        return None if identity(summary) is None else device(address, summary, version, None)

    async def probe(self) -> Device:
        """Return who it is and what it can do. Raises DeviceFault."""
        summary = await self._ask("summary")
        details = await cgminer.ask(self._address, self._port, "devdetails")
        found = device(self._address, summary, await self._ask("get_version"), details)
        self._met(found.uid)
        self._percent = found.capabilities.percent
        return found

    async def read(self) -> AsicSample:
        """Look at it once. Raises DeviceFault."""
        names = ("summary", "status", "pools", "get_error_code")
        return sample(*[await self._ask(name) for name in names])

    async def pause(self) -> None:
        """Stop hashing; its control board stays on. Raises DeviceFault."""
        await self._write({"cmd": "power_off", "respbefore": "true"}, "pause")

    async def resume(self) -> None:
        """Hash again. Raises DeviceFault."""
        await self._write({"cmd": "power_on"}, "resume")

    async def set(self, to: Setting) -> None:
        """Set the percent of its own power limit, until its next reboot. Raises DeviceFault."""
        knob = self._percent
        if knob is None or isinstance(to, str) or not knob.min_percent <= to <= knob.max_percent:
            raise refused(self._address, f"set {to}", "that is no percentage it can be set to")
        await self._write({"cmd": "set_power_pct_v2", "percent": f"{to:.0f}"}, f"set {to:.0f} %")

    async def restart(self) -> None:
        """Reboot it. Raises DeviceFault."""
        await self._write({"cmd": "reboot"}, "restart")

    async def _write(self, command: dict[str, Any], what: str) -> None:
        self._same(identity(await self._ask("summary")))
        told = await cgminer.ask(self._address, self._port, "get_token")
        seal = Seal.from_token(told, self._config.password("admin"))
        if seal is None:
            raise DeviceFault(
                "login_failed",
                f"{self._address} gives no token ({cgminer.status(told)[1][:100] or _NO_WRITES})",
            )
        # The documents say `cmd`, firmware understands `command` as well as `cmd`.
        request = seal.closed({**command, "command": command["cmd"]})
        sealed = await cgminer.ask_object(self._address, self._port, request)
        answer = seal.opened(sealed)
        if answer is None:
            raise login_failed(self._address)
        letter, words = cgminer.status(answer)
        if letter in {"S", "I", "W"}:
            return
        if "access" in words.lower():
            raise refused(self._address, what, _NO_WRITES)
        if any(word in words.lower() for word in ("token", "enc json", "decrypt")):
            raise login_failed(self._address, words)
        raise refused(self._address, what, words or "it gave no reason")
