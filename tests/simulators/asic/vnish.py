"""A simulated Antminer S19 with VNish 1.3.4 (REST behind a password), built from the vendor's API.

The throttle is temporary and needs no restart; a preset restarts the mining.
"""

import secrets
import time
from typing import Any, ClassVar, Final

from .machine import Phase, Spec
from .server import Asked, HttpSimulator, Options, Told

_PRESETS: Final = {"1500": "tuned", "2200": "tuned", "2900": "untuned", "3250": "tuned"}
_STATES: Final = {
    Phase.BOOTING: "starting", Phase.PAUSED: "stopped", Phase.TRIPPED: "failure",
    Phase.HASHING: "mining", Phase.NO_WORK: "mining", Phase.DOWN: "restarting",
}  # fmt: skip
_OPEN: Final = {"info", "status", "summary", "perf-summary", "model"}


class Vnish(HttpSimulator):
    """An S19 on VNish."""

    protocol: ClassVar[str] = "vnish"
    spec: ClassVar[Spec] = Spec(
        model="Antminer S19", firmware="1.3.4", full_w=3250.0, lowest_w=650.0, idle_w=28.0,
        hash_ths=95.0, boot_s=120.0, down_s=45.0, rise_s=30.0, pause_s=4.0, meter_lag_s=4.0,
        rise_c=46.0, trip_c=95.0,
    )  # fmt: skip
    knob: ClassVar[frozenset[str]] = frozenset({"preset"})

    def __init__(self, options: Options, spec: Spec | None = None) -> None:
        super().__init__(options, spec)
        self.throttle = 0
        self.password = "admin"
        self.stored: dict[str, Any] = {
            "preset": "3250",
            "overclock": {"modded_psu": False, "globals": {"freq": 545, "volt": 1320}},
            "cooling": {"mode": {"name": "auto", "param": 60}, "fan_min_count": 4},
            "pools": [
                {"url": "stratum+tcp://pool.example:3333", "user": "owner.s19", "pass": "x"},
                {"url": "stratum+tcp://second.pool.example:3333", "user": "owner.s19", "pass": "x"},
            ],
        }
        self._tokens: dict[str, float] = {}

    def settings(self) -> dict[str, Any]:
        """Return what is stored."""
        return dict(self.stored)

    def _obey(self) -> None:
        share = (self.throttle or 100) / 100
        self.machine.set_target(float(self.stored["preset"]) * share)

    async def handle(self, asked: Asked) -> Told:
        """Answer a request."""
        if asked.path == "/":
            return Told("<html><title>AnthillOS</title></html>")
        path = asked.path.removeprefix("/api/v1/")
        if asked.method == "POST" and path == "unlock":
            if asked.body != {"pw": self.password}:
                return Told({"unlock_timeout": None}, 403)
            token = secrets.token_urlsafe(12)
            self._tokens[token] = time.monotonic()
            return Told({"token": token})
        token = asked.headers.get("Authorization", "").removeprefix("Bearer ")
        since, ttl_s = self._tokens.get(token), self.hostile.token_ttl_s
        fresh = since is not None and (ttl_s is None or time.monotonic() - since < ttl_s)
        if not fresh and not (asked.method == "GET" and path in _OPEN):
            return Told(None, 401)
        if asked.method == "GET":
            found = self.reads().get(path)
            return Told(found) if found is not None else Told({"err": "not found"}, 404)
        return self._post(path, asked.body)

    def _post(self, path: str, body: Any) -> Told:
        saved = {"reboot_required": False, "restart_required": False}
        machine = self.machine.look()
        if path == "mining/throttle":
            percent = body.get("percent") if isinstance(body, dict) else None
            if not isinstance(percent, int) or not 20 <= percent <= 100:
                return Told({"err": "percent"}, 400)
            if self.does(f"throttle {percent}"):
                self.throttle = percent
                self._obey()
            return Told(saved)
        if path == "settings":
            overclock = dict(body["miner"]["overclock"])
            if self.does("settings"):
                self.stored["preset"] = overclock.pop("preset")
                self.stored["overclock"] = overclock
                self._obey()
                machine.interrupt()
            return Told({**saved, "restart_required": False})
        acts = {
            "mining/pause": machine.pause, "mining/stop": machine.pause,
            "mining/resume": machine.resume, "mining/start": machine.resume,
            "mining/restart": machine.interrupt, "system/reboot": machine.reboot,
        }  # fmt: skip
        if path not in acts:
            return Told({"err": "not found"}, 404)
        if self.does(path):
            if path == "system/reboot":
                self._tokens.clear()
                self.throttle = 0
                self._obey()
            acts[path]()
        return Told(None)

    def reads(self) -> dict[str, Any]:
        """Return every reply to a GET, by path."""
        alive = self.pool_alive
        machine, spec = self.machine.look(), self.spec_now
        ghs, chip = machine.hash_ths * 1000, round(machine.chip_c)
        minutes, seconds = divmod(int(machine.uptime_s), 60)
        hours, minutes = divmod(minutes, 60)
        status = {
            "miner_state": _STATES[machine.phase], "miner_state_time": 100,
            "throttled": self.throttle, "description": None, "failure_code": None,
        }  # fmt: skip
        if machine.phase is Phase.TRIPPED:
            status |= {"description": "Overheated", "failure_code": 36}
        current = {
            "name": self.stored["preset"], "pretty": f"{self.stored['preset']} watt",
            "status": "tuned", "modded_psu_required": False,
        }  # fmt: skip
        return {
            "info": {
                "miner": spec.model, "model": "s19", "fw_name": "Vnish",
                "fw_version": spec.firmware, "serial": self.serial, "algorithm": "sha256d",
                "hr_measure": "GH/s", "install_type": "nand", "platform": "xil",
                "system": {
                    "os": "GNU/Linux", "miner_name": spec.model,
                    "uptime": f"{hours}:{minutes:02d}:{seconds:02d}",
                    "network_status": {
                        "mac": self.mac.upper(), "ip": self.address, "dhcp": True,
                        "hostname": f"s19-{self.options.number}",
                    },
                },
            },
            "status": {
                **status, "reboot_required": False, "restart_required": False, "unlocked": False,
                "find_miner": False,
            },
            "summary": {
                "miner": {
                    "miner_type": spec.model, "miner_status": status,
                    "hr_realtime": ghs, "hr_average": ghs, "instant_hashrate": ghs,
                    "hr_nominal": spec.hash_ths * 1000, "hr_stock": spec.hash_ths * 1000,
                    "power_consumption": round(machine.meter_w),
                    "power_usage": round(machine.meter_w), "power_efficiency": 34.2,
                    "pcb_temp": {"min": chip - 25, "max": chip - 15},
                    "chip_temp": {"min": chip - 9, "max": chip},
                    "cooling": {
                        "fan_num": 4, "fan_duty": 70,
                        "fans": [
                            {"id": fan, "rpm": 4800, "max_rpm": 6000, "status": "ok"}
                            for fan in range(4)
                        ],
                        "settings": {"mode": {"name": "auto", "param": 60}},
                    },
                    "best_share": 8_210_442, "found_blocks": 0, "chains": [],
                    "psu": {"psu_power_metering": True},
                    "pools": [
                        {
                            "id": index, "url": pool["url"], "user": pool["user"],
                            "status": ("active" if index == 0 else "working") if alive
                            else "offline",
                            "pool_type": "UserPool", "asic_boost": True, "ping": 20,
                            "accepted": int(machine.shares) if index == 0 else 0, "rejected": 0,
                            "stale": 0, "diff": "131K", "diffa": 1.0, "ls_diff": 1.0,
                            "ls_time": "0:00:03",
                        }
                        for index, pool in enumerate(self.stored["pools"])
                    ],
                }
            },
            "perf-summary": {"current_preset": current, "preset_switcher": {"enabled": False}},
            "settings": {
                "miner": {
                    "overclock": {**self.stored["overclock"], "preset": self.stored["preset"]},
                    "cooling": self.stored["cooling"], "pools": self.stored["pools"],
                }
            },
            "autotune/presets": [
                {
                    "name": name, "pretty": f"{name} watt", "status": tuned,
                    "modded_psu_required": False,
                }
                for name, tuned in _PRESETS.items()
            ],
            "chains": [],
            "chains/factory-info": {"hr_stock": spec.hash_ths * 1000, "psu_serial": "PSU1"},
        }  # fmt: skip
