r"""Puts the bridge together and runs it: the only module that knows every other.

drivers -> metering \                      / line (MQTT)
miners, runners ----- rig -> loop (decides) -
HTTP API -> tickets /                        \ children, limits
"""

import asyncio
import logging
import shutil
import signal
import socket
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from ipaddress import ip_address

from aiohttp import web

from . import __version__, build, control, process
from .alone import alone
from .answering import can_answer
from .answers import Answers
from .arbiter.types import Rules, Running, State
from .asking import Asking
from .child import Child
from .config import Config, HttpConfig, Source
from .errors import BridgeError, ConfigError
from .first_question import ask_once
from .fleet.fleet import Fleet
from .house_api import Readiness
from .http_api import create_app, server
from .key import Keys
from .loop import Loop
from .masters.watch import look as look_for_masters, watch as watch_for_masters
from .metering import Metering
from .metrics import exposition
from .mqtt import Line
from .plugin import PluginContext
from .probes import Ready, add_probes
from .programs import MinerProgram, RunnerProgram
from .proof import add_proof
from .rig import Rig
from .store import Store, make_folder
from .tasks import TaskQueue
from .tickets import Tickets
from .voice import Voice
from .warmth import Warmth
from .watchdog import STILL_AFTER_S, Pulse, feed

_LOGGER = logging.getLogger(__name__)


def boot_clock() -> Callable[[], float]:
    """Return a clock of seconds since now that counts suspended time and never jumps."""
    start = time.clock_gettime(time.CLOCK_BOOTTIME)
    return lambda: time.clock_gettime(time.CLOCK_BOOTTIME) - start


def rules_of(config: Config) -> Rules:
    """Return the owner's rules as the arbiter reads them."""
    rig = config.rig
    return Rules(
        heater=rig.id,
        max_w=rig.max_w,
        safe_w=rig.safe_w,
        base_w=rig.base_w,
        psu_efficiency=rig.psu_efficiency,
        coast_s=rig.coast_s,
        max_temp_c=rig.max_temp_c,
        allow_control=rig.allow_control,
        max_waiting=config.http.max_waiting,
    )


async def assemble(config: Config, source: Source, clock: Callable[[], float]) -> Loop:
    """Make everything and probe the devices. Raises BridgeError with a sentence for the owner."""
    state, runtime = config.rig.state_folder, config.rig.runtime_folder
    programs = runtime / "programs"
    shutil.rmtree(programs, ignore_errors=True)
    context = PluginContext(state, make_folder(programs, "runtime_folder"))
    store = Store(state, runtime, clock)
    rules = rules_of(config)
    loop_of: list[Loop] = []

    def changed() -> None:
        if loop_of:
            loop_of[0].wake()

    fleet = Fleet(build.asics(config, source), config.asics, config.rig, context, store, clock)
    metering = Metering(build.drivers(config, source, context), rules, store, clock, changed)
    await metering.probe()
    devices = [watched.device for watched in metering.watched.values()]

    def joules(runner: str) -> float | None:
        program = next(one for one in rig.runners if one.runner.name == runner)
        if program.runner.upstream.elsewhere:
            return None
        used = [metering.watched[uid].meter.kwh for uid in program.runner.gpus or metering.watched]
        return sum(used) * 3_600_000 if used else None

    answers = Answers(store.kept.totals, joules)
    rig = Rig(
        config=config,
        version=__version__,
        boot_id=uuid.uuid4().hex[:12],
        clock=clock,
        rules=rules,
        store=store,
        metering=metering,
        fleet=fleet,
        miners=[
            MinerProgram(miner, clock, changed)
            for miner in build.miners(config, source, context, devices)
        ],
        runners=[
            RunnerProgram(runner, clock, changed)
            for runner in build.runners(config, source, context, devices)
        ],
        tickets=Tickets(clock, changed, answers.closed, answers.opened),
        warmth=Warmth(clock, changed),
        tasks=TaskQueue(state / "tasks"),
        answers=answers,
        state=State(stopped=store.kept.stopped, adopted_until=clock() + config.rig.coast_s),
        url=_url(config.http),
        voices=[Voice(one, clock, changed) for one in config.voice],
    )
    proves = None
    if config.mqtt.signed_requests:
        proves = partial(Keys(make_folder(state, "state_folder")).signed, config.rig.id)
    loop = Loop(rig, proves)
    loop_of.append(loop)
    for driver in metering.drivers:
        driver.own_processes(process.own_pids)
        driver.on_event(loop.device_event)
    return loop


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _url(http: HttpConfig) -> str | None:
    if not http.enabled:
        return None
    if http.url:
        return http.url
    everywhere = _is_address(http.listen) and ip_address(http.listen).is_unspecified
    host = socket.gethostname() if everywhere else http.listen
    scheme = "https" if http.encrypts else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{http.port}"


async def _serve(
    app: web.Application, make_site: Callable[[web.AppRunner], web.BaseSite]
) -> web.AppRunner:
    runner = server(app)
    await runner.setup()
    await make_site(runner).start()
    return runner


def _metrics(rig: Rig) -> str:
    # Noted before it is shown: energy that was seen is never taken back.
    rig.store.tick()
    return exposition(rig)


def _ready(loop: Loop) -> Ready:
    rig = loop.rig
    now = rig.clock()
    samples = [now - one.read_at for one in rig.metering.watched.values() if one.fault is None]
    samples += [0.0 for station in rig.fleet.stations if not station.is_silent(now)]
    talks = any(not one.runner.upstream.draws for one in rig.runners)
    return Ready(
        answers=can_answer(rig)[0] if talks else None,
        broker=bool(loop.line and loop.line.online),
        readings=any(age_s <= STILL_AFTER_S for age_s in samples),
    )


async def serve_people(loop: Loop, pulse: Pulse) -> web.AppRunner | None:
    """Open the HTTP API. Raises ConfigError when its address cannot be had."""
    rig, http = loop.rig, loop.rig.config.http
    if not http.enabled:
        return None
    keys = Keys(rig.config.rig.state_folder)
    shown = http.certificate(rig.config.rig.state_folder)
    programs = {program.runner.name: program for program in rig.runners}
    keepers = {name: one.keeper for name, one in programs.items() if one.keeper is not None}
    asking = Asking(
        rig.tickets,
        {name: program.runner for name, program in programs.items()},
        keepers,
        lambda name: programs[name].running is Running.ACTIVE,
        http.voice_thinking_s,
    )
    try:
        rig.tasks.load(asking.whole, loop.task_event)
    except OSError as err:
        folder = rig.config.rig.state_folder / "tasks"
        raise ConfigError(
            f"[rig] state_folder: {folder} cannot be used ({err.strerror}); repair it"
        ) from None
    app = create_app(
        asking=asking,
        tasks=rig.tasks,
        readiness=Readiness(rig.warmth, partial(can_answer, rig), keepers),
        accepts=keys.accepts,
        metrics=partial(_metrics, rig),
        health=lambda: {"status": "ok", "broker": bool(loop.line and loop.line.online)},
    )
    add_probes(app, pulse.still, partial(_ready, loop))
    if shown:
        add_proof(app, keys.valid, shown.fingerprint)
    tls = shown.context() if shown else None
    try:
        return await _serve(
            app, lambda runner: web.TCPSite(runner, http.listen, http.port, ssl_context=tls)
        )
    except (OSError, ValueError) as err:
        why = getattr(err, "strerror", None) or err
        raise ConfigError(
            f"[http] {http.listen}:{http.port} cannot be opened ({why}): "
            "another program has it, or this machine has no such address"
        ) from None


async def _serve_owner(loop: Loop) -> web.AppRunner:
    """Open the control socket. Raises ConfigError when the runtime folder cannot hold one."""
    path = loop.rig.config.rig.runtime_folder / control.SOCKET
    path.unlink(missing_ok=True)
    try:
        owner = await _serve(
            control.create_app(loop), lambda runner: web.UnixSite(runner, str(path))
        )
    except OSError as err:
        raise ConfigError(
            f"[rig] runtime_folder: {path} cannot be opened ({err.strerror or err}); "
            "name a folder with a short path"
        ) from None
    path.chmod(0o600)
    return owner


async def run(config: Config, source: Source) -> None:
    """Run the bridge until SIGTERM or SIGINT. Raises BridgeError when it cannot start."""
    with ExitStack() as held:
        for what in ("state_folder", "runtime_folder"):
            folder = make_folder(getattr(config.rig, what), what)
            held.enter_context(alone(folder, what))
        await _run(config, source)


async def _run(config: Config, source: Source) -> None:
    loop = await assemble(config, source, boot_clock())
    rig = loop.rig
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    line = Line(
        config.mqtt,
        config.rig.id,
        rig.boot_id,
        heard=lambda payload, retained: loop.heard(payload, retained=retained),
        connected=loop.connected,
        born=loop.connected,
    )
    await look_for_masters(loop)
    pulse = Pulse(rig.clock)
    people = await serve_people(loop, pulse)
    owner = await _serve_owner(loop)
    loop.line = line
    _LOGGER.info(
        "rig %s: %s devices, %s ASICs, %s runners, %s miners; control is %s",
        config.rig.id,
        len(rig.metering.watched),
        len(rig.fleet.stations),
        len(rig.runners),
        len(rig.miners),
        f"off: {rig.rules.no_control}" if rig.rules.no_control else "on",
    )
    try:
        async with asyncio.TaskGroup() as tasks:
            background = [
                tasks.create_task(work, name=name)
                for name, work in (
                    ("metering", rig.metering.run()),
                    ("asics", rig.fleet.run()),
                    ("loop", loop.run()),
                    ("watchdog", feed(loop, line, pulse)),
                    ("other masters", watch_for_masters(loop)),
                    *((f"read {one.miner.name}", one.run()) for one in rig.miners),
                    *((f"watch {one.runner.name}", one.run()) for one in rig.runners),
                    *((f"measure {one.runner.name}", ask_once(one, rig)) for one in rig.runners),
                )
            ]
            talking = tasks.create_task(line.run(), name="line")
            await stop.wait()
            if rig.fleet.stations:
                loop.tell("asics_stay", "The bridge stops; its ASICs stay as they are.")
            _LOGGER.info("stopping; ASICs stay as they are, our own programs end")
            for task in background:
                task.cancel()
            for child in (
                *(program.child for program in rig.miners),
                *(program.child for program in rig.runners),
            ):
                if isinstance(child, Child):
                    child.end()
            await line.close()
            talking.cancel()
    finally:
        await _end(loop, people, owner)
        (config.rig.runtime_folder / control.SOCKET).unlink(missing_ok=True)


async def _end(loop: Loop, people: web.AppRunner | None, owner: web.AppRunner) -> None:
    """Let go of everything; what fails to stop must not keep the rest from stopping."""
    rig = loop.rig
    await rig.tasks.close()
    parts = [*(one.close() for one in rig.miners), *(one.close() for one in rig.runners)]
    parts += [one.close() for one in rig.voices]
    parts += [server.cleanup() for server in (people, owner) if server]
    for result in await asyncio.gather(*parts, return_exceptions=True):
        if isinstance(result, Exception) and not isinstance(result, BridgeError):
            _LOGGER.warning("while stopping: %r", result)
    await rig.metering.close()
    rig.store.save()
