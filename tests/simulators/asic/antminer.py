"""A simulated Antminer S21 with stock firmware: CGI behind digest authentication, and TCP 4028.

Built from recorded replies and the web page's own requests. It answers nothing on 4028 while it
sleeps, a change of mode restarts its mining, and it takes what it is sent: whoever leaves out the
pools has erased them.
"""

import hashlib
import re
import secrets
from typing import Any, ClassVar, Final

from .machine import Phase, Spec
from .server import Asked, HttpSimulator, Options, TcpSimulator, Told

_REALM: Final = "antMiner Configuration"
_USER, _PASSWORD = "root", "root"
_NORMAL, _SLEEP, _LOW = 0, 1, 3
_LOW_W: Final = 2400.0
_DIRECTIVE: Final = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')


class _Api(TcpSimulator):
    """The read-only API of the mining program."""

    protocol: ClassVar[str] = "antminer"
    spec: ClassVar[Spec]
    owner: "Antminer"

    def settings(self) -> dict[str, Any]:
        """Nothing is stored here."""
        return {}

    def answer(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """Answer a request; a sleeping machine mines nothing, so nobody answers."""
        if self.machine.look().phase in {Phase.PAUSED, Phase.DOWN}:
            return None
        return self.owner.api().get(str(request.get("command", "")))


class Antminer(HttpSimulator):
    """An S21 with stock firmware."""

    protocol: ClassVar[str] = "antminer"
    spec: ClassVar[Spec] = Spec(
        model="Antminer S21", firmware="FR-1.12(251009-S21)", full_w=3500.0, lowest_w=_LOW_W,
        idle_w=20.0, hash_ths=200.0, boot_s=180.0, down_s=60.0, rise_s=40.0, pause_s=10.0,
        rise_c=50.0, trip_c=100.0, keeps_pause=True,
    )  # fmt: skip
    knob: ClassVar[frozenset[str]] = frozenset({"bitmain-work-mode"})

    def __init__(self, options: Options, spec: Spec | None = None) -> None:
        super().__init__(options, spec)
        self.stored: dict[str, Any] = {
            "bitmain-fan-ctrl": False,
            "bitmain-fan-pwm": "100",
            "bitmain-hashrate-percent": "100",
            "bitmain-freq-level": "100",
            "bitmain-work-mode": str(_NORMAL),
            "pools": [
                {"url": "stratum+tcp://pool.example:3333", "user": "owner.s21", "pass": "x"},
                {"url": "stratum+tcp://second.pool.example:3333", "user": "owner.s21", "pass": "y"},
                {"url": "", "user": "", "pass": ""},
            ],
        }
        self._nonces: set[str] = set()
        self._rpc = _Api(options, self.spec_now)
        self._rpc.owner, self._rpc.machine = self, self.machine
        self._rpc.requests = self.requests

    async def start(self) -> None:
        """Listen on both ports."""
        await super().start()
        await self._rpc.start()

    async def stop(self) -> None:
        """Listen no more."""
        await super().stop()
        await self._rpc.stop()

    def settings(self) -> dict[str, Any]:
        """Return what is stored."""
        return dict(self.stored)

    def _logged_in(self, asked: Asked) -> bool:
        """Check a digest (RFC 7616 with MD5, as the real one's lighttpd does)."""
        given = asked.headers.get("Authorization", "")
        told = {name: quoted or plain for name, quoted, plain in _DIRECTIVE.findall(given)}
        if told.get("nonce") not in self._nonces or told.get("username") != _USER:
            return False
        one = _md5(f"{_USER}:{_REALM}:{_PASSWORD}")
        two = _md5(f"{asked.method}:{told.get('uri')}")
        middle = f"{told['nonce']}:{told.get('nc')}:{told.get('cnonce')}:{told.get('qop')}"
        return told.get("response") == _md5(f"{one}:{middle}:{two}")

    async def handle(self, asked: Asked) -> Told:
        """Answer a request."""
        if not self._logged_in(asked):
            nonce = secrets.token_hex(16)
            self._nonces.add(nonce)
            challenge = f'Digest realm="{_REALM}", nonce="{nonce}", qop="auth"'
            return Told(None, 401, {"WWW-Authenticate": challenge})
        name = asked.path.removeprefix("/cgi-bin/").removesuffix(".cgi")
        if asked.method == "POST" and name == "set_miner_conf":
            return self._store(asked.body)
        if name == "reboot":
            if self.does("reboot"):
                self.machine.reboot()
            return Told(None)
        found = self.pages().get(name)
        return Told(None, 404) if found is None else Told(found)

    def _store(self, body: Any) -> Told:
        """Take everything that comes, and lose what does not come."""
        if not isinstance(body, dict):
            return Told({"stats": "error", "code": "M001", "msg": "Bad request!"})
        if self.does("configuration"):
            mode = int(body.get("miner-mode", _NORMAL))
            before = int(self.stored["bitmain-work-mode"])
            self.stored = {
                "bitmain-fan-ctrl": body.get("bitmain-fan-ctrl", False),
                "bitmain-fan-pwm": body.get("bitmain-fan-pwm", ""),
                "bitmain-hashrate-percent": body.get("bitmain-hashrate-percent", ""),
                "bitmain-freq-level": body.get("freq-level", ""),
                "bitmain-work-mode": str(mode),
                "pools": body.get("pools", []),
            }
            if mode != before:
                self._become(mode)
        return Told({"stats": "success", "code": "M000", "msg": "OK!"})

    def _become(self, mode: int) -> None:
        if mode == _SLEEP:
            self.machine.pause()
            return
        self.machine.resume()
        self.machine.set_target(_LOW_W if mode == _LOW else self.spec_now.full_w)
        self.machine.interrupt()

    def pages(self) -> dict[str, Any]:
        """Return every page, by its name."""
        spec = self.spec_now
        return {
            "get_system_info": {
                "minertype": spec.model, "macaddr": self.mac.upper(), "serinum": self.serial,
                "hostname": "Antminer", "nettype": "DHCP", "netdevice": "eth0",
                "ipaddress": self.address, "system_mode": "GNU/Linux",
                "system_kernel_version": "Linux 4.9.113 #1 SMP PREEMPT",
                "system_filesystem_version": spec.firmware, "firmware_type": "Release",
            },
            "miner_type": {"miner_type": spec.model, "subtype": "AMLCtrl_BHB68601"},
            "get_miner_conf": self.stored,
            "get_network_info": {"macaddr": self.mac.upper(), "ipaddress": self.address},
            "get_blink_status": {"blink": False},
            "summary": {"INFO": {"CompileTime": "Thu Oct  9 18:55:45 CST 2025"}, "SUMMARY": []},
        }  # fmt: skip

    def api(self) -> dict[str, dict[str, Any]]:
        """Return every reply of the mining program, by command."""
        alive = self.pool_alive
        machine, spec = self.machine.look(), self.spec_now
        ghs, chip, up = machine.hash_ths * 1000, round(machine.chip_c), int(machine.uptime_s)
        version = {
            "BMMiner": "1.0.0", "API": "3.1", "Miner": "49.0.1.3", "Type": spec.model,
            "CompileTime": "Thu Oct  9 18:55:45 CST 2025",
        }  # fmt: skip
        sensors = {
            f"{name}{board}": "-".join(str(chip - less - step) for step in (0, 20, 9, 8))
            for board in (1, 2, 3)
            for name, less in (("temp_chip", 0), ("temp_pcb", 5), ("temp_pic", 15))
        }
        fans = {f"fan{fan}": 5880 for fan in (1, 2, 3, 4)}
        pools = [
            {
                "POOL": index, "URL": pool["url"], "User": pool["user"], "Priority": index,
                "Status": "Alive" if alive else "Dead", "Stratum Active": alive and index == 0,
                "Accepted": int(machine.shares) if index == 0 else 0, "Rejected": 0,
            }
            for index, pool in enumerate(self.stored["pools"])
        ]  # fmt: skip
        replies: dict[str, dict[str, Any]] = {
            "version": {"VERSION": [version]},
            "stats": {
                "STATS": [
                    version,
                    {
                        "ID": "BTM_SOC0", "Elapsed": up, "GHS 5s": ghs, "GHS av": ghs,
                        "miner_count": 3, "fan_num": 4, **fans, **sensors, "temp_chip4": "0-0-0-0",
                        "temp_pcb4": "0-0-0-0", "total_rateideal": spec.hash_ths * 1000,
                        "rate_unit": "GH", "miner_id": "8144d5ca79104814",
                    },
                ]
            },
            "summary": {
                "SUMMARY": [
                    {
                        "Elapsed": up, "GHS 5s": ghs, "GHS av": ghs, "Rejected": 0,
                        "Accepted": int(machine.shares), "Best Share": 12_904_207_043,
                    }
                ]
            },
            "pools": {"POOLS": pools},
            "devs": {"DEVS": []},
        }  # fmt: skip
        status = {"STATUS": "S", "Msg": "ok", "Code": 11, "When": int(self.clock())}
        return {name: {**reply, "STATUS": [status], "id": 1} for name, reply in replies.items()}


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
