"""The command `hashcenter`: run the bridge, and ask about the rig it runs on.

Every mistake of a person ends here as one sentence on stderr and exit code 2, failures of the
machine as exit code 1; no traceback reaches anybody.
"""

import argparse
import asyncio
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from . import (
    __version__,
    app,
    build,
    config,
    control,
    doctor,
    fit,
    fit_report,
    key,
    local_pool,
    log,
    models,
    presets,
)
from .alone import alone
from .config import DEFAULT_PATHS, Config, Source
from .devices.asic import AsicConfig, normal_mac
from .errors import BridgeError, ConfigError, RunnerFault, unforeseen
from .fleet import console, scan
from .metering import Metering
from .plugin import PluginContext
from .registry import Family, names
from .runners import HasDoubt
from .store import Kept, Store, make_folder
from .system import install, plan as installation
from .wire import schema
from .wire.values import DeviceKind


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    asked = _parser().parse_args(arguments)
    try:
        return int(asked.command(asked) or 0)
    except ConfigError as err:
        print(f"hashcenter: {err}", file=sys.stderr)
        return 2
    except BridgeError as err:
        print(f"hashcenter: {err}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1
    except Exception as err:  # noqa: BLE001 - the last resort, so that nobody reads a traceback
        print(f"hashcenter: {_unforeseen(err)}", file=sys.stderr)
        return 1


def _unforeseen(err: BaseException) -> str:
    """Return what to say of an error that nobody caught; the log says more at level debug."""
    logging.getLogger(__name__).debug("the whole story:", exc_info=err)
    while isinstance(err, BaseExceptionGroup):
        err = err.exceptions[0]
    return str(err) if isinstance(err, BridgeError) else f"a mistake of ours: {unforeseen(err)}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hashcenter",
        description="Measures a rig, heats with its miners, answers with its own model.",
    )
    parser.add_argument("--version", action="version", version=f"hashcenter {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(
        name: str, command: Callable[[argparse.Namespace], int | None], text: str
    ) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=command)
        if name != "schema":
            sub.add_argument(
                "--config",
                type=Path,
                metavar="FILE",
                help="the owner's file (default: ./hashcenter.toml, then /etc/hashcenter/)",
            )
        return sub

    add("run", _run, "run the bridge until it is told to stop")
    check = add("doctor", _doctor, "check this rig and say what to repair")
    check.add_argument("--json", action="store_true", help="print the findings as JSON")
    check.add_argument(
        "--bundle",
        type=Path,
        metavar="FILE.tar.gz",
        help="also put findings, settings, state and log into a file, without secrets",
    )
    show_key = add("key", _key, "print the key that Home Assistant asks for")
    show_key.add_argument("--renew", action="store_true", help="make a new key first")
    devices = add("devices", _devices, "list the devices that the configured plugins find")
    more = devices.add_subparsers(title="more about ASICs", metavar="COMMAND")
    search = more.add_parser(
        "scan",
        help="look for ASICs on the networks you name",
        description="Look for ASICs on the networks you name and print blocks for the owner's "
        "file. Nothing else is asked, and nothing is written to a machine.",
    )
    search.add_argument("network", nargs="+", metavar="SUBNET", help="such as 192.168.1.0/24")
    search.add_argument(
        "--port", type=int, action="append", default=[], help="a port to ask besides the usual ones"
    )
    search.set_defaults(command=_scan)
    pools = more.add_parser(
        "adopt",
        help="take an ASIC's pools as they are now for its owner's",
        description="Take an ASIC's pools as they are now for its owner's, so that they are no "
        "fault any longer.",
    )
    pools.add_argument("uid", metavar="MAC", help="as `hashcenter devices` prints it")
    # What was given before the subcommand stays.
    pools.add_argument("--config", type=Path, metavar="FILE", default=argparse.SUPPRESS)
    pools.set_defaults(command=_adopt)
    listed = add("models", _models, "list the configured models and check their weights")
    listed.add_argument(
        "action",
        nargs="?",
        choices=["add", "forget", "fit", "presets"],
        help="add: load this file only while it is what it is now; forget: whatever it is; "
        "fit: say whether it fits these GPUs; presets: models that are known, or one of them",
    )
    listed.add_argument("file", nargs="?", type=Path, help="a GGUF file, or a preset's name")
    listed.add_argument(
        "--context", type=int, default=8192, metavar="TOKENS", help="for fit and presets (8192)"
    )
    listed.add_argument(
        "--reread", action="store_true", help="hash every byte again: has the disk forgotten any?"
    )
    stop = add("stop", _stop, "stop everything that draws watts, until it is released")
    stop.add_argument("--release", action="store_true", help="release an earlier stop")
    add("unpair", _unpair, "forget the house this rig obeys")
    helper = add("powerd", _powerd, "set GPU limits for an unprivileged bridge (as root)")
    helper.add_argument("--release", action="store_true", help="set the cards' factory defaults")
    pool = add("pool", _pool, "give miners throw-away work, so that they heat without internet")
    pool.add_argument("--listen", default="127.0.0.1:3333", metavar="ADDRESS:PORT")
    pool.add_argument("--difficulty", type=float, default=local_pool.DIFFICULTY)
    setup = add("install", _install, "run bridge and powerd as services (as root)")
    remove = add("uninstall", _uninstall, "take away what `install` wrote (as root)")
    remove.add_argument("--purge", action="store_true", help="also what you wrote and its memory")
    for sub in (setup, remove):
        sub.add_argument("--show", action="store_true", help="only say what would be done")
        sub.add_argument("--root", type=Path, default=Path("/"), help="a folder that becomes /")
        # A package's own scripts say it: the services' files are the package's.
        sub.add_argument("--packaged", action="store_true", help=argparse.SUPPRESS)
    add("schema", _schema, "print the JSON Schema of the owner's file and of the wire")
    return parser


def _load(asked: argparse.Namespace) -> tuple[Config, Source]:
    settings, source = config.load(config.find(asked.config))
    log.set_up(settings.log.level, settings.log.format)
    return settings, source


def _run(asked: argparse.Namespace) -> None:
    settings, source = _load(asked)
    build.check(settings, source)
    os.umask(0o077)
    asyncio.run(app.run(settings, source))


def _doctor(asked: argparse.Namespace) -> int:
    return asyncio.run(
        doctor.examine(config.find(asked.config), as_json=asked.json, bundle_to=asked.bundle)
    )


def _key(asked: argparse.Namespace) -> None:
    settings, _ = _load(asked)
    folder = make_folder(settings.rig.state_folder, "state_folder")
    print(key.renew(folder) if asked.renew else key.read_or_make(folder))
    if asked.renew:
        print("It holds at once; the one before is taken for another week.", file=sys.stderr)


async def _probed(settings: Config, source: Source) -> Metering:
    """Probe the devices without touching the running bridge's files."""
    store = Store(
        settings.rig.state_folder, settings.rig.runtime_folder, lambda: 0.0, read_only=True
    )
    context = PluginContext(settings.rig.state_folder, settings.rig.runtime_folder / "programs")
    metering = Metering(
        build.drivers(settings, source, context),
        app.rules_of(settings),
        store,
        lambda: 0.0,
        lambda: None,
    )
    await metering.probe()
    for driver in metering.drivers:
        await metering.look(driver)
    return metering


def _devices(asked: argparse.Namespace) -> None:
    settings, source = _load(asked)
    build.check(settings, source)

    async def show() -> None:
        metering = await _probed(settings, source)
        for uid, watched in metering.watched.items():
            device, limit = watched.device, watched.device.capabilities.power_limit
            power_w = watched.readings.power_w
            knob = f"limit {limit.min_w:.0f}-{limit.max_w:.0f} W" if limit else "no power limit"
            draws = f"{power_w:.0f} W now" if power_w is not None else "watts unknown"
            print(f"{device.kind} {device.ordinal}  {device.model or device.name}  {draws}, {knob}")
            print(f"       {uid}")
        await metering.close()
        context = PluginContext(settings.rig.state_folder, settings.rig.runtime_folder)
        for visit in await console.visit_all(build.asics(settings, source), context):
            print("\n".join(console.lines_of_visit(visit)))

    asyncio.run(show())


def _scan(asked: argparse.Namespace) -> int:
    hosts = scan.addresses(asked.network)
    plugins, missing = console.plugins()
    for sentence in missing:
        print(sentence, file=sys.stderr)

    def progress(done: int, of: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{done} of {of} addresses", end="", file=sys.stderr)

    found = asyncio.run(scan.sweep(hosts, plugins, ports=asked.port, progress=progress))
    if sys.stderr.isatty():
        print(file=sys.stderr)
    print("\n".join(console.lines_of_scan(found)), end="")
    print(f"{len(found)} ASICs at {len(hosts)} addresses.", file=sys.stderr)
    return 0 if found else 1


def _adopt(asked: argparse.Namespace) -> None:
    settings, _ = _load(asked)
    uid = normal_mac(asked.uid) or asked.uid
    answer = control.ask(settings.rig.runtime_folder, "POST", f"/adopt/{quote(uid, safe='')}")
    if answer is None:
        raise BridgeError("the bridge does not run: it adopts the pools that it sees")
    if not answer.get("adopted"):
        raise ConfigError(f"no ASIC {asked.uid} answers just now; see `hashcenter devices`")
    print(f"The pools of {answer['adopted'][0]} are its owner's.")


def _hint(text: str) -> None:
    print(text, file=sys.stderr)


def _models(asked: argparse.Namespace) -> int:
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
    settings, source = _load(asked)
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
    settings, source = _load(asked)
    metering = await _probed(settings, source)
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
    settings, source = _load(asked)
    build.check(settings, source)
    context = PluginContext(settings.rig.state_folder, settings.rig.runtime_folder / "programs")
    if asked.reread:
        models.reread(settings.runner, settings.rig.state_folder)

    async def show() -> int:
        metering = await _probed(settings, source)
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


def _stop(asked: argparse.Namespace) -> None:
    settings, _ = _load(asked)
    action = "/release" if asked.release else "/stop"
    if control.ask(settings.rig.runtime_folder, "POST", action) is None:
        # The latch is kept on disk, so a bridge that is started later finds it.
        with _kept(settings) as kept:
            kept.stopped = not asked.release
        print("The bridge does not run; it will find this when it starts.")
    print("Released." if asked.release else "Stopped, until `hashcenter stop --release`.")


@contextmanager
def _kept(settings: Config) -> Iterator[Kept]:
    """Change what a bridge that does not run now will find. Raises BridgeError if it starts."""
    folder = make_folder(settings.rig.state_folder, "state_folder")
    with alone(folder, "state_folder"):
        store = Store(folder, settings.rig.runtime_folder, lambda: 0.0)
        yield store.kept
        store.save()
    if store.failure:
        raise BridgeError(store.failure)


def _unpair(asked: argparse.Namespace) -> None:
    settings, _ = _load(asked)
    answer = control.ask(settings.rig.runtime_folder, "POST", "/unpair")
    if answer is None:
        with _kept(settings) as kept:
            kept.controller = None
    print("The next house that asks is obeyed.")


def _powerd(asked: argparse.Namespace) -> None:
    # In a fresh interpreter: what runs as root has nothing of the bridge's network in it.
    options = ["--config", str(asked.config)] if asked.config else []
    options += ["--release"] if asked.release else []
    os.execv(  # noqa: S606 - no shell is the point
        sys.executable, [sys.executable, "-I", "-m", "hashcenter_bridge.powerd", *options]
    )


def _pool(asked: argparse.Namespace) -> None:
    log.set_up("info", "text")
    if not 0 < asked.difficulty < 2**48:
        raise ConfigError("--difficulty: it has to be more than 0 and less than 2^48")
    asyncio.run(local_pool.run(asked.listen, asked.difficulty))


def _install(asked: argparse.Namespace) -> None:
    if not asked.show:
        install.need_root(asked.root)
    plan = _installation(asked)
    install.refuse_two(plan)
    done = install.carry_out(install.install_steps(plan), print, only_show=asked.show)
    if done == 0:
        print("Everything is installed already.")
    elif not asked.show:
        print(
            "Now write your rig's file, then: systemctl enable --now hashcenter-powerd hashcenter"
        )


def _uninstall(asked: argparse.Namespace) -> None:
    if not asked.show:
        install.need_root(asked.root)
    steps = install.uninstall_steps(_installation(asked), purge=asked.purge)
    install.carry_out(steps, print, only_show=asked.show)


def _installation(asked: argparse.Namespace) -> installation.Plan:
    config_file = asked.config or DEFAULT_PATHS[-1]
    return installation.plan(asked.root, config_file, packaged=asked.packaged)


def _schema(_: argparse.Namespace) -> None:
    families: tuple[Family, ...] = ("devices", "asics", "runners", "miners")
    plugins = {family: names(family) for family in families}
    print(
        json.dumps(
            {
                "wire": schema.wire(),
                "config": Config.model_json_schema(),
                "asic": AsicConfig.model_json_schema(),
                "plugins": plugins,
            },
            indent=2,
            sort_keys=True,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
