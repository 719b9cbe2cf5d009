"""T-Rex by its HTTP API: read, paused and resumed.

    GET /summary      GET /control?pause=true, pause=false (lower case: "True" says success and
    does nothing)     GET /login?password=... -> sid, which a protected one wants with each control

Either the bridge starts it (`command`; where its API listens is then appended), or it runs already
(`url`). An answer to a command is never taken for its effect: that is in the next summary. A pause
keeps its memory; with `pause = false` it is stopped instead, so that a language model fits.
Source: T-Rex's wiki (API) and its issues 1447, 1189 and 695.
"""

import json
from pathlib import Path
from typing import Any, Final, Literal, Self
from urllib.parse import urlencode

import aiohttp
from pydantic import Field, model_validator

from ..child import ChildSpec
from ..errors import MinerFault
from ..plugin import MinerConfig, PluginContext, ProgramConfig
from . import MinerReading
from .local import beside_us, free_port, read_all

_ANSWER_WITHIN_S: Final = 3.0


def reading(summary: Any) -> MinerReading:
    """Return a summary in the bridge's words. Raises ValueError for what is no summary."""
    if not isinstance(summary, dict) or "hashrate" not in summary:
        raise ValueError("it has no hashrate")
    cards = [card for card in _rows(summary.get("gpus")) if isinstance(card.get("paused"), bool)]
    paused = summary.get("paused")
    if not isinstance(paused, bool):
        paused = bool(cards) and all(card["paused"] for card in cards)
    pool = summary.get("active_pool")
    url = pool.get("url") if isinstance(pool, dict) else None
    algorithm = summary.get("algorithm")
    return MinerReading(
        paused=paused,
        hash_rate_hs=_amount(summary.get("hashrate")),
        shares_accepted=int(_amount(summary.get("accepted_count")) or 0),
        shares_rejected=int(_amount(summary.get("rejected_count")) or 0),
        pool_connected=bool(url) if isinstance(pool, dict) else None,
        algorithm=algorithm[:64] if isinstance(algorithm, str) else None,
    )


def _rows(value: Any) -> list[dict[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _amount(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < float("inf") else None


class Plugin:
    """One T-Rex."""

    class Config(MinerConfig):
        """The owner's `[[miner]]` block.

        `command` starts it, with its pool and wallet; without `url` the plugin chooses a port and
        appends `--api-bind-http`. `password_file` holds its API's password, if it has one.
        """

        plugin: Literal["trex"]
        command: tuple[str, ...] = ()
        url: str | None = Field(default=None, pattern=r"^https?://[^/\s?#@]+$")
        password_file: Path | None = None
        pause: bool = True
        nice: int = Field(default=10, ge=0, le=19)

        @model_validator(mode="after")
        def _can_be_reached(self) -> Self:
            if not self.command and self.url is None:
                raise ValueError("name a command that starts the miner, or the url of its API")
            if not self.command and not self.pause:
                raise ValueError("pause = false goes with command: only our own can be stopped")
            return self

    def __init__(self, config: Config, gpus: tuple[str, ...], _context: PluginContext) -> None:
        self.name = config.name
        self.config: ProgramConfig = config
        self.gpus = gpus
        self.can_pause = config.pause
        self._password_file = config.password_file
        self._sid: str | None = None
        self._session: aiohttp.ClientSession | None = None
        command = beside_us(config.command)
        if config.url is None:
            port = free_port()
            self._url = f"http://127.0.0.1:{port}"
            command = (*command, "--api-bind-http", f"127.0.0.1:{port}")
        else:
            self._url = config.url
        self.child = ChildSpec(self.name, command, nice=config.nice) if command else None

    async def read(self) -> MinerReading:
        """Ask the miner what it does. Raises MinerFault."""
        status, answer = await self._ask("/summary")
        if status != 200:
            raise self._unreadable(f"status {status}")
        try:
            return reading(answer)
        except ValueError as err:
            raise self._unreadable(str(err)) from None

    async def pause(self) -> None:
        """Ask the miner to stop hashing and to keep its memory and its pool. Raises MinerFault."""
        await self._control("true", "pause")

    async def resume(self) -> None:
        """Ask the miner to hash again. Raises MinerFault."""
        await self._control("false", "resume")

    async def close(self) -> None:
        """Close the connection to the miner; the miner goes on as it is."""
        if self._session is not None:
            await self._session.close()

    async def _control(self, value: str, what: str) -> None:
        for _ in range(2):
            if self._password_file is not None and self._sid is None:
                self._sid = await self._log_in(self._password_file)
            query = {"pause": value} | ({"sid": self._sid} if self._sid else {})
            status, answer = await self._ask(f"/control?{urlencode(query)}")
            if status == 200 and isinstance(answer, dict) and answer.get("success"):
                return
            if self._sid is None:
                break
            # Sessions end with the miner's own.
            self._sid = None
        said = answer.get("error") if isinstance(answer, dict) else None
        raise MinerFault(
            "miner_refused",
            f"{self.name} refused to {what} ({str(said or f'status {status}')[:100]}): its API may "
            "be read-only, or want a password (password_file)",
        )

    async def _log_in(self, file: Path) -> str:
        _, answer = await self._ask(f"/login?{urlencode({'password': self._password(file)})}")
        sid = answer.get("sid") if isinstance(answer, dict) else None
        if not isinstance(sid, str) or not sid:
            raise MinerFault("miner_refused", f"{self.name} did not take the password of {file}")
        return sid

    def _password(self, file: Path) -> str:
        try:
            return file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as err:
            reason = getattr(err, "strerror", None) or "not text"
            raise MinerFault(
                "miner_refused", f"{self.name}: {file} cannot be read ({reason})"
            ) from None

    async def _ask(self, path: str) -> tuple[int, Any]:
        """Return the status and the JSON that the miner answers, None for what is none."""
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=_ANSWER_WITHIN_S)
            # A kept connection would fail the first command after a restart of the miner.
            connector = aiohttp.TCPConnector(force_close=True)
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)
        try:
            async with self._session.get(self._url + path, allow_redirects=False) as answer:
                text = await read_all(answer)
        except TimeoutError:
            raise MinerFault(
                "miner_unreachable",
                f"{self.name} at {self._url} has not answered for {_ANSWER_WITHIN_S:.0f} s",
            ) from None
        except (aiohttp.ClientError, OSError, ValueError):
            # What the library says would name the address with the password in it.
            raise MinerFault(
                "miner_unreachable", f"{self.name} at {self._url} cannot be reached"
            ) from None
        try:
            return answer.status, json.loads(text)
        except (ValueError, RecursionError):
            return answer.status, None

    def _unreadable(self, why: str) -> MinerFault:
        return MinerFault(
            "miner_unreadable", f"{self.name} at {self._url} sent an unreadable answer: {why}"
        )
