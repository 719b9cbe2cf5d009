"""What answers: weights and servers, a real answer, and that nothing leaves where models run."""

import time
from typing import Final

import aiohttp

from .. import build, locality
from ..config import Config, Source, is_loopback
from ..errors import BridgeError, RunnerFault
from ..finding import Finding
from ..key import read_or_make
from ..plugin import PluginContext
from ..runners import Runner, Upstream
from ..runners.upstream import session
from .running import bridge

_QUESTION: Final = "Count from one to twenty in words."
_TOKENS: Final = 32
#: A large model may have to be loaded first.
_ANSWER_WITHIN_S: Final = 180.0


async def weights(settings: Config, source: Source) -> list[Finding]:
    """The weights of each runner, or whether its server answers; then a question to each."""
    context = PluginContext(settings.rig.state_folder, settings.rig.runtime_folder / "programs")
    findings = []
    try:
        runners = build.runners(
            Config(rig=settings.rig, runner=_without_gpus(settings.runner)), source, context, ()
        )
    except BridgeError as err:
        return [Finding("runners", "failed", str(err))]
    asked: list[Runner] = []
    for runner in runners:
        try:
            await runner.verify()
            text = "its weights are in order" if runner.child else "its server answers"
            findings.append(Finding(f"runner {runner.name}", "ok", text))
            asked.append(runner)
        except RunnerFault as fault:
            findings.append(Finding(f"runner {runner.name}", "failed", fault.text))
        await runner.close()
    return findings + await _answers(settings, asked)


def _without_gpus(blocks: tuple[dict[str, object], ...]) -> tuple[dict[str, object], ...]:
    """Weights are checked whatever GPUs there are."""
    return tuple({**block, "gpus": ()} for block in blocks)


async def _answers(settings: Config, runners: list[Runner]) -> list[Finding]:
    """A short answer of each model through the running bridge's own API, and how fast it came."""
    models = [
        (runner.name, runner.models[0].id)
        for runner in runners
        if runner.models and not runner.upstream.draws
    ]
    if not models:
        return []
    try:
        if await bridge(settings) is None:
            text = "not asked, because the bridge does not run: start it, then ask again"
            return [Finding("answers", "warning", text)]
        if not settings.http.enabled:
            return [Finding("answers", "warning", "not asked: the API is off ([http] enabled)")]
        api = _api(settings)
    except BridgeError as err:
        return [Finding("answers", "failed", str(err))]
    return [await _answer(api, name, model) for name, model in models]


def _api(settings: Config) -> Upstream:
    """Return how to reach this rig's own API. Raises ConfigError."""
    http, state = settings.http, settings.rig.state_folder
    shown = http.certificate(state)
    host = http.listen if is_loopback(http.listen) or "." in http.listen else "127.0.0.1"
    host = "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 - asked, not listened on
    host = f"[{host}]" if ":" in host else host
    return Upstream(
        f"{'https' if shown else 'http'}://{host}:{http.port}/v1",
        api_key=read_or_make(state),
        fingerprint=shown.fingerprint if shown else None,
    )


async def _answer(api: Upstream, runner: str, model: str) -> Finding:
    check = f"answer of {runner}"
    body = {
        "model": model,
        "messages": [{"role": "user", "content": _QUESTION}],
        "max_tokens": _TOKENS,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    began = time.monotonic()
    try:
        async with (
            session(api) as asking,
            asking.post(
                f"{api.base_url}/chat/completions",
                json=body,
                headers={"X-Hashcenter-Priority": "batch"},
                timeout=aiohttp.ClientTimeout(total=_ANSWER_WITHIN_S),
            ) as response,
        ):
            if response.status != 200:
                said = (await response.text())[:200]
                return Finding(check, "failed", f"{model}: {response.status} {said}")
            pieces = [
                time.monotonic()
                async for line in response.content
                if line.startswith(b"data: {") and b'"delta"' in line
            ]
    except (aiohttp.ClientError, TimeoutError, OSError) as err:
        why = str(err) or f"nothing within {_ANSWER_WITHIN_S:.0f} s"
        return Finding(check, "failed", f"{model}: {why}; see the bridge's log")
    if len(pieces) < 2:
        return Finding(check, "failed", f"{model} answered nothing; see the bridge's log")
    speed = (len(pieces) - 1) / max(pieces[-1] - pieces[0], 1e-6)
    text = f"{model}: first word after {pieces[0] - began:.1f} s, then {speed:.0f} tokens/s"
    return Finding(check, "ok", text)


async def network(settings: Config, _: Source) -> list[Finding]:
    """Whether anything can leave from where models run: a test program tries."""
    if not settings.runner:
        return []
    findings = []
    if (why := await locality.possible()) is not None:
        text = f"{why}; docs/security.md says what to do"
        findings.append(Finding("network of models", "warning", text))
    else:
        proof = await locality.proven()
        findings.append(Finding("network of models", "ok" if proof.local else "warning", proof.why))
    findings += [
        Finding(
            f"network of {block.get('name')}",
            "warning",
            'it has this machine\'s network (network = "host"): what it is asked could leave',
        )
        for block in settings.runner
        if block.get("network") == "host"
    ]
    return findings
