"""Simulated Whatsminers: an M30S++ with API 2 (TCP 4028) and an M60S with API 3 (TCP 4433).

Built from recorded replies (API 2.0.5) and the vendor's documents (3.0). The percent is temporary.
API 2 encrypts writes with a key from a token that expires; API 3 salts each with a hash.
"""

import asyncio
import base64
import hashlib
import json
import secrets
import time
from typing import Any, ClassVar

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from hashcenter_bridge.devices.transports.md5crypt import md5_crypt

from .machine import Phase, Spec
from .server import Options, Simulator, TcpSimulator

_LONGEST = 64 * 1024


class _Whatsminer(TcpSimulator):
    """What both generations have in common: the machine, its pools, its percent."""

    password: ClassVar[str]
    limit_w: ClassVar[int]

    def __init__(self, options: Options, spec: Spec | None = None) -> None:
        super().__init__(options, spec)
        self.percent = 0
        self.stored: dict[str, Any] = {
            "power_limit": self.limit_w, "power_mode": "Normal", "fast_boot": False,
            "pools": [
                {"url": "stratum+tcp://pool.example:3333", "user": "owner.m30"},
                {"url": "stratum+tcp://second.pool.example:3333", "user": "owner.m30"},
            ],
        }  # fmt: skip

    def settings(self) -> dict[str, Any]:
        """Return what is stored."""
        return dict(self.stored)

    def turn(self, percent: int) -> None:
        """Set the percent of the power limit."""
        if self.does(f"percent {percent}"):
            self.percent = percent
            self.machine.set_target(self.limit_w * percent / 100)

    def service(self, *, on: bool) -> None:
        """Stop or start hashing."""
        if self.does("start" if on else "stop"):
            (self.machine.resume if on else self.machine.pause)()

    def reboot(self) -> None:
        """Reboot; the percent is forgotten."""
        if self.does("reboot"):
            self.percent = 0
            self.machine.set_target(float(self.limit_w), reboot=True)


class WhatsminerV2(_Whatsminer):
    """An M30S++ with API 2.0.5."""

    protocol: ClassVar[str] = "whatsminer_v2"
    spec: ClassVar[Spec] = Spec(
        model="M30S++_VG40", firmware="20230803.11.REL", full_w=3300.0, lowest_w=1300.0,
        idle_w=30.0, hash_ths=112.0, boot_s=150.0, down_s=40.0, rise_s=50.0, pause_s=3.0,
        meter_lag_s=5.0, rise_c=50.0, trip_c=105.0,
    )  # fmt: skip
    password: ClassVar[str] = "admin"
    limit_w: ClassVar[int] = 3300

    def __init__(self, options: Options, spec: Spec | None = None) -> None:
        super().__init__(options, spec)
        self.write_api = True
        self._tokens: dict[str, tuple[bytes, float]] = {}

    def _told(self, message: Any, letter: str = "S", code: int = 131) -> dict[str, Any]:
        return {
            "STATUS": letter, "When": int(self.clock()), "Code": code, "Msg": message,
            "Description": "",
        }  # fmt: skip

    def answer(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """Answer a request in the clear, or a sealed one."""
        if request.get("enc") == 1:
            return self._open(str(request.get("data", "")))
        command = str(request.get("command") or request.get("cmd") or "")
        if command == "get_token":
            return self._token()
        found = self.reads().get(command)
        if found is not None:
            return found
        if command in {"power_off", "power_on", "set_power_pct_v2", "reboot"}:
            return self._told("can't access write cmd", "E", 45)
        return self._told("invalid command", "E", 14)

    def _token(self) -> dict[str, Any]:
        salt, newsalt = secrets.token_hex(4), secrets.token_hex(4)
        clock = str(int(self.clock()) % 10_000)
        key = md5_crypt(self.password, salt)
        sign = md5_crypt(key + clock, newsalt)
        self._tokens[sign] = (hashlib.sha256(key.encode()).digest(), time.monotonic())
        return self._told({"time": clock, "salt": salt, "newsalt": newsalt}, code=134)

    def _open(self, data: str) -> dict[str, Any]:
        """Try the keys of all tokens that were handed out, as the real one does."""
        ttl_s = 1800.0 if self.hostile.token_ttl_s is None else self.hostile.token_ttl_s
        for sign, (key, since) in list(self._tokens.items()):
            try:
                plain = _aes(key, base64.b64decode(data), encrypt=False)
                command = json.loads(plain.rstrip(b"\0"))
            except ValueError:
                continue
            if command.get("token") != sign or time.monotonic() - since > ttl_s:
                return self._told("token err", "E", 135)
            told = json.dumps(self._write(command)).encode()
            sealed = _aes(key, told + b"\0" * (-len(told) % 16), encrypt=True)
            return {"enc": base64.b64encode(sealed).decode()}
        return self._told("enc json load err", "E", 23)

    def _write(self, command: dict[str, Any]) -> dict[str, Any]:
        if not self.write_api:
            return self._told("can't access write cmd", "E", 45)
        name = command.get("cmd") or command.get("command")
        if name in {"power_off", "power_on"}:
            self.service(on=name == "power_on")
        elif name == "set_power_pct_v2":
            percent = str(command.get("percent", ""))
            if not percent.isdigit() or int(percent) > 100:
                return self._told("percent invalid", "E", 132)
            self.turn(int(percent))
        elif name == "reboot":
            self._tokens.clear()
            self.reboot()
        else:
            return self._told("invalid command", "E", 14)
        return self._told("API command OK")

    def reads(self) -> dict[str, dict[str, Any]]:
        """Return every reply that needs no token, by command."""
        alive = self.pool_alive
        machine, spec = self.machine.look(), self.spec_now
        mhs, chip = machine.hash_ths * 1e6, round(machine.chip_c, 1)
        head = [{"STATUS": "S", "Msg": "Summary", "Description": "cgminer 4.9.2",
                 "When": int(self.clock()), "Code": 11}]  # fmt: skip
        pools = [
            {
                "POOL": index + 1, "URL": pool["url"], "User": pool["user"],
                "Status": "Alive" if alive else "Dead", "Priority": index,
                "Stratum Active": alive and index == 0,
                "Accepted": int(machine.shares) if index == 0 else 0, "Rejected": 0,
            }
            for index, pool in enumerate(self.stored["pools"])
        ]  # fmt: skip
        off = machine.phase is Phase.PAUSED
        return {
            "summary": {
                "STATUS": head, "id": 1,
                "SUMMARY": [
                    {
                        "Elapsed": int(machine.uptime_s), "Uptime": int(machine.uptime_s),
                        "MHS av": mhs, "HS RT": mhs, "Factory GHS": int(spec.hash_ths * 1000),
                        "Accepted": int(machine.shares), "Rejected": 0, "MAC": self.mac.upper(),
                        "Power": round(machine.meter_w), "Power Limit": self.limit_w,
                        "Power Mode": "Normal", "Hash Stable": True, "Env Temp": machine.room_c,
                        "Chip Temp Max": chip, "Chip Temp Min": chip - 12,
                        "Chip Temp Avg": chip - 6, "Fan Speed In": 5400, "Fan Speed Out": 5280,
                        "Best Share": 82_000_000, "Target Freq": 600, "Pool Rejected%": 0.0,
                    }
                ],
            },
            "status": self._told(
                {
                    "mineroff": "true" if off else "false", "mineroff_reason": "",
                    "mineroff_time": "", "FirmwareVersion": spec.firmware, "power_mode": "normal",
                    "power_limit_set": str(self.limit_w), "hash_percent": str(self.percent),
                }
            ),
            "pools": {"STATUS": head, "POOLS": pools, "id": 1},
            "get_error_code": self._told({"error_code": []}),
            "get_version": self._told(
                {"api_ver": "2.0.5", "fw_ver": spec.firmware, "platform": "H616"}
            ),
            "get_miner_info": self._told(
                {"mac": self.mac.upper(), "hostname": "WhatsMiner", "ledstat": "auto"}
            ),
            "get_psu": self._told({"name": "P222B", "model": "P222B", "fan_speed": "6000"}),
            "devs": {"STATUS": head, "DEVS": [], "id": 1},
            "devdetails": {
                "STATUS": head, "id": 1,
                "DEVDETAILS": [
                    {"DEVDETAILS": board, "Name": "SM", "ID": board, "Driver": "bitmicro",
                     "Kernel": "", "Model": spec.model}
                    for board in range(3)
                ],
            },
            "version": self._told("invalid command", "E", 14),
        }  # fmt: skip


def _aes(key: bytes, data: bytes, *, encrypt: bool) -> bytes:
    cipher = Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305
    work = cipher.encryptor() if encrypt else cipher.decryptor()
    return work.update(data) + work.finalize()


class _Old(TcpSimulator):
    """What a machine with API 3 still answers on API 2's port: who it is, and nothing else."""

    protocol: ClassVar[str] = "whatsminer_v3"
    spec: ClassVar[Spec]

    def settings(self) -> dict[str, Any]:
        """Nothing is stored here."""
        return {}

    def answer(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """Answer `get_version` and `devdetails`."""
        spec, head = self.spec_now, {"STATUS": "S", "When": int(self.clock()), "Code": 131}
        if request.get("command") == "get_version":
            told = {"api_ver": "3.0.2", "fw_ver": spec.firmware, "platform": "H616"}
            return {**head, "Msg": told, "Description": ""}
        if request.get("command") == "devdetails":
            board = {"DEVDETAILS": 0, "Name": "SM", "Driver": "bitmicro", "Model": spec.model}
            return {"STATUS": [{**head, "Msg": "Device Details"}], "DEVDETAILS": [board], "id": 1}
        return {**head, "STATUS": "E", "Msg": "invalid command", "Code": 14, "Description": ""}


class WhatsminerV3(_Whatsminer):
    """An M60S with API 3.0.2."""

    protocol: ClassVar[str] = "whatsminer_v3"
    spec: ClassVar[Spec] = Spec(
        model="M60S_VK40", firmware="20251209.16.Rel2", full_w=3441.0, lowest_w=1400.0,
        idle_w=32.0, hash_ths=186.0, boot_s=150.0, down_s=40.0, rise_s=50.0, pause_s=3.0,
        meter_lag_s=5.0, rise_c=50.0, trip_c=105.0,
    )  # fmt: skip
    port: ClassVar[int] = 4433
    password: ClassVar[str] = "super"
    limit_w: ClassVar[int] = 3441

    def __init__(self, options: Options, spec: Spec | None = None) -> None:
        super().__init__(options, spec)
        self.salt = secrets.token_hex(4)
        self._old = _Old(options, self.spec_now)

    async def start(self) -> None:
        """Listen on both ports."""
        await super().start()
        await self._old.start()

    async def stop(self) -> None:
        """Listen no more."""
        await super().stop()
        await self._old.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while self.machine.reachable:
                length = int.from_bytes(await reader.readexactly(4), "little")
                request = json.loads(await reader.readexactly(min(length, _LONGEST)))
                self.asked()
                reply = json.dumps(self.answer(request)).encode()
                await self.hostile.wait()
                reply = self.hostile.spoil(reply)
                raw = len(reply).to_bytes(4, "little") + reply
                writer.write(raw[: len(raw) // 2] if self.hostile.hangs_up else raw)
                await writer.drain()
                if self.hostile.hangs_up:
                    break
        except (OSError, ValueError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _told(self, command: str, message: Any, code: int = 0) -> dict[str, Any]:
        return {"code": code, "when": int(self.clock()), "msg": message, "desc": command}

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer a request."""
        command, param = str(request.get("cmd", "")), request.get("param")
        if command.startswith("get."):
            found = self.reads().get((command, param if isinstance(param, str) else None))
            if found is None:
                found = self.reads().get((command, None))
            return (
                self._told(command, "invalid cmd", -1)
                if found is None
                else self._told(command, found)
            )
        plain = f"{command}{self.password}{self.salt}{request.get('ts')}"
        token = base64.b64encode(hashlib.sha256(plain.encode()).digest()).decode()[:8]
        late_s = abs(int(request.get("ts", 0)) - self.clock())
        if request.get("account") != "super" or request.get("token") != token or late_s > 1800:
            return self._told(command, "invalid token", -4)
        if command == "set.miner.service" and param in {"start", "stop"}:
            self.service(on=param == "start")
        elif command == "set.miner.power_percent" and isinstance(param, dict):
            percent = param.get("percent")
            if not isinstance(percent, str) or not percent.isdigit() or int(percent) > 100:
                return self._told(command, "invalid param", -2)
            self.turn(int(percent))
        elif command == "set.system.reboot":
            self.reboot()
        else:
            return self._told(command, "invalid cmd", -1)
        return self._told(command, "ok")

    def reads(self) -> dict[tuple[str, str | None], Any]:
        """Return every reply to a `get.`, by command and parameter."""
        alive = self.pool_alive
        machine, spec = self.machine.look(), self.spec_now
        chip, up = round(machine.chip_c, 1), int(machine.uptime_s)
        info = {
            "network": {
                "mac": self.mac.upper(), "hostname": "WhatsMiner", "ip": self.address,
                "proto": "dhcp",
            },
            "miner": {
                "type": spec.model, "miner-sn": self.serial, "fast-boot": "disable",
                "working": "false" if machine.phase is Phase.PAUSED else "true",
            },
            "system": {
                "api": "3.0.2", "platform": "H616", "fwversion": spec.firmware,
                "ledstatus": "auto",
            },
            "power": {"type": "P222B", "mode": "normal", "fanspeed": 6000},
            "salt": self.salt, "error-code": [],
        }  # fmt: skip
        pools = [
            {
                "id": index + 1, "url": pool["url"], "account": pool["user"],
                "status": "alive" if alive else "dead", "stratum-active": alive and index == 0,
                "reject-rate": 0.0, "last-share-time": 1.0,
            }
            for index, pool in enumerate(self.stored["pools"])
        ]  # fmt: skip
        summary = {
            "elapsed": up, "bootup-time": up, "freq-avg": 600,
            "target-freq": 600, "factory-hash": spec.hash_ths, "hash-average": machine.hash_ths,
            "hash-1min": machine.hash_ths, "hash-15min": machine.hash_ths,
            "hash-realtime": machine.hash_ths, "power-rate": 18.5, "power-5min": machine.meter_w,
            "power-realtime": round(machine.meter_w), "power-limit": self.limit_w,
            "environment-temperature": machine.room_c, "chip-temp-min": chip - 12,
            "chip-temp-avg": chip - 6, "chip-temp-max": chip,
            "board-temperature": [chip - 14, chip - 13, chip - 15], "fan-speed-in": 5400,
            "fan-speed-out": 5280,
        }  # fmt: skip
        return {
            ("get.device.info", None): info,
            ("get.device.info", "salt"): {"salt": self.salt},
            ("get.device.info", "miner"): {"miner": info["miner"]},
            ("get.miner.status", "summary"): {"summary": summary},
            ("get.miner.status", "pools"): {"pools": pools},
            ("get.miner.status", "edevs"): {"edevs": []},
            ("get.miner.setting", None): {
                "power-limit": self.limit_w, "power-mode": "normal", "power": self.limit_w,
                "power-percent": self.percent, "upfreq-speed": 0, "fast-boot": "disable",
            },
        }  # fmt: skip


__all__ = ["Simulator", "WhatsminerV2", "WhatsminerV3"]
