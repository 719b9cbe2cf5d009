"""Any miner with xmrig's HTTP API: xmrig itself, or the reference miner.

`GET /2/summary` says what it does, `POST /json_rpc` pauses and resumes it. Either the bridge starts
it (`command`; where its API listens and its token are then appended in xmrig's own options), or it
runs already (`url`). An answer to a command is never taken for its effect: that is in the next
summary. Source: xmrig's doc/API.md and doc/api/2/summary.json.
"""

import json
import secrets
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import aiohttp
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError, model_validator

from ..child import ChildSpec
from ..errors import MinerFault
from ..plugin import MinerConfig, PluginContext, ProgramConfig
from . import MinerReading
from .local import beside_us, free_port, read_all

_ANSWER_WITHIN_S = 3.0
_HASH_RATE_10_S = 0


class _Vendor(BaseModel):
    """Part of what xmrig says; what we do not know is ignored, what is not there stays None."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _HashRate(_Vendor):
    total: tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)] | None, ...] = ()


class _Results(_Vendor):
    shares_good: NonNegativeInt = 0
    shares_total: NonNegativeInt = 0


class _Connection(_Vendor):
    ip: str | None = None


class Summary(_Vendor):
    """The part of `GET /2/summary` that matters here."""

    paused: bool
    algo: Annotated[str, Field(max_length=64)] | None = None
    hashrate: _HashRate = _HashRate()
    results: _Results = _Results()
    connection: _Connection | None = None

    def reading(self) -> MinerReading:
        """Return it in the bridge's words. xmrig knows the pool's address while it is connected."""
        rates = self.hashrate.total
        return MinerReading(
            paused=self.paused,
            hash_rate_hs=rates[_HASH_RATE_10_S] if rates else None,
            shares_accepted=self.results.shares_good,
            shares_rejected=max(self.results.shares_total - self.results.shares_good, 0),
            pool_connected=None if self.connection is None else bool(self.connection.ip),
            algorithm=self.algo,
        )


class Plugin:
    """One miner with xmrig's HTTP API."""

    can_pause = True

    class Config(MinerConfig):
        """The owner's `[[miner]]` block.

        `command` starts the miner. Without `url` the plugin chooses a port and a token and appends
        `--http-host`, `--http-port`, `--http-access-token` and `--http-no-restricted`; with `url`
        it is started as written. `token_file` holds the access token that goes with `url`.
        """

        plugin: Literal["xmrig"]
        command: tuple[str, ...] = ()
        url: str | None = Field(default=None, pattern=r"^https?://[^/\s?#@]+$")
        token_file: Path | None = None
        nice: int = Field(default=10, ge=0, le=19)

        @model_validator(mode="after")
        def _can_be_reached(self) -> Self:
            if not self.command and self.url is None:
                raise ValueError("name a command that starts the miner, or the url of its API")
            if self.token_file is not None and self.url is None:
                raise ValueError("token_file goes with url; without it the bridge makes a token")
            return self

    def __init__(self, config: Config, gpus: tuple[str, ...], _context: PluginContext) -> None:
        self.name = config.name
        self.config: ProgramConfig = config
        self.gpus = gpus
        self._token_file = config.token_file
        self._token: str | None = None
        self._session: aiohttp.ClientSession | None = None
        command = beside_us(config.command)
        if config.url is None:
            port, self._token = free_port(), secrets.token_urlsafe(24)
            self._url = f"http://127.0.0.1:{port}"
            command = (*command, *_api_options(port, self._token))
        else:
            self._url = config.url
        self.child = ChildSpec(self.name, command, nice=config.nice) if command else None

    async def read(self) -> MinerReading:
        """Ask the miner what it does. Raises MinerFault."""
        answer = await self._ask("GET", "/2/summary")
        if isinstance(answer, dict) and "paused" not in answer:
            raise MinerFault(
                "miner_unreadable",
                f"{self.name} at {self._url} does not say whether it is paused: "
                "it needs xmrig's HTTP API of version 6 or newer",
            )
        try:
            return Summary.model_validate(answer).reading()
        except ValidationError as err:
            where = ".".join(map(str, err.errors()[0]["loc"])) or "the answer"
            raise self._unreadable(f"{where} is not as xmrig's") from None

    async def pause(self) -> None:
        """Ask the miner to stop hashing and to keep its memory and its pool. Raises MinerFault."""
        await self._command("pause")

    async def resume(self) -> None:
        """Ask the miner to hash again. Raises MinerFault."""
        await self._command("resume")

    async def close(self) -> None:
        """Close the connection to the miner; the miner goes on as it is."""
        if self._session is not None:
            await self._session.close()

    async def _command(self, method: str) -> None:
        answer = await self._ask("POST", "/json_rpc", {"method": method, "id": 1})
        error = answer.get("error") if isinstance(answer, dict) else "no JSON-RPC answer"
        if error:
            said = error.get("message", error) if isinstance(error, dict) else error
            raise MinerFault("miner_refused", f"{self.name} refused to {method}: {str(said)[:100]}")

    async def _ask(self, verb: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Return the JSON that the miner answers. Raises MinerFault."""
        headers = {"Authorization": f"Bearer {token}"} if (token := self._read_token()) else {}
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=_ANSWER_WITHIN_S)
            # A kept connection would fail the first command after a restart of the miner.
            connector = aiohttp.TCPConnector(force_close=True)
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)
        try:
            async with self._session.request(
                verb, self._url + path, json=body, headers=headers, allow_redirects=False
            ) as answer:
                status, text = answer.status, await read_all(answer)
        except TimeoutError:
            raise MinerFault(
                "miner_unreachable",
                f"{self.name} at {self._url} has not answered for {_ANSWER_WITHIN_S:.0f} s",
            ) from None
        except (aiohttp.ClientError, OSError, ValueError) as err:
            raise MinerFault(
                "miner_unreachable",
                f"{self.name} at {self._url} cannot be reached ({str(err)[:200]})",
            ) from None
        if status != 200:
            raise MinerFault("miner_refused", self._refusal(verb, status))
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise self._unreadable("it is not JSON") from None

    def _refusal(self, verb: str, status: int) -> str:
        if status in (401, 403) and verb == "GET":
            return f"{self.name} at {self._url} wants another access token: see its token_file"
        if status == 403:
            return (
                f"{self.name} at {self._url} can only be read: start it with an access token and "
                "--http-no-restricted"
            )
        return f"{self.name} at {self._url} answers with status {status}: is this xmrig's HTTP API?"

    def _unreadable(self, why: str) -> MinerFault:
        return MinerFault(
            "miner_unreadable", f"{self.name} at {self._url} sent an unreadable answer: {why}"
        )

    def _read_token(self) -> str | None:
        if self._token_file is None:
            return self._token
        try:
            return self._token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as err:
            reason = getattr(err, "strerror", None) or "not text"
            raise MinerFault(
                "miner_refused", f"{self.name}: {self._token_file} cannot be read ({reason})"
            ) from None


def _api_options(port: int, token: str) -> tuple[str, ...]:
    """Return what makes xmrig serve its API to us alone."""
    return (
        "--http-host=127.0.0.1",
        f"--http-port={port}",
        f"--http-access-token={token}",
        "--http-no-restricted",
    )
