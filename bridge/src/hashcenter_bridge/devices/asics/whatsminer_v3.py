"""Whatsminer with API 3 (firmware from November 2024 on): framed JSON on TCP 4433.

    <length: 4 bytes, little-endian>{"cmd": "get.miner.status", "param": "summary"} -> {"code": 0}
    set.miner.power_percent {"percent": "60", "mode": "normal"}    set.miner.service "stop", "start"

The knob is the percent of the machine's own power limit, without a reboot. Who it is, the salt and
the write all go over one connection. Source: the vendor's API 3.0.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Literal

from ...plugin import PluginContext
from ...wire.messages import Device
from ...wire.values import Activity, Capabilities, DeviceKind, PercentRange, PowerSource, Readings
from ..asic import AsicConfig, AsicFault, AsicSample, Pool, Setting
from ..transports import (
    ANSWER_WITHIN_S,
    CONNECT_WITHIN_S,
    MAX_ANSWER_BYTES,
    because,
    login_failed,
    refused,
    unreachable,
    unreadable,
)
from ..transports.machine import Machine
from ..transports.reply import (
    amount,
    count,
    dig,
    highest,
    mac,
    parse,
    positive,
    rows,
    string,
    truth,
)
from ..transports.whatsminer import v3_token

PORT: Final = 4433
_READS: Final = (
    "power_w", "temp_c", "chip_temp_c", "inlet_temp_c", "fan_rpm", "hash_rate_mhs",
    "expected_hash_rate_mhs",
)  # fmt: skip
_LEAST_PERCENT: Final = 40.0
_STARTS_WITHIN_S: Final = 900.0
_NO_WRITES: Final = (
    "its write API is off: turn it on in WhatsMinerTool (Remote Ctrl, Miner API Switch)"
)


def identity(info: Any) -> str | None:
    """Return the MAC in `get.device.info`."""
    return mac(dig(info, "msg", "network", "mac"))


def device(address: str, info: Any, summary: Any) -> Device:
    """Return who it is and what it can do. Raises DeviceFault when it does not say its MAC."""
    uid = identity(info)
    if uid is None:
        raise unreadable(address, "get.device.info has no mac")
    full_w = positive(dig(summary, "msg", "summary", "power-limit"))
    return Device(
        uid=uid,
        kind=DeviceKind.ASIC,
        name=string(dig(info, "msg", "network", "hostname")) or "Whatsminer",
        model=string(dig(info, "msg", "miner", "type")),
        firmware=string(dig(info, "msg", "system", "fwversion")),
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


def sample(info: Any, summary: Any, pools: Any, setting: Any) -> AsicSample:
    """Return one look at it. Hash rates come in TH/s."""
    row = dig(summary, "msg", "summary")
    rate_ths, factory_ths = amount(dig(row, "hash-realtime")), amount(dig(row, "factory-hash"))
    boards = dig(row, "board-temperature")
    readings = Readings(
        power_w=positive(dig(row, "power-realtime")),
        temp_c=highest(*boards) if isinstance(boards, list) else positive(boards),
        chip_temp_c=positive(dig(row, "chip-temp-max")),
        inlet_temp_c=positive(dig(row, "environment-temperature")),
        fan_rpm=highest(dig(row, "fan-speed-in"), dig(row, "fan-speed-out")),
        hash_rate_mhs=None if rate_ths is None else rate_ths * 1e6,
        expected_hash_rate_mhs=None if factory_ths is None else factory_ths * 1e6,
    )
    known = _pools(pools)
    idle = bool(known) and not any(pool.connected for pool in known)
    elapsed_s = amount(dig(row, "elapsed"))
    stopped = truth(dig(info, "msg", "miner", "working")) is False
    return AsicSample(
        readings=readings,
        activity=Activity.PAUSED if stopped else _activity(rate_ths, elapsed_s, idle=idle),
        setting=percent(setting),
        pools=known,
        mac=identity(info),
        uptime_s=amount(dig(row, "bootup-time")),
        mining_s=elapsed_s,
        faults=_faults(info),
    )


def percent(setting: Any) -> float | None:
    """Return where the knob stands; a machine that was never turned down says 0."""
    told = dig(setting, "msg", "power-percent")
    return None if told is None else amount(told) or 100.0


def _activity(rate_ths: float | None, elapsed_s: float | None, *, idle: bool) -> Activity:
    if rate_ths:
        return Activity.HASHING
    if idle:
        return Activity.IDLE
    return Activity.STARTING if (elapsed_s or 0.0) < _STARTS_WITHIN_S else Activity.IDLE


def _pools(pools: Any) -> tuple[Pool, ...]:
    return tuple(
        Pool(
            url=url,
            worker=string(row.get("account")) or "",
            active=truth(row.get("stratum-active")) is True,
            connected=row.get("status") == "alive" if row.get("status") else None,
        )
        for row in rows(pools, "msg", "pools")
        if (url := string(row.get("url")))
    )


def _faults(info: Any) -> tuple[AsicFault, ...]:
    """Return the vendor's error codes: {"530": "when", "reason": "words"} each."""
    found = []
    for row in rows(info, "msg", "error-code"):
        words = string(row.get("reason"))
        for code in row:
            if code.isdigit():
                text = words or "Whatsminer reports an error"
                found.append(AsicFault(f"vendor_{code}", f"{text} ({code})."))
    return tuple(found)


class _Line:
    """One connection, over which one request after the other is answered."""

    def __init__(
        self, address: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._address = address
        self._reader = reader
        self._writer = writer

    async def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the reply to a request. Raises DeviceFault, OSError, TimeoutError."""
        raw = json.dumps(request).encode()
        self._writer.write(len(raw).to_bytes(4, "little") + raw)
        try:
            length = int.from_bytes(await self._reader.readexactly(4), "little")
            if not 0 < length <= MAX_ANSWER_BYTES:
                raise unreadable(self._address, f"it says it is {length} bytes long")
            answer = parse(await self._reader.readexactly(length))
        except asyncio.IncompleteReadError:
            raise unreachable(self._address, "the connection was closed in mid-answer") from None
        except ValueError as err:
            raise unreadable(self._address, str(err)) from None
        if not isinstance(answer, dict):
            raise unreadable(self._address, "it is no object")
        return answer


@asynccontextmanager
async def line_to(
    address: str, port: int, within_s: float = ANSWER_WITHIN_S
) -> AsyncIterator[_Line]:
    """Connect for as long as the block lasts. Raises DeviceFault."""
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(within_s):
            async with asyncio.timeout(min(CONNECT_WITHIN_S, within_s)):
                reader, writer = await asyncio.open_connection(address, port)
            yield _Line(address, reader, writer)
    except (OSError, TimeoutError) as err:
        raise unreachable(address, because(err)) from None
    finally:
        if writer is not None:
            writer.transport.abort()


class Plugin(Machine):
    """One Whatsminer with API 3. `[[asic]]` with `plugin = "whatsminer_v3"`."""

    ports = (PORT,)

    class Config(AsicConfig):
        """Its account is `super`; the vendor's password is `super` as well."""

        plugin: Literal["whatsminer_v3"] = "whatsminer_v3"

    def __init__(self, config: Config, _context: PluginContext) -> None:
        super().__init__(config)
        self._config = config
        self._port = config.port or PORT
        self._percent: PercentRange | None = None

    @classmethod
    async def recognize(cls, address: str, port: int) -> Device | None:
        """Return the machine at an open port, None if it is no Whatsminer of API 3."""
        try:
            async with line_to(address, port, within_s=2.5) as line:
                info = await line.ask({"cmd": "get.device.info"})
        except Exception:  # noqa: BLE001 - whoever is scanned may send anything
            return None
        return None if identity(info) is None else device(address, info, None)

    async def probe(self) -> Device:
        """Return who it is and what it can do. Raises DeviceFault."""
        async with line_to(self._address, self._port) as line:
            info = await self._told(line, "get.device.info")
            summary = await self._told(line, "get.miner.status", "summary")
        found = device(self._address, info, summary)
        self._met(found.uid)
        self._percent = found.capabilities.percent
        return found

    async def read(self) -> AsicSample:
        """Look at it once. Raises DeviceFault."""
        async with line_to(self._address, self._port) as line:
            return sample(
                await self._told(line, "get.device.info"),
                await self._told(line, "get.miner.status", "summary"),
                await self._told(line, "get.miner.status", "pools"),
                await self._told(line, "get.miner.setting"),
            )

    async def pause(self) -> None:
        """Stop hashing; its control board stays on. Raises DeviceFault."""
        await self._write("set.miner.service", "stop", "pause")

    async def resume(self) -> None:
        """Hash again. Raises DeviceFault."""
        await self._write("set.miner.service", "start", "resume")

    async def set(self, to: Setting) -> None:
        """Set the percent of its own power limit. Raises DeviceFault."""
        knob = self._percent
        if knob is None or isinstance(to, str) or not knob.min_percent <= to <= knob.max_percent:
            raise refused(self._address, f"set {to}", "that is no percentage it can be set to")
        # Firmware reads the number as text, whatever its document says.
        param = {"percent": f"{to:.0f}", "mode": "normal"}
        await self._write("set.miner.power_percent", param, f"set {to:.0f} %")

    async def restart(self) -> None:
        """Reboot it. Raises DeviceFault."""
        await self._write("set.system.reboot", None, "restart")

    async def _told(self, line: _Line, command: str, param: str | None = None) -> dict[str, Any]:
        request: dict[str, Any] = {"cmd": command}
        if param is not None:
            request["param"] = param
        answer = await line.ask(request)
        if count(dig(answer, "code")) != 0:
            raise refused(self._address, f"answer {command}", str(dig(answer, "msg")))
        return answer

    async def _write(self, command: str, param: Any, what: str) -> None:
        async with line_to(self._address, self._port) as line:
            info = await self._told(line, "get.device.info")
            self._same(identity(info))
            salt = string(dig(info, "msg", "salt"))
            if salt is None:
                raise unreadable(self._address, "get.device.info has no salt")
            # By the machine's own clock, which need not be right.
            now = count(info.get("when")) or int(time.time())
            password = self._config.password("super")
            request = {
                "cmd": command,
                "ts": now,
                "account": self._config.username or "super",
                "token": v3_token(command, password, salt, now),
            }
            answer = await line.ask(request if param is None else {**request, "param": param})
        if answer.get("code") == 0:
            return
        words = str(dig(answer, "msg"))[:150]
        if any(word in words.lower() for word in ("token", "auth", "permission", "access")):
            raise login_failed(self._address, f"{words}; or {_NO_WRITES}")
        raise refused(self._address, what, words)
