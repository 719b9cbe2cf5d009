"""What a scripted upstream can play: right answers, and everything that goes wrong in the field.

`says`, `thinks` and `calls` make right answers. `HOSTILE` names one play for each way in which real
servers, networks and models have been seen to break a stream. None may make a client hang, crash,
run a tool twice or speak what is not for the ear.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from .scripted_upstream import Drip, Play, Reset, Send, Silence, Step

DONE: Final = Send(b"data: [DONE]\n\n")

Tool = tuple[str, Mapping[str, Any]]


def chunk(delta: Mapping[str, Any], finish: str | None = None) -> Send:
    """Return one chunk of a streamed answer."""
    choice = {"index": 0, "delta": dict(delta), "finish_reason": finish}
    said = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "scripted",
        "choices": [choice],
    }
    return Send(b"data: " + json.dumps(said).encode() + b"\n\n")


def call_delta(index: int, arguments: str, *, name: str = "", id_: str = "") -> dict[str, Any]:
    """Return the delta with a fragment of tool call `index`; its first has `name` and `id_`."""
    function = {"arguments": arguments, **({"name": name} if name else {})}
    head = {"id": id_, "type": "function"} if id_ else {}
    return {"tool_calls": [{"index": index, **head, "function": function}]}


def says(text: str, *, finish: str = "stop") -> Play:
    """Return an answer in words, one word a chunk."""
    return stream(*_words(text), chunk({}, finish), DONE)


def thinks(thought: str, text: str) -> Play:
    """Return an answer that thinks in its own field first."""
    thinking = [chunk({"reasoning_content": f"{word} "}) for word in thought.split()]
    return stream(*thinking, *_words(text), chunk({}, "stop"), DONE)


def chooses(**likely: float) -> Play:
    """Return an answer of one token, with how likely each token was to be it."""
    top = [
        {"token": token, "logprob": math.log(share), "bytes": None}
        for token, share in sorted(likely.items(), key=lambda one: -one[1])
    ]
    step = chunk({"content": top[0]["token"]})
    said = json.loads(step.data.removeprefix(b"data: "))
    said["choices"][0]["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
    return stream(Send(b"data: " + json.dumps(said).encode() + b"\n\n"), chunk({}, "length"), DONE)


def calls(*tools: Tool, text: str = "") -> Play:
    """Return an answer that calls tools, in parallel where there are several."""
    return stream(*_words(text), *_calls(tools), chunk({}, "tool_calls"), DONE)


def fails(status: int, code: str | int, message: str = "No.", retry_after_s: int = 1) -> Play:
    """Return a refusal as OpenAI-compatible servers word it."""
    return fails_because(
        status, message=message, type="server_error", code=code, retry_after_s=retry_after_s
    )


def fails_because(status: int, *, retry_after_s: int = 1, **error: Any) -> Play:
    """Return a refusal with these fields in its error object."""
    return Play(
        (Send(json.dumps({"error": error}).encode()),),
        status=status,
        content_type="application/json",
        headers={"Retry-After": str(retry_after_s)},
    )


def stream(*steps: Step) -> Play:
    """Return an answer of these steps, after the chunk with the role."""
    return Play((chunk({"role": "assistant", "content": None}), *steps))


def _words(text: str) -> list[Send]:
    words = text.split(" ") if text else []
    return [chunk({"content": word if at == 0 else f" {word}"}) for at, word in enumerate(words)]


def _calls(tools: Iterable[Tool], cut: int = 7) -> list[Send]:
    sent: list[Send] = []
    for index, (name, arguments) in enumerate(tools):
        text = json.dumps(arguments)
        sent.append(chunk(call_delta(index, "", name=name, id_=f"call_{index}")))
        sent.extend(
            chunk(call_delta(index, text[at : at + cut])) for at in range(0, len(text), cut)
        )
    return sent


def hostile(tool: Tool) -> dict[str, Callable[[], Play]]:
    """Return the hostile plays by name; where one calls a tool, it calls `tool`."""
    name, arguments = tool
    text = json.dumps(arguments)
    whole = call_delta(0, text, name=name, id_="call_0")
    written = f"<tool_call>{json.dumps({'name': name, 'arguments': arguments})}</tool_call>"
    hello = _words("Hello there.")
    stop = chunk({}, "stop")
    called = chunk({}, "tool_calls")
    garbage = Send(b"data: {this is no JSON\n\n")
    return {
        # Tool calls
        "arguments_one_character_each": lambda: stream(*_calls([tool], cut=1), called, DONE),
        "bytes_one_each": lambda: _bytewise(stream(*_calls([tool]), called, DONE)),
        "arguments_never_end": lambda: stream(
            chunk(call_delta(0, text[:-3], name=name, id_="call_0")), called, DONE
        ),
        "arguments_are_no_json": lambda: stream(
            chunk(call_delta(0, "name=Lamp please", name=name, id_="call_0")), called, DONE
        ),
        "arguments_are_a_list": lambda: stream(
            chunk(call_delta(0, "[1, 2]", name=name, id_="call_0")), called, DONE
        ),
        "arguments_encoded_twice": lambda: stream(
            chunk(call_delta(0, json.dumps(text), name=name, id_="call_0")), called, DONE
        ),
        "arguments_with_empty_extras": lambda: stream(
            chunk(
                call_delta(
                    0, json.dumps({**arguments, "x": "", "y": None}), name=name, id_="call_0"
                )
            ),
            called,
            DONE,
        ),
        "arguments_nested_too_deep": lambda: stream(
            chunk(call_delta(0, '{"a":' * 5000, name=name, id_="call_0")), called, DONE
        ),
        "call_twice_under_one_id": lambda: stream(
            chunk(whole),
            chunk({"tool_calls": [{**whole["tool_calls"][0], "index": 1}]}),
            called,
            DONE,
        ),
        "call_without_id": lambda: stream(chunk(call_delta(0, text, name=name)), called, DONE),
        "wrong_tool_name": lambda: calls((f"{name}_please", arguments)),
        "bare_tool_name": lambda: calls((name.partition("__")[2], arguments)),
        "tool_call_without_name": lambda: stream(chunk(call_delta(0, text)), called, DONE),
        "tool_calls_of_odd_shape": lambda: stream(
            chunk({"tool_calls": ["?", 3, None, {"index": "x"}, {"function": 5}]}),
            *hello,
            stop,
            DONE,
        ),
        "call_repeated_in_finish_chunk": lambda: stream(
            chunk(whole), chunk(whole, "tool_calls"), DONE
        ),
        "call_only_in_finish_chunk": lambda: stream(chunk(whole, "tool_calls"), DONE),
        "call_after_double_finish": lambda: stream(
            chunk(whole), called, chunk(whole, "tool_calls"), DONE
        ),
        "call_inside_thinking_field": lambda: stream(
            chunk({"reasoning_content": "I must act.", **whole}), called, DONE
        ),
        "call_written_as_text": lambda: _text(written),
        "call_written_in_open_thought": lambda: _text(f"<think>I will. {written}"),
        "call_written_in_closed_thought": lambda: _text(f"<think>{written}</think>Hello there."),
        "call_written_and_parsed": lambda: stream(
            chunk({"content": written}), chunk(whole), called, DONE
        ),
        "call_then_reset": lambda: stream(chunk(whole), Reset()),
        "call_then_silence": lambda: stream(chunk(whole), Silence()),
        # Words
        "thinking_in_content": lambda: _text("<think>Hm.\nWhat now?</think>\n\nHello there."),
        "thinking_never_ends": lambda: _text("<think>Hm, let me see"),
        "stray_closing_tag": lambda: _text("</think>Hello there."),
        "end_mark_in_content": lambda: _text("Hello there.<|im_end|>"),
        "words_in_finish_chunk": lambda: stream(
            hello[0], chunk({"content": " there."}, "stop"), DONE
        ),
        "double_finish": lambda: stream(*hello, stop, stop, chunk({"content": " Again."}), DONE),
        "no_done": lambda: stream(*hello, stop),
        "done_without_finish": lambda: stream(*hello, DONE),
        "silence_after_finish": lambda: stream(*hello, stop, Silence()),
        "reset_after_finish": lambda: stream(*hello, stop, Reset()),
        "usage_without_choices": lambda: stream(
            *hello, stop, Send(b'data: {"choices":[],"usage":{"prompt_tokens":9}}\n\n'), DONE
        ),
        "keep_alive_comments": lambda: stream(
            Send(b": keep-alive\n\n: keep-alive\n\n"), *hello, Send(b":\n\n"), stop, DONE
        ),
        "carriage_returns": lambda: Play(
            tuple(
                Send(step.data.replace(b"\n", b"\r\n"))
                for step in says("Hello there.").steps
                if isinstance(step, Send)
            )
        ),
        # Failures
        "empty_answer": lambda: stream(stop, DONE),
        "nothing_at_all": lambda: Play(()),
        "closed_too_early": lambda: stream(*hello),
        "reset_mid_stream": lambda: stream(*hello, Reset()),
        "reset_before_first_token": lambda: stream(Reset()),
        "silence_before_first_token": lambda: stream(Silence()),
        "silence_mid_stream": lambda: stream(*hello, Silence()),
        "keep_alive_forever": lambda: stream(*hello, Drip(b": keep-alive\n\n")),
        "empty_chunks_forever": lambda: stream(*hello, Drip(chunk({"content": ""}).data)),
        "line_of_10_mb": lambda: stream(
            *hello, Send(b'data: {"x": "' + b"x" * (10 << 20)), Send(b'"}\n\n'), stop, DONE
        ),
        "words_forever": lambda: stream(Drip(chunk({"content": "la " * 20_000}).data, every_s=0)),
        "garbage_event": lambda: stream(*hello, garbage, stop, DONE),
        "event_is_no_object": lambda: stream(Send(b"data: [1]\n\n"), DONE),
        "event_nested_too_deep": lambda: stream(Send(b"data: " + b"[" * 100_000 + b"\n\n"), DONE),
        "error_event": lambda: stream(
            *hello, Send(b'data: {"error":{"message":"CUDA error","code":500}}\n\n')
        ),
        "error_field": lambda: stream(
            Send(b'error: {"code":500,"message":"slot unavailable"}\n\n')
        ),
        "page_instead_of_stream": lambda: Play(
            (Send(b"<html>Hi</html>"),), content_type="text/html"
        ),
        "redirect": lambda: Play((), status=307, headers={"Location": "/v1/elsewhere"}),
        "status_400_too_long": lambda: fails(400, "context_length_exceeded"),
        "status_401": lambda: fails(401, "wrong_key"),
        "status_429": lambda: fails(429, "rate_limit_exceeded"),
        "status_500": lambda: fails(500, "internal_error"),
        "status_500_without_end": lambda: Play((Send(b"{"), Silence()), status=500),
        "status_503_loading": lambda: fails(503, "loading"),
        "status_503_llama_cpp": lambda: fails(503, 503, "Loading model"),
        "status_503_stopped": lambda: fails(503, "stopped"),
        "status_503_queue_full": lambda: fails(503, "queue_full"),
    }


def _text(text: str) -> Play:
    """Return words that come three characters at a time, so that every tag is split."""
    pieces = [chunk({"content": text[at : at + 3]}) for at in range(0, len(text), 3)]
    return stream(*pieces, chunk({}, "stop"), DONE)


def _bytewise(play: Play) -> Play:
    """Return the play with each byte in a write of its own."""
    data = b"".join(step.data for step in play.steps if isinstance(step, Send))
    return Play(tuple(Send(data[at : at + 1]) for at in range(len(data))))
