"""Braiins OS before 23.03, as on the S9: bosminer's API on TCP 4028, settings by GraphQL.

    TCP 4028: summary, tunerstatus, temps, fans, pools, pause, resume
    /cgi-bin/luci (login) -> admin/network/iface_status/lan: who it is
    POST /graphql (login) -> bosminer.config.updateAutotuning(powerTarget, apply)

A pause costs nothing. A new power target restarts bosminer and is stored: the arbiter is told so.
Nothing but the target is sent, so that pools and temperatures stay. Source: the vendor's API page,
its GraphQL schema (22.08) as others use it; no replies of a real machine were at hand.
"""

from typing import Any, Final, Literal

from pydantic import Field

from ...plugin import PluginContext
from ...wire.messages import Device
from ...wire.values import Activity, Capabilities, DeviceKind, PowerSource, Readings, WattRange
from ..asic import AsicConfig, AsicSample, Setting
from ..transports import cgminer, login_failed, refused, unreadable, web
from ..transports.machine import ApiMachine
from ..transports.reply import amount, dig, highest, mac, positive, rows, string

_READS: Final = (
    "power_w", "temp_c", "chip_temp_c", "fan_percent", "fan_rpm", "hash_rate_mhs",
    "shares_accepted_total", "shares_rejected_total", "best_share",
)  # fmt: skip
_STARTS_WITHIN_S: Final = 600.0
_LUCI: Final = "/cgi-bin/luci"
_LOGIN: Final = """mutation ($username: String!, $password: String!) {
  auth { login(username: $username, password: $password) { ... on VoidResult { void } } }
}"""
_TARGET: Final = """mutation ($watts: Int!) {
  bosminer { config { updateAutotuning(input: {powerTarget: $watts}, apply: true) {
    ... on AutotuningOut { autotuning { powerTarget } }
    ... on AutotuningError { message }
  } } }
}"""
_REBOOT: Final = "mutation { bos { reboot { ... on VoidResult { void } } } }"
_MODEL: Final = "{ bosminer { info { modelName } } }"


def identity(interfaces: Any) -> str | None:
    """Return the MAC in `iface_status/lan`."""
    return mac(dig(interfaces, 0, "macaddr"))


def limit_w(tuner: Any) -> float | None:
    """Return the power target in `tunerstatus`, None where it does not tune."""
    return positive(dig(tuner, "TUNERSTATUS", 0, "PowerLimit"))


def device(
    address: str,
    interfaces: Any,
    version: Any,
    model: Any,
    tuner: Any,
    lowest_w: float,
    highest_w: float = 0.0,
) -> Device:
    """Return who it is and what it can do. Raises DeviceFault when it does not say its MAC.

    `highest_w` is what its owner wrote down, or had set before we set it lower.
    """
    uid = identity(interfaces)
    if uid is None:
        raise unreadable(address, "its network page has no macaddr")
    now_w = limit_w(tuner)
    most_w = max(now_w or 0.0, highest_w)
    row = dig(version, "VERSION", 0)
    return Device(
        uid=uid,
        kind=DeviceKind.ASIC,
        name="Braiins OS",
        model=string(dig(model, "data", "bosminer", "info", "modelName")),
        firmware=next(
            (string(value) for name, value in row.items() if name.startswith("BOS")), None
        )
        if isinstance(row, dict)
        else None,
        mac=uid,
        url=f"http://{address}",
        capabilities=Capabilities(
            readings=_READS,
            power_source=PowerSource.ESTIMATED,
            power_limit=WattRange(min_w=lowest_w, max_w=most_w)
            if now_w is not None and lowest_w < most_w
            else None,
            can_pause=True,
            can_restart=True,
            reboots_on_set=True,
            stored=True,
            idle_w=25.0,
            nominal_w=now_w,
            settle_s=300.0,
            start_s=300.0,
        ),
    )


def sample(
    interfaces: Any, summary: Any, tuner: Any, temps: Any, fans: Any, pools: Any
) -> AsicSample:
    """Return one look at it."""
    rate_mhs = cgminer.hash_rate_mhs(summary)
    accepted, rejected = cgminer.shares(summary)
    sensors, spinning = rows(temps, "TEMPS"), rows(fans, "FANS")
    readings = Readings(
        power_w=positive(dig(tuner, "TUNERSTATUS", 0, "ApproximateMinerPowerConsumption")),
        temp_c=highest(*(sensor.get("Board") for sensor in sensors)),
        chip_temp_c=highest(*(sensor.get("Chip") for sensor in sensors)),
        fan_percent=highest(*(fan.get("Speed") for fan in spinning)),
        fan_rpm=highest(*(fan.get("RPM") for fan in spinning)),
        hash_rate_mhs=rate_mhs,
        shares_accepted_total=accepted,
        shares_rejected_total=rejected,
        best_share=positive(dig(summary, "SUMMARY", 0, "Best Share")),
    )
    known = cgminer.pools(pools)
    elapsed_s = amount(dig(summary, "SUMMARY", 0, "Elapsed"))
    works = not known or any(pool.connected for pool in known)
    return AsicSample(
        readings=readings,
        activity=_activity(rate_mhs, elapsed_s, works=works),
        setting=limit_w(tuner),
        pools=known,
        mac=identity(interfaces),
        mining_s=elapsed_s,
    )


def _activity(rate_mhs: float | None, elapsed_s: float | None, *, works: bool) -> Activity:
    """It never says that it is paused: it has work, had time to start, and hashes nothing."""
    if rate_mhs:
        return Activity.HASHING
    if not works:
        return Activity.IDLE
    return Activity.STARTING if (elapsed_s or 0.0) < _STARTS_WITHIN_S else Activity.PAUSED


class Plugin(ApiMachine):
    """One ASIC with an older Braiins OS. `[[asic]]` with `plugin = "bosminer"`."""

    ports = (4028,)

    class Config(AsicConfig):
        """Its user is `root`, without a password unless its owner set one.

        `lowest_w`: its tuner takes less, and its chips do not like it. `highest_w` is its most;
        without it that is where its tuner stands when the bridge starts.
        """

        plugin: Literal["bosminer"] = "bosminer"
        http_port: int = Field(default=web.PORT, ge=1, le=65_535)
        lowest_w: float = Field(default=700.0, gt=0, le=20_000)
        highest_w: float | None = Field(default=None, gt=0, le=20_000)

    def __init__(self, config: Config, _context: PluginContext) -> None:
        super().__init__(config)
        self._config = config
        self._range: WattRange | None = None
        self._told_to_rest = False
        self._web = web.Web(config.address, config.http_port, who=self._who)
        self._luci: str | None = None
        self._session: str | None = None

    @classmethod
    async def recognize(cls, address: str, port: int) -> Device | None:
        """Return the machine at an open port; it tells its MAC only to those who log in."""
        version = await cgminer.glance(address, port, "version")
        row = dig(version, "VERSION", 0)
        # Newer ones say BOSer, and have a REST API that does more.
        if not isinstance(row, dict) or not any(name.startswith("BOSminer") for name in row):
            return None
        tuner = await cgminer.glance(address, port, "tunerstatus")
        if not rows(tuner, "TUNERSTATUS"):
            return None
        return Device(uid=address, kind=DeviceKind.ASIC, name="Braiins OS", url=f"http://{address}")

    async def probe(self) -> Device:
        """Return who it is and what it can do. Raises DeviceFault."""
        model = await self._web.ask("POST", "/graphql", {"query": _MODEL})
        before_w = self._range.max_w if self._range else 0.0
        found = device(
            self._address,
            await self._interfaces(),
            await self._ask("version"),
            model.body,
            await self._ask("tunerstatus"),
            self._config.lowest_w,
            self._config.highest_w or before_w,
        )
        self._met(found.uid)
        self._range = found.capabilities.power_limit
        return found

    async def read(self) -> AsicSample:
        """Look at it once. Raises DeviceFault."""
        names = ("summary", "tunerstatus", "temps", "fans", "pools")
        found = sample(await self._interfaces(), *[await self._ask(name) for name in names])
        if found.activity is Activity.STARTING and self._told_to_rest:
            return AsicSample(**{**vars(found), "activity": Activity.PAUSED})
        return found

    async def pause(self) -> None:
        """Stop hashing. Raises DeviceFault."""
        await self._command("pause")
        self._told_to_rest = True

    async def resume(self) -> None:
        """Hash again. Raises DeviceFault."""
        await self._command("resume")
        self._told_to_rest = False

    async def set(self, to: Setting) -> None:
        """Set the power target in watts; bosminer restarts. Raises DeviceFault."""
        limits = self._range
        if limits is None or isinstance(to, str) or not limits.min_w <= to <= limits.max_w:
            raise refused(self._address, f"set {to}", "that is no power target it allows")
        answer = await self._mutate(_TARGET, {"watts": round(to)}, f"set {to:.0f} W")
        told = dig(answer, "data", "bosminer", "config", "updateAutotuning")
        if dig(told, "autotuning", "powerTarget") is None:
            words = string(dig(told, "message")) or "it gave no reason"
            raise refused(self._address, f"set {to:.0f} W", words)

    async def restart(self) -> None:
        """Reboot it. Raises DeviceFault."""
        await self._mutate(_REBOOT, {}, "restart")
        self._luci = self._session = None
        self._told_to_rest = False
        self._web.forget()

    async def close(self) -> None:
        """Close the connection."""
        await self._web.close()

    async def _command(self, command: str) -> None:
        await self._who()
        answer = await cgminer.ask(self._address, self._port, command)
        cgminer.succeeded(self._address, command, answer)

    async def _interfaces(self) -> Any:
        """Return its network page, after logging in where the last login is over."""
        for _ in range(2):
            if self._luci is None:
                form = {
                    "luci_username": self._config.username or "root",
                    "luci_password": self._config.password(),
                }
                answer = await self._web.ask("POST", _LUCI, form=form)
                self._luci = answer.cookies.get("sysauth")
                if self._luci is None:
                    raise login_failed(self._address)
            page = await self._web.get(
                f"{_LUCI}/admin/network/iface_status/lan", {"Cookie": f"sysauth={self._luci}"}
            )
            if page.status == 200 and isinstance(page.body, list):
                return page.body
            if page.status == 200:
                raise unreadable(self._address, "its network page is no list")
            self._luci = None
        raise login_failed(self._address)

    async def _mutate(self, query: str, variables: dict[str, Any], what: str) -> Any:
        await self._who()
        for _ in range(2):
            if self._session is None:
                await self._log_in()
            headers = {"Cookie": f"session_id={self._session}"}
            body = {"query": query, "variables": variables}
            answer = await self._web.write("POST", "/graphql", body, headers)
            errors = rows(answer.body, "errors")
            if answer.status == 200 and not errors:
                return answer.body
            self._session = None
        words = string(dig(errors, 0, "message")) or f"status {answer.status}"
        raise refused(self._address, what, words)

    async def _log_in(self) -> None:
        variables = {
            "username": self._config.username or "root",
            "password": self._config.password(),
        }
        answer = await self._web.ask("POST", "/graphql", {"query": _LOGIN, "variables": variables})
        self._session = answer.cookies.get("session_id")
        if self._session is None:
            raise login_failed(self._address)

    async def _who(self) -> None:
        self._same(identity(await self._interfaces()))
