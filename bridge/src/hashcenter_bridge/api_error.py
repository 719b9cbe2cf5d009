"""What the HTTP API says when it cannot answer: a status, a stable code, one sentence.

On the wire it has the form of OpenAI's errors, so that every client library understands it.
Source: OpenAI API reference, error object (`error.message`, `.type`, `.param`, `.code`).
"""

import json
from collections.abc import Mapping

from aiohttp import web

#: What a client may do about it, by status; everything else is our side's.
_TYPES: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "invalid_request_error",
    405: "invalid_request_error",
    413: "invalid_request_error",
    429: "rate_limit_error",
}


class ApiError(Exception):
    """An answer that is a refusal. `param` names the field of the request that is wrong.

    `details` are figures that a client can act on; they stand beside the code.
    """

    def __init__(
        self,
        status: int,
        code: str,
        text: str,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.text = text
        self.param = param
        self.headers = headers
        self.details = details or {}

    def as_json(self) -> str:
        """Return the error object."""
        kind = _TYPES.get(self.status, "server_error")
        error = {"message": self.text, "type": kind, "param": self.param, "code": self.code}
        return json.dumps({"error": {**error, **self.details}})

    def as_response(self) -> web.Response:
        """Return the error as a whole response."""
        return web.Response(
            status=self.status,
            text=self.as_json(),
            content_type="application/json",
            headers=self.headers,
        )

    def as_event(self) -> bytes:
        """Return the error as a server-sent event, for an answer that has begun."""
        return b"data: " + self.as_json().encode() + b"\n\n"


def bad_request(text: str, param: str | None = None, code: str = "invalid_request") -> ApiError:
    """Return the refusal of a request that is wrong."""
    return ApiError(400, code, text, param)
