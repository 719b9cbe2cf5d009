"""`GET /healthz` and `/readyz`: does the bridge live, can it do its work; no key needed.

They say nothing of the house and quote no sentence: what is wrong is in the log, in Home Assistant
and behind the key. 200 is yes, 503 is no, and a program that asks needs no more.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import web

PATHS: Final = frozenset({"/healthz", "/readyz"})


@dataclass(frozen=True)
class Ready:
    """What the work needs. `answers` is None for a rig that has no model and only heats.

    Whoever sends questions wants a rig that answers, whatever its broker does; a rig without models
    works when the house hears it and it reads its devices.
    """

    answers: bool | None
    broker: bool
    readings: bool

    @property
    def ready(self) -> bool:
        """Whether it can work now."""
        return self.answers if self.answers is not None else self.broker and self.readings


def add_probes(
    app: web.Application, still: Callable[[], list[str]], ready: Callable[[], Ready]
) -> None:
    """Let `app` answer: `still` names the parts that do not move on."""

    async def healthz(_request: web.Request) -> web.Response:
        parts = still()
        return _answer(not parts, {"healthy": not parts, "still": parts})

    async def readyz(_request: web.Request) -> web.Response:
        now = ready()
        said = {"answers": now.answers, "broker": now.broker, "readings": now.readings}
        return _answer(now.ready, {"ready": now.ready, **said})

    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)


def _answer(well: bool, said: Mapping[str, object]) -> web.Response:  # noqa: FBT001
    headers = {"Cache-Control": "no-store"}
    return web.json_response(said, status=200 if well else 503, headers=headers)
