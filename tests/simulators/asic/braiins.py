"""A simulated Antminer S19j Pro with Braiins OS 25.11 (REST behind a token).

Built from recorded replies of 25.11 and 26.04 and the vendor's OpenAPI. It draws 3.5 % more than
its power target says, as real ones do; tokens can expire.
"""

import secrets
import time
from typing import Any, ClassVar, Final

from .machine import Phase, Spec
from .server import Asked, HttpSimulator, Options, Told

#: As it comes: no password is set, and any of these is one.
_LOGINS: Final = [{"username": "root", "password": password} for password in ("", "root")]
_STATUS: Final = {Phase.PAUSED: 3, Phase.TRIPPED: 4}
_LIMITS: Final = {"min": 1050, "default": 3068, "max": 4000}


class Braiins(HttpSimulator):
    """An S19j Pro on Braiins OS."""

    protocol: ClassVar[str] = "braiins"
    spec: ClassVar[Spec] = Spec(
        model="Antminer S19J Pro", firmware="2025-11-21-0-eb658dcd-25.11-plus", full_w=3068.0,
        lowest_w=1050.0, idle_w=25.0, hash_ths=104.0, boot_s=120.0, down_s=45.0, rise_s=45.0,
        pause_s=4.0, meter_lag_s=5.0, draw_ratio=1.035, rise_c=48.0, trip_c=100.0,
    )  # fmt: skip
    knob: ClassVar[frozenset[str]] = frozenset({"power_target"})

    def __init__(self, options: Options, spec: Spec | None = None) -> None:
        super().__init__(options, spec)
        self.stored: dict[str, Any] = {
            "power_target": int(self.spec_now.full_w),
            "tuner_enabled": True,
            "hostname": f"s19j-{options.number}",
            "fans": {"auto": {"target_temperature": 60.0, "hot": 90.0, "dangerous": 100.0}},
            "pools": [
                {"url": "stratum+tcp://pool.example:3333", "user": "owner.s19j"},
                {"url": "stratum+tcp://second.pool.example:3333", "user": "owner.s19j"},
            ],
        }
        self._tokens: dict[str, float] = {}

    def settings(self) -> dict[str, Any]:
        """Return what is stored."""
        return dict(self.stored)

    def _login(self, body: Any) -> Told:
        if body not in _LOGINS:
            return Told({"message": "wrong user or password"}, 401)
        token = secrets.token_urlsafe(9)
        self._tokens[token] = time.monotonic()
        return Told({"token": token, "timeout_s": 3600})

    def _logged_in(self, headers: dict[str, str]) -> bool:
        since = self._tokens.get(headers.get("Authorization", ""))
        ttl_s = self.hostile.token_ttl_s
        return since is not None and (ttl_s is None or time.monotonic() - since < ttl_s)

    async def handle(self, asked: Asked) -> Told:
        """Answer a request."""
        alive = self.pool_alive
        match asked.method, asked.path:
            case "GET", "/":
                return Told("<html><title>Braiins OS</title></html>")
            case "GET", "/api/v1/version/":
                return Told({"major": 1, "minor": 2, "patch": 0})
            case "POST", "/api/v1/auth/login":
                return self._login(asked.body)
            case "POST", "/graphql":
                return self._graphql(asked.body)
        if not self._logged_in(asked.headers):
            return Told({"message": "unauthorized"}, 401)
        path = asked.path.removeprefix("/api/v1/").rstrip("/")
        if asked.method == "GET":
            found = self.reads(alive=alive).get(path)
            return Told(found) if found is not None else Told({"message": "not found"}, 404)
        return self._set(path, asked.body) if asked.method == "PUT" else Told(None, 405)

    def _graphql(self, body: Any) -> Told:
        query = body.get("query", "") if isinstance(body, dict) else ""
        data: dict[str, Any] = {}
        if "modelName" in query:
            data["bosminer"] = {"info": {"modelName": self.spec_now.model}}
        if "version" in query:
            data["bos"] = {"info": {"version": {"full": self.spec_now.firmware}}}
        return Told({"data": data})

    def _set(self, path: str, body: Any) -> Told:
        machine = self.machine.look()
        if path == "performance/power-target":
            watt = body.get("watt") if isinstance(body, dict) else None
            if not isinstance(watt, int) or not _LIMITS["min"] <= watt <= _LIMITS["max"]:
                return Told({"message": "power target out of range"}, 400)
            if self.does(f"power target {watt}"):
                self.stored["power_target"] = watt
                machine.target_w = float(watt)
            return Told({"watt": watt})
        acts = {
            "actions/pause": machine.pause,
            "actions/resume": machine.resume,
            "actions/start": machine.resume,
            "actions/reboot": machine.reboot,
        }
        if path not in acts:
            return Told({"message": "not found"}, 404)
        already = machine.paused == (path == "actions/pause")
        if self.does(path):
            acts[path]()
        if path == "actions/reboot":
            self._tokens.clear()
            return Told(None, 204)
        return Told(already)

    def reads(self, *, alive: bool) -> dict[str, Any]:
        """Return every reply to a GET, by path."""
        machine, spec = self.machine.look(), self.spec_now
        rate = machine.hash_ths * 1000
        rates = {"gigahash_per_second": rate}
        windows = ("5s", "15s", "30s", "1m", "5m", "15m", "30m", "1h", "24h")
        real = {f"last_{window}": rates for window in windows} | {"since_restart": rates}
        shares = {
            "accepted_shares": int(machine.shares), "rejected_shares": 2, "stale_shares": 0,
            "best_share": 499_065_300, "generated_work": 9_000_000, "last_difficulty": 131_072,
            "last_share_time": {"seconds": 1_776_446_537, "nanos": 0},
        }  # fmt: skip
        target = {"watt": self.stored["power_target"]}
        status = _STATUS.get(machine.phase, 2)
        fans = [{"position": index, "rpm": 5880, "target_speed_ratio": 0.8} for index in range(4)]
        return {
            "miner/details": {
                "uid": self.serial, "serial_number": self.serial, "status": status,
                "hostname": self.stored["hostname"], "mac_address": self.mac,
                "miner_identity": {
                    "brand": 1, "model": 10, "name": spec.model, "miner_model": spec.model,
                },
                "bos_version": {"current": spec.firmware, "major": "22.08", "bos_plus": True},
                "system_uptime": int(machine.uptime_s), "system_uptime_s": int(machine.uptime_s),
                "bosminer_uptime_s": int(machine.uptime_s), "platform": 6, "bos_mode": 4,
                "sticker_hashrate": {"gigahash_per_second": spec.hash_ths * 1000},
                "control_board_soc_family": 1, "kernel_version": "4.9.38-tag-",
                "psu_info": {"model_name": "APW121215f", "version": 118},
            },
            "miner/stats": {
                "miner_stats": {
                    "best_share": 499_065_300, "found_blocks": 0, "real_hashrate": real,
                    "nominal_hashrate": {"gigahash_per_second": spec.hash_ths * 1000},
                    "error_hashrate": {"megahash_per_second": 0.0},
                },
                "pool_stats": shares,
                "power_stats": {
                    "approximated_consumption": {"watt": round(machine.meter_w)},
                    "efficiency": {"joule_per_terahash": 29.5},
                },
            },
            "performance/tuner-state": {
                "overall_tuner_state": 2,
                "mode_state": {"powertargetmodestate": {"current_target": target, "profile": None}},
            },
            "configuration/miner": {
                "pool_groups": [],
                "tuner": {
                    "enabled": self.stored["tuner_enabled"], "tuner_mode": 1,
                    "power_target": target, "hashrate_target": None,
                },
            },
            "configuration/constraints": {
                "tuner_constraints": {
                    "default_mode": 1,
                    "power_target": {name: {"watt": watt} for name, watt in _LIMITS.items()},
                },
            },
            "cooling/state": {
                "fans": fans,
                "highest_temperature": {
                    "id": None, "location": 1,
                    "temperature": {"degree_c": round(machine.chip_c, 3)},
                },
            },
            "miner/hw/hashboards": {"hashboards": []},
            "network": {"mac_address": self.mac, "hostname": self.stored["hostname"]},
            "miner/errors": {"errors": []},
            "pools": [
                {
                    "uid": "0", "name": "Default", "strategy": {"quota": {"value": 1}},
                    "pools": [
                        {
                            "uid": f"p{index}", "url": pool["url"], "user": pool["user"],
                            "enabled": True, "active": alive and index == 0, "alive": alive,
                            "stats": shares,
                        }
                        for index, pool in enumerate(self.stored["pools"])
                    ],
                }
            ],
        }  # fmt: skip
