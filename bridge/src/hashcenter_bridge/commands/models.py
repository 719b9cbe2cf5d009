"""`hashcenter models`: what is configured, trusted, known, and whether it fits."""

import argparse
import asyncio
import sys

from .. import build, fit, fit_report, models, presets
from ..errors import ConfigError, RunnerFault
from ..plugin import PluginContext
from ..runners import HasDoubt
from ..store import make_folder
from ..wire.values import DeviceKind
from . import load, probed


def ask(asked: argparse.Namespace) -> int:
    """Do what is asked with a model, or list those that are configured; 1 if one fails."""
    if asked.action is None:
        return _show_models(asked)
    if asked.context < 1:
        raise ConfigError("--context is a number of tokens, 1 or more")
    if asked.action == "presets":
        return _presets(asked)
    if asked.file is None:
        raise ConfigError(f"say which file: hashcenter models {asked.action} FILE")
    if asked.action == "fit":
        return _fit(asked)
    settings, source = load(asked)
    build.check(settings, source)
    folder = make_folder(settings.rig.state_folder, "state_folder")
    if asked.action == "add":
        print(models.add(asked.file, settings.runner, folder, _hint))
    else:
        print(models.forget(asked.file, folder))
    return 0


def _fit(asked: argparse.Namespace) -> int:
    model = fit_report.read_shape(asked.file)
    print(fit_report.report(model, asyncio.run(_cards(asked)), asked.context))
    return 0


def _presets(asked: argparse.Namespace) -> int:
    """Tell of the models that are known; of this machine's GPUs too, once there is a file."""
    named = presets.find(str(asked.file)) if asked.file is not None else None
    try:
        cards = asyncio.run(_cards(asked))
    except ConfigError as err:
        _hint(f"Nothing is said about these GPUs: {err}")
        cards = []
    if named is None:
        print(presets.listed(cards, asked.context))
    else:
        print(presets.described(named, cards, asked.context))
    return 0


async def _cards(asked: argparse.Namespace) -> list[fit.Card]:
    """Return this machine's GPUs as the owner's file has them read."""
    settings, source = load(asked)
    metering = await probed(settings, source)
    speeds = fit_report.links()
    found = [one for one in metering.watched.values() if one.device.kind == DeviceKind.GPU]
    named = [
        fit.Card(
            one.device.model or one.device.name,
            int((one.readings.memory_total_mib or 0) * 1024**2),
            speeds[index] if len(speeds) == len(found) else None,
        )
        for index, one in enumerate(found)
    ]
    await metering.close()
    return named


def _show_models(asked: argparse.Namespace) -> int:
    settings, source = load(asked)
    build.check(settings, source)
    context = PluginContext(settings.rig.state_folder, settings.rig.runtime_folder / "programs")
    if asked.reread:
        models.reread(settings.runner, settings.rig.state_folder)

    async def show() -> int:
        metering = await probed(settings, source)
        devices = [watched.device for watched in metering.watched.values()]
        failed = 0
        for runner in build.runners(settings, source, context, devices):
            try:
                await runner.verify()
                verdict = (isinstance(runner, HasDoubt) and runner.doubt) or "ok"
            except RunnerFault as fault:
                verdict, failed = fault.text, 1
            for model in runner.models:
                size_mb = (model.size_bytes or 0) / 1e6
                print(f"{model.id}  {size_mb:.0f} MB  ({runner.name}): {verdict}")
            await runner.close()
        await metering.close()
        return failed

    return asyncio.run(show())


def _hint(text: str) -> None:
    print(text, file=sys.stderr)
