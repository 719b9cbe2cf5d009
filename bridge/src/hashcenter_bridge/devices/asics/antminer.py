"""Antminer S19, S21 and relatives with stock firmware: CGI behind digest authentication, and TCP.

    GET /cgi-bin/get_system_info.cgi, get_miner_conf.cgi      POST set_miner_conf.cgi, reboot.cgi
    TCP 4028: stats, summary, pools (silent while it sleeps)

There is no watt limit: it works, it sleeps, and some models have a low power mode (`low_w` says
that this one has it). A change of mode restarts the mining and is stored; whatever the page stores
along with it is read first and sent back as it was. It has no meter: watts are estimated from its
hash rate and the model's nameplate. Source: the CGI pages' own requests, recorded replies.
"""

from typing import Any, Final, Literal

import aiohttp
from pydantic import Field

from ...plugin import PluginContext
from ...wire.messages import Device
from ...wire.values import Activity, Capabilities, DeviceKind, PowerSource, PowerStep, Readings
from ..asic import AsicConfig, AsicSample, Setting
from ..transports import cgminer, login_failed, refused, unreadable, web
from ..transports.machine import WebMachine
from ..transports.reply import amount, count, dig, highest, mac, rows, string

_READS: Final = (
    "temp_c", "chip_temp_c", "fan_rpm", "hash_rate_mhs", "expected_hash_rate_mhs",
    "shares_accepted_total", "shares_rejected_total", "best_share",
)  # fmt: skip
_NORMAL, _SLEEP, _LOW = 0, 1, 3
_MODES: Final = {"low": _LOW, "normal": _NORMAL}
_IDLE_W: Final = 20.0
#: Watts and TH/s of the nameplates, the longer names first.
_NAMEPLATES: Final = (
    ("s21 xp", 3645, 270), ("s21 pro", 3510, 234), ("s21+", 3564, 216), ("s21", 3500, 200),
    ("t21", 3610, 190), ("s19 xp", 3010, 140), ("s19k pro", 2760, 120), ("s19j pro+", 3355, 122),
    ("s19j pro", 3068, 104), ("s19j", 3100, 90), ("s19 pro+", 5445, 198), ("s19 pro", 3250, 110),
    ("s19a pro", 3245, 110), ("s19a", 3250, 96), ("s19", 3250, 95), ("t19", 3150, 84),
)  # fmt: skip
#: Where the page reads a setting, and under which name it stores it.
_SENT_BACK: Final = {
    "bitmain-fan-ctrl": "bitmain-fan-ctrl",
    "bitmain-fan-pwm": "bitmain-fan-pwm",
    "bitmain-hashrate-percent": "bitmain-hashrate-percent",
    "bitmain-freq-level": "freq-level",
    "freq-level": "freq-level",
}
_POOL_KEYS: Final = ("url", "user", "pass")
_STARTS_WITHIN_S: Final = 900.0


def identity(info: Any) -> str | None:
    """Return the MAC in `get_system_info.cgi`, or its serial number where that is none."""
    return mac(dig(info, "macaddr")) or string(dig(info, "serinum"))


def nameplate(model: str | None) -> tuple[float, float] | None:
    """Return the watts and TH/s of a model, None for one that is not known."""
    name = (model or "").lower().replace("antminer", "").strip()
    for known, power_w, rate_ths in _NAMEPLATES:
        if name.startswith(known):
            return float(power_w), float(rate_ths)
    return None


def device(
    address: str, info: Any, conf: Any, normal_w: float | None, low_w: float | None
) -> Device:
    """Return who it is and what it can do. Raises DeviceFault when it does not say who it is."""
    uid = identity(info)
    if uid is None:
        raise unreadable(address, "get_system_info.cgi has neither MAC nor serial number")
    model = string(dig(info, "minertype"))
    plate = nameplate(model)
    full_w = normal_w or (plate[0] if plate else None)
    sleeps = mode(conf) is not None
    steps: tuple[PowerStep, ...] = ()
    if sleeps and low_w is not None and full_w is not None and low_w < full_w:
        steps = (PowerStep(name="low", power_w=low_w), PowerStep(name="normal", power_w=full_w))
    estimates = full_w is not None and plate is not None
    return Device(
        uid=uid,
        kind=DeviceKind.ASIC,
        name=string(dig(info, "hostname")) or "Antminer",
        model=model,
        firmware=string(dig(info, "system_filesystem_version")),
        mac=mac(dig(info, "macaddr")),
        url=f"http://{address}",
        capabilities=Capabilities(
            readings=(*(("power_w",) if estimates else ()), *_READS),
            power_source=PowerSource.ESTIMATED if estimates else PowerSource.NONE,
            steps=steps,
            can_pause=sleeps,
            can_restart=True,
            reboots_on_set=True,
            stored=True,
            keeps_pause=True,
            idle_w=_IDLE_W,
            nominal_w=full_w,
            settle_s=180.0,
            start_s=600.0,
        ),
    )


def mode(conf: Any) -> int | None:
    """Return the work mode in `get_miner_conf.cgi`; firmware has two names for it, or none."""
    found = count(dig(conf, "miner-mode"))
    return found if found is not None else count(dig(conf, "bitmain-work-mode"))


def with_mode(address: str, conf: Any, wanted: int) -> dict[str, Any]:
    """Return what `set_miner_conf.cgi` takes: everything as it is, with another mode.

    Raises DeviceFault when something of it cannot be sent back as it was.
    """
    body: dict[str, Any] = {
        name: conf[read] for read, name in _SENT_BACK.items() if dig(conf, read) is not None
    }
    pools = rows(conf, "pools")
    if not pools or any(key not in pool for pool in pools for key in _POOL_KEYS):
        raise refused(
            address, "change its mode", "it does not say its pools, so they would be lost"
        )
    body["pools"] = [{key: pool[key] for key in _POOL_KEYS} for pool in pools]
    body["miner-mode"] = wanted
    return body


def sample(
    info: Any, conf: Any, stats: Any, summary: Any, pools: Any, normal_w: float | None = None
) -> AsicSample:
    """Return one look at it; while it sleeps, there are no stats."""
    row = dig(stats, "STATS", 1)
    rate_mhs = cgminer.hash_rate_mhs(summary)
    ideal_ghs = amount(dig(row, "total_rateideal"))
    accepted, rejected = cgminer.shares(summary)
    sleeping = mode(conf) == _SLEEP
    plate = nameplate(string(dig(info, "minertype")))
    readings = Readings(
        power_w=_IDLE_W if sleeping and plate else estimate_w(plate, normal_w, rate_mhs),
        temp_c=_hottest(row, "temp_pcb") or highest(dig(row, "temp1"), dig(row, "temp2")),
        chip_temp_c=_hottest(row, "temp_chip"),
        fan_rpm=highest(*(dig(row, f"fan{index}") for index in range(1, 9))),
        hash_rate_mhs=0.0 if sleeping else rate_mhs,
        expected_hash_rate_mhs=None if ideal_ghs is None else ideal_ghs * 1000,
        shares_accepted_total=accepted,
        shares_rejected_total=rejected,
        best_share=amount(dig(summary, "SUMMARY", 0, "Best Share")),
    )
    known = cgminer.pools(pools)
    elapsed_s = amount(dig(row, "Elapsed"))
    names = {number: name for name, number in _MODES.items()}
    return AsicSample(
        readings=readings,
        activity=(
            Activity.PAUSED
            if sleeping
            else _activity(rate_mhs, elapsed_s, idle=not any(pool.connected for pool in known))
        ),
        setting=names.get(mode(conf) or _NORMAL, "normal"),
        pools=known,
        mac=mac(dig(info, "macaddr")),
        # The time since the mining began is no time since its own boot, but a reboot begins it.
        mining_s=elapsed_s,
    )


def estimate_w(
    plate: tuple[float, float] | None, normal_w: float | None, rate_mhs: float | None
) -> float | None:
    """Return the watts that its hash rate takes by the nameplate, None where that is not known."""
    if plate is None or rate_mhs is None:
        return None
    full_w, full_ths = normal_w or plate[0], plate[1]
    return round(_IDLE_W + (full_w - _IDLE_W) * min(1.2, rate_mhs / 1e6 / full_ths), 0)


def _hottest(row: Any, name: str) -> float | None:
    """Return the hottest of the sensors in "78-50-69-70", board by board."""
    texts = [string(dig(row, f"{name}{board}")) or "" for board in range(1, 5)]
    return highest(*(part for text in texts for part in text.split("-")))


def _activity(rate_mhs: float | None, elapsed_s: float | None, *, idle: bool) -> Activity:
    if rate_mhs:
        return Activity.HASHING
    if elapsed_s is not None and elapsed_s >= _STARTS_WITHIN_S and idle:
        return Activity.IDLE
    return Activity.STARTING


class Plugin(WebMachine):
    """One Antminer with stock firmware. `[[asic]]` with `plugin = "antminer"`."""

    ports = (80,)

    class Config(AsicConfig):
        """Its user and password are `root` unless its owner changed them.

        `low_w`: what it draws in its low power mode, if its own page offers one. `normal_w`: what
        it draws otherwise, where the nameplate is not right.
        """

        plugin: Literal["antminer"] = "antminer"
        low_w: float | None = Field(default=None, gt=0, le=20_000)
        normal_w: float | None = Field(default=None, gt=0, le=20_000)
        api_port: int = Field(default=cgminer.PORT, ge=1, le=65_535)

    def __init__(self, config: Config, _context: PluginContext) -> None:
        digest = aiohttp.DigestAuthMiddleware(config.username or "root", config.password("root"))
        super().__init__(config, (digest,))
        self._config = config
        self._steps: frozenset[str] = frozenset()
        self._last_mode = _NORMAL

    @classmethod
    async def recognize(cls, address: str, port: int) -> Device | None:
        """Return the machine at an open port; it says who it is only to those who log in."""
        answer = await web.glance(address, port, "/")
        realm = "" if answer is None else answer.headers.get("WWW-Authenticate", "")
        if "antminer" not in realm.lower():
            return None
        return Device(uid=address, kind=DeviceKind.ASIC, name="Antminer", url=f"http://{address}")

    async def probe(self) -> Device:
        """Return who it is and what it can do. Raises DeviceFault."""
        info = await self._cgi("get_system_info")
        conf = await self._cgi("get_miner_conf")
        found = device(self._address, info, conf, self._config.normal_w, self._config.low_w)
        self._met(found.uid)
        self._steps = frozenset(step.name for step in found.capabilities.steps)
        return found

    async def read(self) -> AsicSample:
        """Look at it once. Raises DeviceFault."""
        info, conf = await self._cgi("get_system_info"), await self._cgi("get_miner_conf")
        now = mode(conf)
        if now == _SLEEP:
            return sample(info, conf, None, None, None, self._config.normal_w)
        self._last_mode = now if now is not None else _NORMAL
        stats, summary = await self._api("stats"), await self._api("summary")
        pools = await self._api("pools")
        return sample(info, conf, stats, summary, pools, self._config.normal_w)

    async def pause(self) -> None:
        """Let it sleep; it sleeps on after a reboot. Raises DeviceFault."""
        await self._set_mode(_SLEEP, "pause")

    async def resume(self) -> None:
        """Wake it up in the mode it had. Raises DeviceFault."""
        await self._set_mode(self._last_mode, "resume")

    async def set(self, to: Setting) -> None:
        """Set its mode by name; a sleeping one has it when it wakes. Raises DeviceFault."""
        if to not in self._steps:
            raise refused(self._address, f"set {to}", "it is none of its modes")
        self._last_mode = _MODES[str(to)]
        if mode(await self._cgi("get_miner_conf")) != _SLEEP:
            await self._set_mode(self._last_mode, f"set {to}")

    async def restart(self) -> None:
        """Reboot it. Raises DeviceFault."""
        answer = await self._web.write("POST", "/cgi-bin/reboot.cgi")
        self._let_in(answer)
        self._web.forget()

    async def _set_mode(self, wanted: int, what: str) -> None:
        await self._who()
        conf = await self._cgi("get_miner_conf")
        if mode(conf) is None:
            raise refused(self._address, what, "this firmware has no work modes")
        body = with_mode(self._address, conf, wanted)
        answer = await self._web.write("POST", "/cgi-bin/set_miner_conf.cgi", body)
        self._let_in(answer)
        if string(dig(answer.body, "stats")) != "success":
            raise refused(self._address, what, string(dig(answer.body, "msg")) or "no reason given")

    async def _api(self, command: str) -> dict[str, Any]:
        answer = await cgminer.ask(self._address, self._config.api_port, command)
        return cgminer.succeeded(self._address, f"answer {command}", answer)

    async def _cgi(self, name: str) -> dict[str, Any]:
        answer = await self._web.get(f"/cgi-bin/{name}.cgi")
        self._let_in(answer)
        return web.readable(self._address, answer, f"{name}.cgi")

    def _let_in(self, answer: web.Answer) -> None:
        if answer.status in {401, 403}:
            raise login_failed(self._address)

    async def _who(self) -> None:
        self._same(identity(await self._cgi("get_system_info")))
