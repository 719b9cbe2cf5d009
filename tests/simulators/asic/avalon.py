"""A simulated Canaan Avalon Q (cgminer's API on TCP 4028, with `ascset`).

Built from recorded replies of an Avalon A and of `ascset`, and the vendor's API page. It goes off
and on at a time by its own clock, which is not ours, and hangs up instead of answering `softon`.
"""

from typing import Any, ClassVar, Final

from .machine import Phase, Spec
from .server import Options, TcpSimulator

_MODES_W: Final = {0: 800.0, 1: 1300.0, 2: 1674.0}
_HELP: Final = "help|fan-spd|workmode|worklevel|reboot|softon|softoff|time|password|"
#: Its clock was never set.
_CLOCK_OFF_S: Final = -86_400


class Avalon(TcpSimulator):
    """An Avalon Q."""

    protocol: ClassVar[str] = "avalon"
    spec: ClassVar[Spec] = Spec(
        model="Avalon Q", firmware="25052801_14a19a2", full_w=1674.0, lowest_w=800.0, idle_w=12.0,
        hash_ths=90.0, boot_s=120.0, down_s=40.0, rise_s=30.0, pause_s=5.0, meter_lag_s=4.0,
        rise_c=50.0, trip_c=105.0, keeps_pause=False,
    )  # fmt: skip
    knob: ClassVar[frozenset[str]] = frozenset({"workmode"})

    def __init__(self, options: Options, spec: Spec | None = None) -> None:
        super().__init__(options, spec)
        self.stored: dict[str, Any] = {
            "workmode": 2, "fan-spd": -1,
            "pools": [{"url": "stratum+tcp://pool.example:3333", "user": "owner.avalon"}],
        }  # fmt: skip

    def settings(self) -> dict[str, Any]:
        """Return what is stored."""
        return dict(self.stored)

    def _status(self, letter: str, code: int, words: str) -> list[dict[str, Any]]:
        now = int(self.clock()) + _CLOCK_OFF_S
        return [
            {"STATUS": letter, "When": now, "Code": code, "Msg": words,
             "Description": "cgminer 4.11.1"}
        ]  # fmt: skip

    def answer(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """Answer a request."""
        command = str(request.get("command", ""))
        if command == "ascset":
            return self._ascset(str(request.get("parameter", "")))
        found = self.reads().get(command)
        if found is None:
            return {"STATUS": self._status("E", 14, "Invalid command"), "id": 1}
        return {**found, "STATUS": self._status("S", 70, command), "id": 1}

    def _told(self, words: str, letter: str = "I", code: int = 118) -> dict[str, Any]:
        return {"STATUS": self._status(letter, code, words), "id": 1}

    def _ascset(self, parameter: str) -> dict[str, Any] | None:
        _, _, rest = parameter.partition(",")
        what, _, value = rest.partition(",")
        if what == "help":
            return self._told(f"ASC 0 set info: {_HELP}")
        if what in {"softoff", "softon"}:
            at = value.removeprefix("1:").strip()
            now = int(self.clock()) + _CLOCK_OFF_S
            # Far from its own time, it never happens.
            if at.isdigit() and 0 <= int(at) - now <= 3600 and self.does(what):
                (self.machine.pause if what == "softoff" else self.machine.resume)()
            return None if what == "softon" else self._told(f"ASC 0 set info: success softoff:{at}")
        if what == "workmode":
            mode = value.removeprefix("set,")
            if not mode.isdigit() or int(mode) not in _MODES_W:
                return self._told("ASC 0 set failed", "E", 120)
            if self.does(f"workmode {mode}"):
                self.stored["workmode"] = int(mode)
                self.machine.set_target(_MODES_W[int(mode)])
            return self._told("ASC 0 set OK", "S", 119)
        if what == "reboot":
            if self.does("reboot"):
                self.machine.reboot()
            return self._told("ASC 0 set OK", "S", 119)
        return self._told("ASC 0 set failed", "E", 120)

    def _words(self) -> str:
        machine = self.machine.look()
        off = machine.phase is Phase.PAUSED
        ghs, chip = machine.hash_ths * 1000, round(machine.chip_c)
        watts = round(machine.meter_w)
        found = {
            "Ver": f"Q-{self.spec_now.firmware}", "DNA": self.serial,
            "Elapsed": int(machine.uptime_s),
            "SYSTEMSTATU": f"Work: In {'Idle' if off else 'Work'}, Hash Board: 1",
            "ITemp": round(machine.room_c), "HBITemp": chip - 30, "HBOTemp": chip - 20,
            "TMax": chip, "TAvg": chip - 8, "TarT": 65, "Fan1": 1800, "Fan2": 1790, "Fan3": 0,
            "Fan4": 0, "FanR": "45%", "PS": f"0 1215 2231 {watts // 22} {watts} 2231 {watts}",
            "GHSspd": f"{ghs:.2f}", "GHSmm": f"{ghs:.2f}", "GHSavg": f"{ghs:.2f}",
            "MGHS": f"{ghs:.2f}", "Freq": "300.00", "ECHU": "0", "ECMM": "0", "SoftOFF": int(off),
            "WORKMODE": self.stored["workmode"], "WORKLEVEL": 0, "MPO": 1674, "FanErr": 0,
        }  # fmt: skip
        return " ".join(f"{name}[{value}]" for name, value in found.items())

    def reads(self) -> dict[str, dict[str, Any]]:
        """Return every reply, by command."""
        alive = self.pool_alive
        machine = self.machine.look()
        mhs, up = machine.hash_ths * 1e6, int(machine.uptime_s)
        words = self._words()
        head = {"STATS": 0, "ID": "AVALON0", "Elapsed": up}
        nested = {"STATS": [{**head, "MM ID0:Summary": f"'STATS':{{{words}}}"}]}
        return {
            "version": {
                "VERSION": [
                    {
                        "API": "3.7", "CGMiner": "4.11.1", "PROD": "Avalon Q", "MODEL": "Q",
                        "LVERSION": self.spec_now.firmware, "BVERSION": self.spec_now.firmware,
                        "HWTYPE": "Q_MM1v1_X1", "SWTYPE": "MM319", "DNA": self.serial,
                        "MAC": self.mac.replace(":", ""),
                    }
                ]
            },
            "estats": {"STATS": [{**head, "MM ID0": words}]},
            "stats": nested,
            "litestats": nested,
            "summary": {
                "SUMMARY": [
                    {
                        "Elapsed": up, "MHS av": mhs, "MHS 5s": mhs, "MHS 1m": mhs,
                        "Accepted": int(machine.shares), "Rejected": 0, "Best Share": 9_204_207,
                    }
                ]
            },
            "devs": {"DEVS": [{"ASC": 0, "MHS 1m": mhs, "MHS av": mhs, "Status": "Alive"}]},
            "pools": {
                "POOLS": [
                    {
                        "POOL": index, "URL": pool["url"], "User": pool["user"], "Priority": index,
                        "Status": "Alive" if alive else "Dead", "Stratum Active": alive,
                        "Accepted": int(machine.shares), "Rejected": 0,
                    }
                    for index, pool in enumerate(self.stored["pools"])
                ]
            },
        }  # fmt: skip
