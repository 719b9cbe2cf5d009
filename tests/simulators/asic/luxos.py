"""A simulated Antminer S19k Pro with LuxOS (cgminer's API on TCP 4028, with one session).

Built from recorded replies (2025.4) and the vendor's API reference. A sleep outlasts a reboot, a
profile can only be set while ATM is off, and only one session exists at a time.
"""

import secrets
from typing import Any, ClassVar, Final

from .machine import Phase, Spec
from .server import Options, TcpSimulator

#: Profile -> watts, every 25 MHz; the default one is step 0.
_PROFILES: Final = {
    "190MHz": 784, "240MHz": 978, "290MHz": 1188, "340MHz": 1414, "390MHz": 1657, "440MHz": 1916,
    "490MHz": 2192, "540MHz": 2485, "default": 2794, "640MHz": 3119, "690MHz": 3461,
}  # fmt: skip
_DEFAULT: Final = "default"


class Luxos(TcpSimulator):
    """An S19k Pro on LuxOS."""

    protocol: ClassVar[str] = "luxos"
    spec: ClassVar[Spec] = Spec(
        model="Antminer S19k Pro", firmware="2025.4.8.220305-57b389c7", full_w=2794.0,
        lowest_w=784.0, idle_w=25.0, hash_ths=121.8, boot_s=90.0, down_s=40.0, rise_s=20.0,
        pause_s=2.0, meter_lag_s=2.0, rise_c=30.0, trip_c=80.0, keeps_pause=True,
    )  # fmt: skip
    knob: ClassVar[frozenset[str]] = frozenset({"profile"})

    def __init__(self, options: Options, spec: Spec | None = None) -> None:
        super().__init__(options, spec)
        self.session: str | None = None
        self.stored: dict[str, Any] = {
            "profile": _DEFAULT,
            "atm": False,
            "curtail": "None",
            "fans": {"speed": "auto", "min_fans": 3},
            "tempctrl": [55, 65, 70],
            "pools": [
                {"url": "stratum+tcp://pool.example:3333", "user": "owner.s19k"},
                {"url": "stratum+tcp://second.pool.example:3333", "user": "owner.s19k"},
            ],
        }

    def settings(self) -> dict[str, Any]:
        """Return what is stored."""
        return dict(self.stored)

    def _status(self, code: int, words: str, letter: str = "S") -> list[dict[str, Any]]:
        return [
            {"Code": code, "Description": f"LUXminer {self.spec_now.firmware}", "Msg": words,
             "STATUS": letter, "When": int(self.clock())}
        ]  # fmt: skip

    def answer(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """Answer a request."""
        command = str(request.get("command", ""))
        parameter = str(request.get("parameter", ""))
        told = self.reads().get(command)
        if told is not None:
            return {**told, "STATUS": self._status(11, command), "id": 1}
        if command == "logon":
            return self._logon()
        session, _, rest = parameter.partition(",")
        return self._act(command, session, rest)

    def _logon(self) -> dict[str, Any]:
        if self.session is not None or self.hostile.session_taken:
            return {"STATUS": self._status(402, "Another session is active", "E"), "id": 1}
        self.session = secrets.token_urlsafe(6)
        return {
            "SESSION": [{"SessionID": self.session}], "STATUS": self._status(316, "Session"),
            "id": 1,
        }  # fmt: skip

    def _act(self, command: str, session: str, rest: str) -> dict[str, Any]:
        if command not in {"logoff", "curtail", "profileset", "atmset", "rebootdevice"}:
            return {"STATUS": self._status(14, "Invalid command", "E"), "id": 1}
        if self.session is None or session != self.session:
            return {"STATUS": self._status(403, "Invalid session", "E"), "id": 1}
        refusal = self._do(command, rest)
        letter, words = ("E", refusal) if refusal else ("S", f"{command} done")
        return {"STATUS": self._status(300, words, letter), "id": 1}

    def _do(self, command: str, rest: str) -> str | None:
        """Do what was asked and return None, or say why not."""
        machine = self.machine.look()
        if command == "logoff":
            self.session = None
        elif command == "atmset" and rest == "enabled=false":
            if self.does("atm off"):
                self.stored["atm"] = False
        elif command == "profileset":
            if self.stored["atm"]:
                return "ATM must be disabled to change the profile"
            if rest not in _PROFILES:
                return "Unknown profile"
            if self.does(f"profile {rest}"):
                self.stored["profile"] = rest
                machine.target_w = float(_PROFILES[rest])
        elif command == "curtail" and rest in {"sleep", "wakeup"}:
            if self.does(f"curtail {rest}"):
                self.stored["curtail"] = "Sleep" if rest == "sleep" else "None"
                (machine.pause if rest == "sleep" else machine.resume)()
        elif command == "rebootdevice":
            if self.does("reboot"):
                self.session = None
                machine.reboot()
        else:
            return "Invalid parameter"
        return None

    def reads(self) -> dict[str, dict[str, Any]]:
        """Return every reply that needs no session, by command."""
        alive = self.pool_alive
        machine, spec = self.machine.look(), self.spec_now
        ghs = machine.hash_ths * 1000
        hot = round(machine.chip_c, 1)
        up = int(machine.uptime_s)
        pools = [
            {
                "POOL": index, "URL": pool["url"], "User": pool["user"], "Priority": index,
                "Status": "Alive" if alive else "Dead", "Stratum Active": alive and index == 0,
                "Accepted": int(machine.shares), "Rejected": 1, "GROUP": 0, "Quota": 1.0,
            }
            for index, pool in enumerate(self.stored["pools"])
        ]  # fmt: skip
        profiles = [
            {
                "Profile Name": name, "Watts": watts, "Frequency": 190 + 25 * index,
                "Hashrate": round(spec.hash_ths * watts / spec.full_w, 1), "Voltage": 12.5,
                "Step": str(index - 8), "IsTuned": True, "IsDynamic": True, "CanRestore": True,
            }
            for index, (name, watts) in enumerate(_PROFILES.items())
        ]  # fmt: skip
        return {
            "version": {
                "VERSION": [
                    {"API": "3.7", "LUXminer": spec.firmware, "Miner": spec.firmware[:15],
                     "Type": spec.model, "CompileTime": "Tue Apr  8 22:05:35 UTC 2025"}
                ]
            },
            "config": {
                "CONFIG": [
                    {
                        "MACAddr": self.mac, "SerialNumber": self.serial, "Model": spec.model,
                        "Hostname": f"s19k-{self.options.number}", "OS": "LuxOS",
                        "NameplateTHS": spec.hash_ths, "Profile": self.stored["profile"],
                        "CurtailMode": self.stored["curtail"], "IsAtmEnabled": self.stored["atm"],
                        "IsTuning": False, "SystemStatus": "Normal", "IPAddr": self.address,
                        "IsPowerSupplyOn": machine.phase is Phase.HASHING, "ASC Count": 3,
                    }
                ]
            },
            "summary": {
                "SUMMARY": [
                    {
                        "Accepted": int(machine.shares), "Rejected": 1, "Best Share": 9_204_207,
                        "Elapsed": up, "GHS 5s": ghs, "GHS 1m": ghs, "GHS av": ghs,
                    }
                ]
            },
            "power": {"POWER": [{"PSU": True, "Watts": round(machine.meter_w)}]},
            "temps": {
                "METADATA": [
                    {
                        "TopLeft": {"Label": "Board Exhaust (top)", "Position": [0, 0]},
                        "BottomLeft": {"Label": "Board Exhaust (bottom)", "Position": [1, 0]},
                        "TopRight": {"Label": "Board Intake (top)", "Position": [0, 1]},
                        "BottomRight": {"Label": "Board Intake (bottom)", "Position": [1, 1]},
                    }
                ],
                "TEMPS": [
                    {"ID": board, "TEMP": board, "TopLeft": hot, "BottomLeft": hot - 1,
                     "TopRight": hot - 14, "BottomRight": hot - 13}
                    for board in range(3)
                ],
            },
            "fans": {
                "FANCTRL": [{"MinFans": 3, "PowerOffSpeed": 20}],
                "FANS": [{"ID": fan, "FAN": f"FAN{fan}", "RPM": 4200, "Speed": 60}
                         for fan in range(4)],
            },
            "pools": {"POOLS": pools},
            "profiles": {"PROFILES": profiles},
            "events": {"EVENTS": []},
            "devs": {
                "DEVS": [
                    {
                        "ASC": board, "ID": board, "Status": "Alive", "Enabled": "Y",
                        "Temperature": hot, "Profile": self.stored["profile"],
                        "MHS 5s": ghs / 3 * 1000, "MHS av": ghs / 3 * 1000,
                        "Nominal MHS": spec.hash_ths / 3 * 1e6, "Device Elapsed": up,
                    }
                    for board in range(3)
                ]
            },
            "devdetails": {"DEVDETAILS": []},
            "stats": {
                "STATS": [
                    {"Type": spec.model, "Miner": spec.firmware[:15]},
                    {
                        "Elapsed": up, "GHS 5s": ghs, "GHS av": ghs, "miner_count": 3,
                        "total_rateideal": spec.hash_ths * 1000, "rate_unit": "GH",
                        **{f"chain_rate{board}": f"{ghs / 3:.2f}" for board in (1, 2, 3)},
                    },
                ]
            },
            "atm": {"ATM": [{"Enabled": self.stored["atm"]}]},
            "session": {"SESSION": [{"SessionID": self.session or ""}]},
        }  # fmt: skip
