"""A simulated Antminer S9 with Braiins OS 22.08: bosminer's API, LuCI and GraphQL.

Built from the vendor's API page and the GraphQL queries that others send it. A new power target
restarts bosminer; a pause does not, and is forgotten at a reboot.
"""

import secrets
from typing import Any, ClassVar, Final

from .machine import Spec
from .server import Asked, HttpSimulator, Options, TcpSimulator, Told

_PASSWORDS: Final = {"", "root"}
_LEAST_W: Final = 400


class _Api(TcpSimulator):
    """bosminer's API; anybody may pause it."""

    protocol: ClassVar[str] = "bosminer"
    spec: ClassVar[Spec]
    owner: "Bosminer"

    def settings(self) -> dict[str, Any]:
        """Nothing is stored here."""
        return {}

    def answer(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """Answer a request."""
        return self.owner.command(str(request.get("command", "")))


class Bosminer(HttpSimulator):
    """An S9 on Braiins OS."""

    protocol: ClassVar[str] = "bosminer"
    spec: ClassVar[Spec] = Spec(
        model="Antminer S9", firmware="2022-09-13-0-11012d53-22.08-plus", full_w=1100.0,
        lowest_w=700.0, idle_w=25.0, hash_ths=11.5, boot_s=60.0, down_s=30.0, rise_s=30.0,
        pause_s=3.0, meter_lag_s=3.0, rise_c=48.0, trip_c=100.0,
    )  # fmt: skip
    knob: ClassVar[frozenset[str]] = frozenset({"power_target"})

    def __init__(self, options: Options, spec: Spec | None = None) -> None:
        super().__init__(options, spec)
        self.stored: dict[str, Any] = {
            "power_target": int(self.spec_now.full_w),
            "temperatures": {"target": 65, "hot": 80, "dangerous": 90},
            "pools": [{"url": "stratum+tcp://pool.example:3333", "user": "owner.s9"}],
        }
        self._cookies: set[str] = set()
        self._api = _Api(options, self.spec_now)
        self._api.owner, self._api.machine = self, self.machine
        self._api.requests = self.requests

    async def start(self) -> None:
        """Listen on both ports."""
        await super().start()
        await self._api.start()

    async def stop(self) -> None:
        """Listen no more."""
        await super().stop()
        await self._api.stop()

    def settings(self) -> dict[str, Any]:
        """Return what is stored."""
        return dict(self.stored)

    def _cookie(self, name: str) -> dict[str, str]:
        value = secrets.token_hex(8)
        self._cookies.add(value)
        return {"Set-Cookie": f"{name}={value}; Path=/; HttpOnly"}

    def _knows(self, asked: Asked, name: str) -> bool:
        given = asked.headers.get("Cookie", "")
        return any(
            part.strip().removeprefix(f"{name}=") in self._cookies for part in given.split(";")
        )

    async def handle(self, asked: Asked) -> Told:
        """Answer a request."""
        if asked.path == "/":
            return Told("<html><title>Braiins OS</title></html>")
        if asked.path == "/graphql":
            return self._graphql(asked)
        if asked.method == "POST" and asked.path == "/cgi-bin/luci":
            right = (
                asked.form.get("luci_username") == "root"
                and asked.form.get("luci_password", "") in _PASSWORDS
            )
            return Told(None, 302, self._cookie("sysauth")) if right else Told(None, 403)
        if asked.path == "/cgi-bin/luci/admin/network/iface_status/lan":
            if not self._knows(asked, "sysauth"):
                return Told(None, 403)
            return Told([{"macaddr": self.mac.upper(), "ifname": "eth0", "ipaddrs": []}])
        return Told(None, 404)

    def _graphql(self, asked: Asked) -> Told:
        body = asked.body if isinstance(asked.body, dict) else {}
        query, variables = str(body.get("query", "")), body.get("variables") or {}
        if "login" in query:
            if variables.get("username") != "root" or variables.get("password") not in _PASSWORDS:
                return Told({"data": {"auth": {"login": {"message": "wrong"}}}})
            return Told(
                {"data": {"auth": {"login": {"void": "void"}}}}, 200, self._cookie("session_id")
            )
        if not query.lstrip().startswith("mutation"):
            return Told({"data": self._query()})
        if not self._knows(asked, "session_id"):
            return Told({"data": None, "errors": [{"message": "not authenticated"}]})
        return self._mutation(query, variables)

    def _mutation(self, query: str, variables: dict[str, Any]) -> Told:
        if "reboot" in query:
            if self.does("reboot"):
                self._cookies.clear()
                self.machine.reboot()
            return Told({"data": {"bos": {"reboot": {"void": "void"}}}})
        watts = variables.get("watts", variables.get("limit"))
        if "updateAutotuning" not in query or not isinstance(watts, int):
            return Told({"data": None, "errors": [{"message": "unknown field"}]})
        told: dict[str, Any] = {"message": f"the least is {_LEAST_W} W"}
        if watts >= _LEAST_W:
            told = {"autotuning": {"powerTarget": watts, "enabled": True}}
            if self.does(f"power target {watts}"):
                self.stored["power_target"] = watts
                self.machine.set_target(float(watts))
                self.machine.interrupt()
        return Told({"data": {"bosminer": {"config": {"updateAutotuning": told}}}})

    def _query(self) -> dict[str, Any]:
        machine, spec = self.machine.look(), self.spec_now
        mhs = machine.hash_ths * 1e6
        return {
            "bos": {
                "hostname": f"s9-{self.options.number}", "faultLight": False,
                "info": {"version": {"full": spec.firmware}},
                "uptime": {"durationS": int(machine.uptime_s)},
            },
            "bosminer": {
                "info": {
                    "modelName": spec.model,
                    "workSolver": {
                        "realHashrate": {"mhs5S": mhs}, "nominalMhs": spec.hash_ths * 1e6,
                        "childSolvers": [],
                    },
                    "fans": [{"name": "FAN1", "speed": 60, "rpm": 4200}],
                    "summary": {
                        "power": {
                            "limitW": self.stored["power_target"],
                            "approxConsumptionW": round(machine.meter_w),
                        }
                    },
                    "poolGroups": [],
                },
                "config": {"groups": []},
            },
            "events": {"appeals": []},
        }  # fmt: skip

    def command(self, command: str) -> dict[str, Any]:
        """Answer a request to bosminer's API."""
        alive = self.pool_alive
        machine, spec = self.machine.look(), self.spec_now
        status = {"STATUS": "S", "Code": 11, "Msg": command, "When": int(self.clock())}
        if command in {"pause", "resume"}:
            if self.does(command):
                (machine.pause if command == "pause" else machine.resume)()
            return {command.upper(): [True], "STATUS": [status], "id": 1}
        mhs, up, chip = machine.hash_ths * 1e6, int(machine.uptime_s), round(machine.chip_c, 1)
        replies: dict[str, dict[str, Any]] = {
            "version": {"VERSION": [{"API": "3.7", "BOSminer+": f"0.2.0 {spec.firmware}"}]},
            "summary": {
                "SUMMARY": [
                    {
                        "Elapsed": up, "MHS 5s": mhs, "MHS 1m": mhs, "MHS av": mhs,
                        "Accepted": int(machine.shares), "Rejected": 1, "Best Share": 1_204_207,
                    }
                ]
            },
            "tunerstatus": {
                "TUNERSTATUS": [
                    {
                        "PowerLimit": self.stored["power_target"],
                        "ApproximateMinerPowerConsumption": round(machine.meter_w),
                        "ApproximateChainPowerConsumption": round(machine.meter_w * 0.95),
                        "DynamicPowerScaling": "Disabled", "TunerChainStatus": [],
                    }
                ]
            },
            "temps": {
                "TEMPS": [
                    {"Board": chip - 15, "Chip": chip, "ID": board, "TEMP": board}
                    for board in (6, 7, 8)
                ]
            },
            "fans": {"FANS": [{"FAN": fan, "ID": fan, "RPM": 4200, "Speed": 60} for fan in (0, 1)]},
            "devs": {"DEVS": []},
            "devdetails": {"DEVDETAILS": [{"Model": spec.model, "Driver": "", "ID": 6}]},
            "pools": {
                "POOLS": [
                    {
                        "POOL": index, "URL": pool["url"], "User": pool["user"], "Priority": index,
                        "Status": "Alive" if alive else "Dead", "Stratum Active": alive,
                        "Accepted": int(machine.shares), "Rejected": 1,
                    }
                    for index, pool in enumerate(self.stored["pools"])
                ]
            },
        }  # fmt: skip
        found = replies.get(command)
        if found is None:
            status |= {"STATUS": "E", "Code": 14, "Msg": "invalid command"}
        return {**(found or {}), "STATUS": [status], "id": 1}
