"""No question, however strange, breaks the HTTP API or a real runner."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings, strategies as st

from tests.bridge.serving import MODEL, Api, Running, error_of

CHAT = "/v1/chat/completions"
HELLO: Any = [{"role": "user", "content": "Say hello."}]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool", "x"]), "content": JSON}
)
QUESTION = st.fixed_dictionaries(
    {"messages": st.lists(MESSAGE, min_size=1, max_size=3) | st.just(HELLO) | JSON},
    optional={
        "model": st.just(MODEL) | JSON,
        "stream": st.booleans() | JSON,
        "temperature": JSON,
        "stop": JSON,
        "tools": JSON,
        "response_format": JSON,
        "stream_options": JSON,
    },
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(question=QUESTION | JSON)
async def test_no_question_breaks_the_api_or_the_runner(
    api: Api, runner: Running, question: Any
) -> None:
    pid = runner.child.pid
    if isinstance(question, dict):
        question["max_tokens"] = 2
    body = json.dumps(question)
    async with api.client() as client, client.post(CHAT, data=body) as response:
        assert response.status in {200, 400, 404, 502}
        if response.status != 200:
            assert (await error_of(response))["code"] != "runner_gone"
        else:
            await response.read()
    assert runner.child.pid == pid
    assert not api.open
