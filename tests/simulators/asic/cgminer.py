"""A simulated ASIC of no known brand: nothing but cgminer's own API on TCP 4028.

Built from cgminer's API-README and a recorded Antminer's `stats`; it tells neither watts nor a MAC.
"""

from typing import Any, ClassVar

from .machine import Spec
from .server import Options, TcpSimulator


class Cgminer(TcpSimulator):
    """An old machine with a firmware of its own."""

    protocol: ClassVar[str] = "cgminer"
    spec: ClassVar[Spec] = Spec(
        model="Antminer S17", firmware="0.9.3", full_w=2520.0, lowest_w=2520.0, idle_w=30.0,
        hash_ths=56.0, rise_c=45.0, trip_c=110.0,
    )  # fmt: skip

    def __init__(self, options: Options, spec: Spec | None = None) -> None:
        super().__init__(options, spec)
        self.stored: dict[str, Any] = {
            "pools": [{"url": "stratum+tcp://pool.example:3333", "user": "owner.s17"}]
        }

    def settings(self) -> dict[str, Any]:
        """Return what is stored."""
        return dict(self.stored)

    def answer(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """Answer a request."""
        alive = self.pool_alive
        machine, spec = self.machine.look(), self.spec_now
        ghs, up, chip = machine.hash_ths * 1000, int(machine.uptime_s), round(machine.chip_c)
        replies: dict[str, dict[str, Any]] = {
            "version": {
                "VERSION": [{"API": "3.1", "DCENTminer": spec.firmware, "Type": spec.model}]
            },
            "summary": {
                "SUMMARY": [
                    {
                        "Elapsed": up, "GHS 5s": f"{ghs:.2f}", "GHS av": ghs, "Rejected": 0,
                        "Accepted": int(machine.shares), "Best Share": 9_204_207,
                    }
                ]
            },
            "stats": {
                "STATS": [
                    {"Type": spec.model},
                    {
                        "STATS": 0, "ID": "BTM0", "Elapsed": up, "miner_id": self.serial,
                        "fan1": 5400, "fan2": 5280, "temp1": chip - 15, "temp2": chip - 17,
                        "temp2_1": chip, "temp2_2": chip - 2,
                    },
                ]
            },
            "pools": {
                "POOLS": [
                    {
                        "POOL": index, "URL": pool["url"], "User": pool["user"],
                        "Status": "Alive" if alive else "Dead", "Stratum Active": alive,
                    }
                    for index, pool in enumerate(self.stored["pools"])
                ]
            },
        }  # fmt: skip
        found = replies.get(str(request.get("command", "")))
        letter, words = ("E", "Invalid command") if found is None else ("S", "ok")
        status = {"STATUS": letter, "Msg": words, "Code": 14, "When": int(self.clock())}
        return {**(found or {}), "STATUS": [status], "id": 1}
