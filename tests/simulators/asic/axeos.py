"""A simulated Bitaxe Gamma and NerdQAxe++ (AxeOS over HTTP).

Built from a recorded Bitaxe reply (firmware 2.4) and ESP-Miner's API description (2.15). Pause is
forgotten at a reboot; the frequency is stored, and lowered by the firmware after overheating.
"""

from typing import Any, ClassVar, Final

from .machine import Phase, Spec
from .server import Asked, HttpSimulator, Options, Told

_POOL: Final = {
    "stratumURL": "pool.example", "stratumPort": 3333, "stratumUser": "owner.bitaxe",
    "fallbackStratumURL": "fallback.example", "fallbackStratumPort": 3334,
    "fallbackStratumUser": "owner.bitaxe",
}  # fmt: skip
_BOARD_W: Final = 3.0
_FOLLOWS: Final = 0.8


class Axeos(HttpSimulator):
    """A Bitaxe Gamma: one BM1370."""

    protocol: ClassVar[str] = "axeos"
    spec: ClassVar[Spec] = Spec(
        model="Gamma", firmware="v2.15.0", full_w=18.0, lowest_w=10.0, idle_w=3.0, hash_ths=1.2,
        boot_s=15.0, down_s=4.0, rise_s=3.0, pause_s=1.0, meter_lag_s=1.0, heat_s=60.0,
        rise_c=38.0, trip_c=75.0,
    )  # fmt: skip
    knob: ClassVar[frozenset[str]] = frozenset({"frequency"})
    chip: ClassVar[str] = "BM1370"
    chips: ClassVar[int] = 1
    options_mhz: ClassVar[tuple[int, ...]] = (400, 450, 490, 525, 550, 600, 625)
    default_mhz: ClassVar[int] = 525

    def __init__(self, options: Options, spec: Spec | None = None) -> None:
        super().__init__(options, spec)
        self.stored: dict[str, Any] = {
            **_POOL, "frequency": self.default_mhz, "coreVoltage": 1150, "autofanspeed": 1,
            "manualFanSpeed": 100, "temptarget": 60, "hostname": f"bitaxe-{options.number}",
            "overclockEnabled": 0, "displayTimeout": -1,
        }  # fmt: skip
        self._trips = 0

    def settings(self) -> dict[str, Any]:
        """Return what is stored."""
        return dict(self.stored)

    def power_at(self, mhz: float) -> float:
        """Return the watts at a frequency."""
        return self.spec_now.full_w * (1 - _FOLLOWS + _FOLLOWS * mhz / self.default_mhz)

    def _drift(self) -> None:
        """Firmware that overheated has stored a lower frequency."""
        machine = self.machine.look()
        if machine.trips > self._trips:
            self._trips = machine.trips
            self.stored["frequency"] = int(self.stored["frequency"] * 0.9)
            machine.target_w = self.power_at(self.stored["frequency"])

    async def handle(self, asked: Asked) -> Told:
        """Answer a request."""
        alive = self.pool_alive
        self._drift()
        match asked.method, asked.path:
            case "GET", "/":
                return Told("<html><title>AxeOS</title></html>")
            case "GET", "/api/system/info":
                return Told(self.info(alive=alive))
            case "GET", "/api/system/asic":
                return Told(self.asic())
            case "PATCH", "/api/system":
                return self.patch(asked.body)
            case "POST", path if path.startswith("/api/system/"):
                return self.act(path.removeprefix("/api/system/"))
        return Told(None, 404)

    def asic(self) -> dict[str, Any]:
        """Return `GET /api/system/asic`."""
        return {
            "ASICModel": self.chip, "deviceModel": self.spec_now.model, "swarmColor": "purple",
            "asicCount": self.chips, "defaultFrequency": self.default_mhz,
            "frequencyOptions": list(self.options_mhz), "defaultVoltage": 1150,
            "voltageOptions": [1100, 1150, 1200],
        }  # fmt: skip

    def patch(self, body: Any) -> Told:
        """Store settings; the frequency acts at once."""
        if not isinstance(body, dict):
            return Told(None, 400)
        if self.does(f"settings {sorted(body)}"):
            self.stored |= {key: value for key, value in body.items() if key in self.stored}
            self.machine.set_target(self.power_at(self.stored["frequency"]))
        return Told({})

    def act(self, action: str) -> Told:
        """Pause, resume, restart."""
        words = {"pause": "Mining paused", "resume": "Mining resumed", "restart": "System restart"}
        if action not in words:
            return Told(None, 404)
        if self.does(action):
            {
                "pause": self.machine.pause,
                "resume": self.machine.resume,
                "restart": self.machine.reboot,
            }[action]()
        return Told({"message": words[action]})

    def info(self, *, alive: bool) -> dict[str, Any]:
        """Return `GET /api/system/info`."""
        machine = self.machine.look()
        expected_ghs = self.spec_now.hash_ths * 1000 * self.stored["frequency"] / self.default_mhz
        tripped = machine.phase is Phase.TRIPPED
        return {
            "ASICModel": self.chip, "asicCount": self.chips, "deviceModel": self.spec_now.model,
            "boardVersion": "601", "version": self.spec_now.firmware, "axeOSVersion": "v2.15.0",
            "idfVersion": "v5.5.1", "hostname": self.stored["hostname"],
            "macAddr": self.mac.upper(), "ipv4": self.address, "ssid": "home",
            "wifiStatus": "Connected!", "wifiRSSI": -55,
            "power": machine.meter_w, "voltage": 5150.0,
            "current": machine.meter_w / 5.15 * 1000, "maxPower": 40, "nominalVoltage": 5,
            "temp": round(machine.chip_c, 3), "temp2": -1, "vrTemp": round(machine.chip_c + 5),
            "frequency": self.stored["frequency"], "actualFrequency": self.stored["frequency"],
            "coreVoltage": self.stored["coreVoltage"],
            "coreVoltageActual": self.stored["coreVoltage"] - 6,
            "hashRate": machine.hash_ths * 1000, "hashRate_1m": machine.hash_ths * 1000,
            "expectedHashrate": expected_ghs, "errorPercentage": 0.2,
            "bestDiff": 4_829_331, "bestSessionDiff": 48_211,
            "sharesAccepted": int(machine.shares), "sharesRejected": 3,
            "sharesRejectedReasons": [{"message": "Job not found", "count": 3}],
            "autofanspeed": self.stored["autofanspeed"], "fanspeed": 45, "fanrpm": 3800,
            "fan2rpm": 0, "temptarget": self.stored["temptarget"],
            "manualFanSpeed": self.stored["manualFanSpeed"], "minFanSpeed": 25,
            "displayTimeout": self.stored["displayTimeout"],
            "overheat_mode": 1 if tripped else 0,
            "overclockEnabled": self.stored["overclockEnabled"],
            "isUsingFallbackStratum": 0, "poolDifficulty": 1000,
            "poolConnectionInfo": "IPv4" if alive else "Not Connected",
            "stratumURL": self.stored["stratumURL"], "stratumPort": self.stored["stratumPort"],
            "stratumUser": self.stored["stratumUser"],
            "fallbackStratumURL": self.stored["fallbackStratumURL"],
            "fallbackStratumPort": self.stored["fallbackStratumPort"],
            "fallbackStratumUser": self.stored["fallbackStratumUser"],
            "uptimeSeconds": int(machine.uptime_s), "resetReason": "Power on",
            "smallCoreCount": 2040, "freeHeap": 8_200_000, "runningPartition": "ota_0",
            **self.extra(),
        }  # fmt: skip

    def extra(self) -> dict[str, Any]:
        """Return what only this firmware says."""
        return {"miningPaused": self.machine.paused}


class NerdQAxe(Axeos):
    """A NerdQAxe++: four BM1370, stopped for good until it is restarted."""

    protocol: ClassVar[str] = "nerdqaxe"
    spec: ClassVar[Spec] = Spec(
        model="NerdQAxe++", firmware="v1.0.36", full_w=77.0, lowest_w=40.0, idle_w=4.0,
        hash_ths=4.8, boot_s=20.0, down_s=4.0, rise_s=4.0, pause_s=1.0, meter_lag_s=1.0,
        heat_s=60.0, rise_c=36.0, trip_c=75.0,
    )  # fmt: skip
    chips: ClassVar[int] = 4
    options_mhz: ClassVar[tuple[int, ...]] = (500, 515, 525, 550, 575, 590, 600)
    default_mhz: ClassVar[int] = 600

    def act(self, action: str) -> Told:
        """Shut down, or restart."""
        if action == "shutdown":
            if self.does(action):
                self.machine.pause()
            return Told({"message": "shutdown"})
        return super().act(action) if action == "restart" else Told(None, 404)

    def extra(self) -> dict[str, Any]:
        """Return what only this firmware says."""
        alive = not self.hostile.pools_lost
        return {
            "shutdown": self.machine.paused,
            "otp": False,
            "stratum": {"activePoolMode": 0, "pools": [{"connected": alive}]},
        }
