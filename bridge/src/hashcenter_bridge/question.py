"""Reads a question as it came over HTTP, and refuses what no runner should see. Pure.

The body is written anew from what was read, so that a runner's parser cannot find anything in it
that was not checked here. Words never leave the house: an image must be in the question itself.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from .api_error import bad_request

_MAX_DEPTH: Final = 64
_MAX_NAME: Final = 120
_IN_PLACE: Final = "data:"
_MAX_PROMPT: Final = 32_000
_MAX_PICTURES: Final = 4
_SIZE: Final = re.compile(r"[1-9][0-9]{1,3}x[1-9][0-9]{1,3}")
#: How stable-diffusion.cpp's server takes settings, files among them, inside a prompt.
_SERVER_SETTINGS: Final = "<sd_cpp_extra_args>"


@dataclass(frozen=True)
class Question:
    """A checked question. `model` is None where the client named none."""

    fields: dict[str, Any]
    model: str | None
    stream: bool = False

    def body(self, model: str) -> bytes:
        """Return the question as JSON for the runner that serves `model`."""
        return _encode({**self.fields, "model": model})

    @property
    def has_more_than_text(self) -> bool:
        """Whether a message has a picture, or anything else that is no text."""
        parts = [message.get("content") for message in self.fields.get("messages", ())]
        return any(isinstance(part, list) for part in parts)

    @property
    def wants_progress(self) -> bool:
        """Whether the client itself asked to be told of the prompt's progress."""
        return self.fields.get("return_progress") is True

    def body_for_stream(self, model: str, **ours: Any) -> bytes:
        """Return it as a question for a stream; one that was none gets its usage at the end.

        `ours` are fields of the bridge's own; a client's of the same name do not count.
        """
        if not self.stream:
            ours |= {"stream": True, "stream_options": {"include_usage": True}}
        return _encode({**self.fields, **ours, "model": model})


def read_chat(payload: bytes) -> Question:
    """Return the chat completion asked for. Raises ApiError (400)."""
    return read_chat_fields(read_object(payload))


def read_chat_fields(fields: dict[str, Any]) -> Question:
    """Return the chat completion in a JSON object. Raises ApiError (400)."""
    stream = fields.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise bad_request("stream must be true or false", "stream")
    messages = fields.get("messages")
    if not isinstance(messages, list) or not messages:
        raise bad_request("messages must be a list with at least one message", "messages")
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise bad_request(f"{where} must be an object with a role", where)
        content = message.get("content")
        if isinstance(content, list):
            _refuse_remote(content, where)
        elif content is not None and not isinstance(content, str):
            raise bad_request(f"{where}.content must be text or a list of parts", where)
    return Question(fields, _model(fields), bool(stream))


@dataclass(frozen=True)
class Announcement:
    """Word that a question is about to come: from `who`, and how it will begin, if that is known.

    `background`: nobody speaks; the prompt has changed and shall be ready.
    """

    who: str | None
    fields: dict[str, Any] | None
    background: bool


def read_warm(payload: bytes) -> Announcement:
    """Return the announcement in a body, which may be empty. Raises ApiError (400)."""
    if not payload.strip():
        return Announcement(None, None, background=False)
    fields = read_object(payload)
    who, background = fields.pop("id", None), fields.pop("background", False)
    if who is not None and not (isinstance(who, str) and 0 < len(who) <= _MAX_NAME):
        raise bad_request(f"id must be a name of at most {_MAX_NAME} characters", "id")
    if not isinstance(background, bool):
        raise bad_request("background must be true or false", "background")
    if "messages" not in fields:
        return Announcement(who, None, background)
    return Announcement(who, read_chat(payload).fields, background)


def read_picture(payload: bytes) -> Question:
    """Return the picture asked for, in the answer itself. Raises ApiError (400)."""
    fields = read_object(payload)
    prompt, number, size = fields.get("prompt"), fields.get("n", 1), fields.get("size")
    if not isinstance(prompt, str) or not 0 < len(prompt.strip()) <= _MAX_PROMPT:
        raise bad_request(f"prompt must be text of at most {_MAX_PROMPT} characters", "prompt")
    if _SERVER_SETTINGS in prompt:
        raise bad_request("prompt must not hold settings of the image server", "prompt")
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= _MAX_PICTURES:
        raise bad_request(f"n must be a number from 1 to {_MAX_PICTURES}", "n")
    if size is not None and not (isinstance(size, str) and _SIZE.fullmatch(size)):
        raise bad_request("size must be written as 1024x1024", "size")
    if fields.get("response_format") not in {None, "b64_json"}:
        raise bad_request(
            "pictures come in the answer: response_format b64_json", "response_format"
        )
    known = {"prompt", "n", "size", "model", "quality", "style", "background", "user"}
    asked = {key: value for key, value in fields.items() if key in known}
    return Question({**asked, "response_format": "b64_json"}, _model(fields))


def read_embeddings(payload: bytes) -> Question:
    """Return the embeddings asked for. Raises ApiError (400)."""
    fields = read_object(payload)
    if not isinstance(fields.get("input"), str | list) or not fields["input"]:
        raise bad_request("input must be text or a list", "input")
    return Question(fields, _model(fields))


def read_object(payload: bytes) -> dict[str, Any]:
    """Return the JSON object in a body. Raises ApiError (400)."""
    try:
        fields = json.loads(payload, parse_constant=_no_number)
        # What was read must also be text that can be sent: no half surrogate pairs, no 1e999.
        _encode(fields)
    except (ValueError, RecursionError):
        raise bad_request("the body is not JSON that can be read", code="invalid_json") from None
    if not isinstance(fields, dict):
        raise bad_request("the body must be a JSON object", code="invalid_json")
    if _deeper_than(fields, _MAX_DEPTH):
        raise bad_request(f"the body is nested more than {_MAX_DEPTH} deep", code="invalid_json")
    return fields


def _encode(fields: object) -> bytes:
    return json.dumps(fields, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _deeper_than(value: object, depth: int) -> bool:
    level = [value]
    for _ in range(depth):
        inner: list[object] = []
        for one in level:
            if isinstance(one, dict):
                inner.extend(one.values())
            elif isinstance(one, list):
                inner.extend(one)
        if not inner:
            return False
        level = inner
    return True


def _model(fields: dict[str, Any]) -> str | None:
    model = fields.get("model")
    if model is not None and not isinstance(model, str):
        raise bad_request("model must be the name of a model", "model")
    return model or None


def _refuse_remote(value: object, where: str) -> None:
    """Refuse every address in the parts of a message: a runner would fetch it."""
    if isinstance(value, list):
        for one in value:
            _refuse_remote(one, where)
    elif isinstance(value, dict):
        for key, one in value.items():
            if isinstance(one, str):
                is_address = key == "url" or key.endswith("_url")
                if is_address and not one.strip().lower().startswith(_IN_PLACE):
                    raise bad_request(
                        f"{where} has an address ({key}); send the content itself as a data: URL, "
                        "because nothing is fetched from elsewhere",
                        where,
                        "remote_url_refused",
                    )
            else:
                _refuse_remote(one, where)
