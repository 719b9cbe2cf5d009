"""Queued work over HTTP: words come and go here, with the key; events only say that it is done.

POST   /hashcenter/tasks        queue a chat completion
GET    /hashcenter/tasks        all tasks, without words
GET    /hashcenter/tasks/ID     one task, with its answer
DELETE /hashcenter/tasks/ID     cancel it, and delete its words
"""

import re
import secrets
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from .api_error import ApiError, bad_request
from .asking import Asking
from .incoming import body
from .question import read_chat_fields, read_object
from .task_rules import Run, Task
from .tasks import TaskQueue, TasksRefused

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DEADLINE_S: Final = 24 * 3600.0
_LONGEST_S: Final = 30 * 24 * 3600.0
_STATUS: Final = {"task_exists": 409, "queue_full": 429, "storage": 507}


class TasksApi:
    """The handlers."""

    def __init__(self, queue: TaskQueue, asking: Asking) -> None:
        self._queue = queue
        self._asking = asking

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Serve under `/hashcenter/tasks`."""
        router.add_post("/hashcenter/tasks", self.add)
        router.add_get("/hashcenter/tasks", self.list)
        router.add_get("/hashcenter/tasks/{id}", self.get)
        router.add_delete("/hashcenter/tasks/{id}", self.remove)

    async def add(self, request: web.Request) -> web.Response:
        """Queue a task. The same `id` with the same request is queued once."""
        fields = read_object(await body(request))
        asked = fields.get("request")
        if not isinstance(asked, dict):
            raise bad_request("request must be a chat completion", "request")
        question = read_chat_fields(asked)
        self._asking.known(question.model)
        await self._asking.counting.admit(question)
        number = fields.get("id", secrets.token_hex(8))
        if not (isinstance(number, str) and _ID.fullmatch(number)):
            raise bad_request("id must have 1 to 64 letters, digits, - and _", "id")
        deadline_s = fields.get("deadline_s", _DEADLINE_S)
        number_like = isinstance(deadline_s, int | float) and not isinstance(deadline_s, bool)
        if not number_like or not 0 < deadline_s <= _LONGEST_S:
            raise bad_request("deadline_s must be seconds from now, at most 30 days", "deadline_s")
        run = fields.get("run", Run.HEAT)
        if run not in list(Run):
            raise bad_request(f"run must be one of {', '.join(Run)}", "run")
        known = number in self._queue.tasks
        try:
            task = self._queue.add(asked, number, float(deadline_s), Run(run))
        except TasksRefused as refused:
            raise ApiError(_STATUS[refused.code], refused.code, str(refused)) from None
        status = HTTPStatus.OK if known else HTTPStatus.ACCEPTED
        return web.json_response(_outline(task), status=status)

    async def list(self, _request: web.Request) -> web.Response:
        """List all tasks without their words."""
        tasks = [_outline(task) for task in self._queue.tasks.values()]
        return web.json_response({"object": "list", "data": tasks})

    async def get(self, request: web.Request) -> web.Response:
        """Return a task with its answer."""
        task = self._queue.tasks.get(request.match_info["id"])
        if task is None:
            raise _unknown()
        return web.json_response({**_outline(task), "answer": task.answer, "error": task.error})

    async def remove(self, request: web.Request) -> web.Response:
        """Cancel a task and delete its words."""
        if not self._queue.remove(request.match_info["id"]):
            raise _unknown()
        return web.Response(status=HTTPStatus.NO_CONTENT)


def _outline(task: Task) -> dict[str, Any]:
    return {
        "id": task.id,
        "status": task.status,
        "reason": task.reason,
        "run": task.run,
        "created_at": task.created_at,
        "deadline_at": task.deadline_at,
        "ended_at": task.ended_at,
        "attempts": task.attempts,
    }


def _unknown() -> ApiError:
    return ApiError(404, "task_not_found", "there is no such task, or it was deleted", "id")
