"""REST behind a login that hands out a token, which expires whenever the machine likes."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from . import login_failed
from .web import Answer, Web


class TokenWeb:
    """HTTP with a token. `login` returns a fresh one, `header` is how it is sent."""

    def __init__(
        self,
        web: Web,
        login: Callable[[], Awaitable[str]],
        header: Callable[[str], Mapping[str, str]],
    ) -> None:
        self.web = web
        self._login = login
        self._header = header
        self._token: str | None = None

    async def get(self, path: str) -> Answer:
        """Return what is at `path`. Raises DeviceFault."""
        return await self._with_token(lambda headers: self.web.get(path, headers))

    async def write(self, method: str, path: str, body: Any = None) -> Answer:
        """Send what changes the machine; see `Web.write`. Raises DeviceFault."""
        return await self._with_token(lambda headers: self.web.write(method, path, body, headers))

    async def _with_token(self, send: Callable[[Mapping[str, str]], Awaitable[Answer]]) -> Answer:
        for _ in range(2):
            if self._token is None:
                self._token = await self._login()
            answer = await send(self._header(self._token))
            if answer.status not in {401, 403}:
                return answer
            # A token that was good a moment ago: it expired, or the machine rebooted.
            self._token = None
        raise login_failed(self.web.address)

    def forget(self) -> None:
        """The machine was told to reboot: its tokens are gone."""
        self._token = None
        self.web.forget()
