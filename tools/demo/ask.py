"""A question to the preferred voice assistant, as the Assist dialog asks it."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final

from tools.demo.client import HomeAssistant
from tools.demo.processes import DemoError

#: Fewer pieces than this are no stream.
PIECES: Final = 3

_ANSWER_WITHIN_S: Final = 120.0


@dataclass
class Answer:
    """What came back. `arrived` holds the loop's time of each piece of text."""

    asked_at: float
    pieces: list[str] = field(default_factory=list)
    arrived: list[float] = field(default_factory=list)
    speech: str = ""
    error: str | None = None

    @property
    def text(self) -> str:
        """The streamed text."""
        return "".join(self.pieces)

    @property
    def first_piece_s(self) -> float:
        """Seconds until the first piece of text."""
        return self.arrived[0] - self.asked_at if self.arrived else float("inf")

    @property
    def streaming_s(self) -> float:
        """Seconds from the first piece of text to the latest."""
        return self.arrived[-1] - self.arrived[0] if self.arrived else 0.0


async def ask(
    home: HomeAssistant,
    question: str,
    answer: Answer | None = None,
    hang_up_after_s: float = float("inf"),
) -> Answer:
    """Ask, and return when the answer is complete; `answer` may be watched meanwhile.

    The dialog is closed when text has been arriving for `hang_up_after_s` seconds, in some pieces.
    """
    clock = asyncio.get_running_loop().time
    answer = answer or Answer(clock())
    try:
        async with (
            asyncio.timeout(_ANSWER_WITHIN_S),
            home.subscribed(
                "assist_pipeline/run",
                start_stage="intent",
                end_stage="intent",
                input={"text": question},
                timeout=_ANSWER_WITHIN_S,
            ) as events,
        ):
            while not _take(answer, (await events.get()).get("event") or {}, clock()):
                if answer.streaming_s >= hang_up_after_s and len(answer.pieces) >= PIECES:
                    break
    except TimeoutError:
        raise DemoError(
            f"no complete answer within {_ANSWER_WITHIN_S:.0f} s; so far: {answer.text!r}"
        ) from None
    return answer


def _take(answer: Answer, event: dict[str, Any], now: float) -> bool:
    """Take one event of the pipeline; return whether it was the last."""
    data = event.get("data") or {}
    match event.get("type"):
        case "intent-progress":
            if piece := (data.get("chat_log_delta") or {}).get("content"):
                answer.pieces.append(piece)
                answer.arrived.append(now)
        case "intent-end":
            response = data["intent_output"]["response"]
            answer.speech = response["speech"].get("plain", {}).get("speech", "")
            if response["response_type"] == "error":
                answer.error = answer.speech
        case "error":
            answer.error = f"{data.get('code')}: {data.get('message')}"
        case "run-end":
            return True
    return False
