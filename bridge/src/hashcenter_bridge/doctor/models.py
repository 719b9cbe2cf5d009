"""What answers: weights and servers, and that models run where nothing can leave."""

from .. import build, locality
from ..config import Config, Source
from ..errors import BridgeError, RunnerFault
from ..finding import Finding
from ..plugin import PluginContext


async def weights(settings: Config, source: Source) -> list[Finding]:
    """The weights of each runner, or whether its server answers."""
    context = PluginContext(settings.rig.state_folder, settings.rig.runtime_folder / "programs")
    findings = []
    try:
        runners = build.runners(
            Config(rig=settings.rig, runner=_without_gpus(settings.runner)), source, context, ()
        )
    except BridgeError as err:
        return [Finding("runners", "failed", str(err))]
    for runner in runners:
        try:
            await runner.verify()
            text = "its weights are in order" if runner.child else "its server answers"
            findings.append(Finding(f"runner {runner.name}", "ok", text))
        except RunnerFault as fault:
            findings.append(Finding(f"runner {runner.name}", "failed", fault.text))
        await runner.close()
    return findings


def _without_gpus(blocks: tuple[dict[str, object], ...]) -> tuple[dict[str, object], ...]:
    """Weights are checked whatever GPUs there are."""
    return tuple({**block, "gpus": ()} for block in blocks)


async def network(settings: Config, _: Source) -> list[Finding]:
    """Whether models can run where nothing they are asked can leave."""
    if not settings.runner:
        return []
    if (why := await locality.possible()) is None:
        return [Finding("network of models", "ok", "they can run without any")]
    return [Finding("network of models", "warning", f"{why}; docs/security.md says what to do")]
