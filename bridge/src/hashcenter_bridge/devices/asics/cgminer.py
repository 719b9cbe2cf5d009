"""Any firmware with cgminer's API, to read only: what no other driver knows (DCENT_OS among them).

    version, summary, stats, pools, config on TCP 4028

It turns no knob, because what a command does differs from firmware to firmware. Where neither a MAC
nor a serial number is told, it is known by its address. Source: cgminer's API-README.
"""

from typing import Any, Final, Literal

from pydantic import Field

from ...plugin import PluginContext
from ...wire.messages import Device
from ...wire.values import Activity, Capabilities, DeviceKind, PowerSource, Readings
from ..asic import AsicConfig, AsicSample, Setting
from ..transports import cgminer, refused
from ..transports.machine import ApiMachine
from ..transports.reply import (
    amount,
    dig,
    highest,
    mac,
    positive,
    rows,
    string,
)

_MAC_KEYS: Final = ("MAC", "MACAddr", "Mac", "mac", "macaddr")
_SERIAL_KEYS: Final = ("SerialNumber", "Serial", "serinum", "miner_id", "DNA")
_POWER_KEYS: Final = ("Power", "Watts", "power", "Power Consumption", "WALLPOWER")
#: What firmwares with a driver of their own write in `VERSION`.
_OTHERS: Final = {"LUXminer", "BOSer", "BOSer+", "BOSminer", "BOSminer+", "BMMiner", "PROD"}
#: Three looks at a stranger may take 3 s together.
_GLANCE_S: Final = 0.9
_BOARDS: Final = range(1, 17)
_STARTS_WITHIN_S: Final = 600.0


def told(*replies: Any) -> list[dict[str, Any]]:
    """Return every object in the lists of some replies, STATUS aside."""
    return [
        row
        for answer in replies
        if isinstance(answer, dict)
        for name in answer
        if name != "STATUS"
        for row in rows(answer, name)
    ]


def identity(*replies: Any) -> tuple[str | None, str | None]:
    """Return the MAC and the serial number wherever they are told."""
    found = told(*replies)
    macs = [mac(row.get(key)) for row in found for key in _MAC_KEYS]
    serials = [string(row.get(key)) for row in found for key in _SERIAL_KEYS]
    return next(filter(None, macs), None), next(filter(None, serials), None)


def power_w(*replies: Any) -> float | None:
    """Return the watts wherever they are told, None where they are not."""
    known = [positive(row.get(key)) for row in told(*replies) for key in _POWER_KEYS]
    return next(filter(None, known), None)


def device(address: str, version: Any, *replies: Any, owners_w: float | None = None) -> Device:
    """Return who it is; it has no knob and no pause. `owners_w` is what its owner says it draws."""
    found, serial = identity(version, *replies)
    row = dig(version, "VERSION", 0)
    tells_watts = power_w(*replies) is not None
    reads = {
        name
        for name, value in sample(version, *replies, owners_w=owners_w).readings
        if value is not None and name != "missing"
    }
    return Device(
        uid=found or serial or address,
        kind=DeviceKind.ASIC,
        name=string(dig(row, "Type")) or string(dig(row, "PROD")) or "ASIC",
        model=string(dig(row, "Type")) or string(dig(row, "MODEL")),
        firmware=_firmware(row),
        mac=found,
        url=f"http://{address}",
        capabilities=Capabilities(
            readings=tuple(name for name in Readings.model_fields if name in reads),
            power_source=(
                PowerSource.MEASURED
                if tells_watts
                else PowerSource.NONE
                if owners_w is None
                else PowerSource.ESTIMATED
            ),
            nominal_w=power_w(*replies) or owners_w,
        ),
    )


def _firmware(row: Any) -> str | None:
    """Return the first version in `VERSION`, with the program's name: it has a key of that name."""
    if not isinstance(row, dict):
        return None
    for name, value in row.items():
        if name not in {"API", "Type", "CompileTime", "PROD", "MODEL", "MAC", "DNA"}:
            words = string(value)
            if words is not None:
                return f"{name} {words}"
    return None


def sample(
    version: Any,
    summary: Any,
    stats: Any,
    pools: Any,
    config: Any,
    *,
    owners_w: float | None = None,
) -> AsicSample:
    """Return one look at it: what most firmwares write under the same names."""
    rate_mhs = cgminer.hash_rate_mhs(summary)
    accepted, rejected = cgminer.shares(summary)
    boards = rows(stats, "STATS")
    elapsed_s = amount(dig(summary, "SUMMARY", 0, "Elapsed"))
    watts = power_w(summary, stats, config)
    if watts is None and rate_mhs:
        watts = owners_w
    readings = Readings(
        power_w=watts,
        temp_c=highest(*(board.get(f"temp{index}") for board in boards for index in _BOARDS)),
        chip_temp_c=highest(
            *(board.get(f"temp2_{index}") for board in boards for index in _BOARDS)
        ),
        fan_rpm=highest(*(board.get(f"fan{index}") for board in boards for index in _BOARDS)),
        hash_rate_mhs=rate_mhs,
        shares_accepted_total=accepted,
        shares_rejected_total=rejected,
        best_share=positive(dig(summary, "SUMMARY", 0, "Best Share")),
    )
    known = cgminer.pools(pools)
    if rate_mhs:
        activity = Activity.HASHING
    elif elapsed_s is not None and elapsed_s < _STARTS_WITHIN_S:
        activity = Activity.STARTING
    else:
        activity = Activity.IDLE
    return AsicSample(
        readings=readings,
        activity=activity,
        pools=known,
        mac=identity(version, summary, stats, config)[0],
        mining_s=elapsed_s,
    )


class Plugin(ApiMachine):
    """One ASIC to read. `[[asic]]` with `plugin = "cgminer"`."""

    ports = (4028,)

    class Config(AsicConfig):
        """`draws_w`: what it draws at work, where it does not say that itself."""

        plugin: Literal["cgminer"] = "cgminer"
        draws_w: float | None = Field(default=None, gt=0, le=20_000)

    def __init__(self, config: Config, _context: PluginContext) -> None:
        super().__init__(config)
        self._draws_w = config.draws_w

    @classmethod
    async def recognize(cls, address: str, port: int) -> Device | None:
        """Return the machine at an open port, None if it is none, or another driver's."""
        version = await cgminer.glance(address, port, "version", within_s=_GLANCE_S)
        row = dig(version, "VERSION", 0)
        if not isinstance(row, dict) or _OTHERS & set(row):
            return None
        summary = await cgminer.glance(address, port, "summary", within_s=_GLANCE_S)
        stats = await cgminer.glance(address, port, "stats", within_s=_GLANCE_S)
        return device(address, version, summary, stats, None, None)

    async def probe(self) -> Device:
        """Return who it is. Raises DeviceFault."""
        replies = await self._look()
        found = device(self._address, *replies, owners_w=self._draws_w)
        if self._mac is not None:
            self._same(found.mac)
        return found

    async def read(self) -> AsicSample:
        """Look at it once. Raises DeviceFault."""
        return sample(*await self._look(), owners_w=self._draws_w)

    async def pause(self) -> None:
        """Refuse. Raises DeviceFault."""
        raise self._read_only("pause")

    async def resume(self) -> None:
        """Refuse. Raises DeviceFault."""
        raise self._read_only("resume")

    async def set(self, to: Setting) -> None:
        """Refuse. Raises DeviceFault."""
        raise self._read_only(f"set {to}")

    async def restart(self) -> None:
        """Refuse. Raises DeviceFault."""
        raise self._read_only("restart")

    def _read_only(self, what: str) -> Exception:
        return refused(self._address, what, "this driver only reads")

    async def _look(self) -> tuple[Any, ...]:
        version = await cgminer.ask(self._address, self._port, "version")
        summary = await cgminer.ask(self._address, self._port, "summary")
        cgminer.succeeded(self._address, "answer summary", summary)
        others = ("stats", "pools", "config")
        # What a firmware does not know is no reason not to read the rest.
        rest = [await cgminer.ask(self._address, self._port, name) for name in others]
        return version, summary, *rest
