"""Run the miner as a program: one JSON line with the API's port on stdout, then it hashes.

SIGTERM and Ctrl-C end it with status 0, an option that cannot work with 2 and a sentence, a hashing
process that died with 1. Its log goes to stderr.
"""

import asyncio
import json
import logging
import os
import random
import secrets
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence

from aiohttp import web

from ..errors import BridgeError
from .http_api import HttpApi
from .miner import Miner
from .options import OptionError, Options, read_options


def main(argv: Sequence[str] | None = None) -> int:
    """Run the miner until it is told to end. Returns the exit status."""
    status = 0
    try:
        options = read_options(argv, os.environ)
        logging.basicConfig(
            level=logging.DEBUG if options.verbose else logging.INFO,
            format="%(asctime)s %(levelname)s %(message)s",
            stream=sys.stderr,
        )
        asyncio.run(_serve(options))
    except* OptionError as group:
        status = _tell(group, 2)
    except* BridgeError as group:
        status = _tell(group, 1)
    return status


async def _serve(options: Options) -> None:
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    listener = _listen(options.http_host, options.http_port)
    # Only spreads reconnects in time; nothing secret depends on it.
    chance = random.Random()  # noqa: S311
    miner = Miner(options.settings, clock=time.monotonic, chance=chance)
    api = HttpApi(miner, options.access, miner_id=secrets.token_hex(8))
    runner = web.AppRunner(api.application(), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        host, port = listener.getsockname()[:2]
        where = {"http_host": host, "http_port": port, "pid": os.getpid()}
        sys.stdout.write(json.dumps(where) + "\n")
        sys.stdout.flush()
        async with asyncio.TaskGroup() as group:
            mining = group.create_task(miner.run())
            await ending.wait()
            mining.cancel()
    finally:
        await runner.cleanup()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OptionError(f"The HTTP API cannot listen on {host}:{port}: {reason}.") from error


def _tell(group: BaseExceptionGroup[BridgeError], status: int) -> int:
    for error in _leaves(group):
        sys.stderr.write(f"hashcenter-miner: {error}\n")
    return status


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
