"""The wire as JSON Schema, for people who write a bridge or a house of their own.

Canonical source: bridge/src/hashcenter_bridge/wire.
"""

from typing import Any

from pydantic import TypeAdapter

from .messages import AnyRequest
from .topics import REQUEST, SAID_BY_RIG
from .version import MIN_PROTOCOL, PROTOCOL


def wire() -> dict[str, Any]:
    """Return, for every topic, whether it is retained and the schema of its message."""
    topics: dict[str, Any] = {
        topic.of("RIG", "UID" if topic.per_device else None): {
            "retained": topic.retained,
            "expiry_s": topic.expiry_s,
            "message": topic.message.model_json_schema(),
        }
        for topic in SAID_BY_RIG
    }
    requests: TypeAdapter[AnyRequest] = TypeAdapter(AnyRequest)
    topics[REQUEST.of("RIG")] = {
        "retained": REQUEST.retained,
        "expiry_s": REQUEST.expiry_s,
        "message": requests.json_schema(),
    }
    return {"protocol": PROTOCOL, "min_protocol": MIN_PROTOCOL, "topics": topics}
