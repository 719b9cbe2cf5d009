"""Runs simulated ASICs until SIGTERM: `python -m tests.simulators.asic --protocol axeos ...`.

The first line on standard output is JSON with the control port and the addresses. That port takes
one JSON object a line and answers each: {"command": "status"} with the true watts and all writes of
each machine, {"command": "hostile", "address": ..., "changes": {"deaf": true}}.
"""

import argparse
import asyncio
import ipaddress
import json
import signal
import sys
from typing import Any

from . import PROTOCOLS, Hostile, Options, Simulator


def status(simulator: Simulator) -> dict[str, Any]:
    """Return what is true of a simulated machine, whatever it says of itself."""
    machine = simulator.machine.look()
    return {
        "address": simulator.address,
        "protocol": simulator.protocol,
        "mac": simulator.mac,
        "power_w": machine.power_w,
        "phase": machine.phase,
        "energy_j": machine.energy_j,
        "starts": machine.starts,
        "reboots": machine.reboots,
        "requests": list(simulator.requests),
        "writes": [[write.at, write.what] for write in simulator.writes],
    }


class Control:
    """Answers on the control port."""

    def __init__(self, simulators: list[Simulator]) -> None:
        self._simulators = simulators

    def answer(self, asked: dict[str, Any]) -> Any:
        """Return the answer to one control message. Raises ValueError."""
        meant = [
            simulator
            for simulator in self._simulators
            if asked.get("address") in (None, simulator.address)
        ]
        if asked.get("command") == "hostile":
            for simulator in meant:
                simulator.hostile.update(asked.get("changes", {}))
        elif asked.get("command") == "room":
            for simulator in meant:
                simulator.machine.room_c = float(asked["celsius"])
        elif asked.get("command") != "status":
            raise ValueError("known commands: status, hostile, room")
        return [status(simulator) for simulator in meant]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one line after the other."""
        try:
            while line := await reader.readline():
                try:
                    answer = self.answer(json.loads(line))
                except (ValueError, KeyError, TypeError, AttributeError) as err:
                    answer = {"error": str(err)}
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


async def run(arguments: argparse.Namespace) -> None:
    """Run until told to stop."""
    first = ipaddress.ip_address(arguments.address)
    if not first.is_loopback:
        raise SystemExit("simulated machines listen on loopback only: 127.x.y.z")
    simulators = []
    wanted = [name for name in arguments.protocol for _ in range(arguments.count)]
    for index, protocol in enumerate(wanted):
        hostile = Hostile()
        hostile.update(json.loads(arguments.hostile))
        options = Options(
            str(first + index),
            number=arguments.number + index,
            http_port=arguments.http_port,
            tcp_port=arguments.tcp_port,
            speed=arguments.speed,
            hostile=hostile,
        )
        simulators.append(PROTOCOLS[protocol](options))
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    for simulator in simulators:
        await simulator.start()
    control = await asyncio.start_server(
        Control(simulators).serve, "127.0.0.1", arguments.control_port
    )
    port = control.sockets[0].getsockname()[1]
    addresses = [simulator.address for simulator in simulators]
    told = {"control_port": port, "addresses": addresses, "macs": [one.mac for one in simulators]}
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    await stop.wait()
    control.close()
    for simulator in simulators:
        await simulator.stop()


def main() -> int:
    """Read the options and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulators.asic", description=__doc__)
    parser.add_argument(
        "--protocol", choices=sorted(PROTOCOLS), action="append", required=True,
        help="may be named several times",
    )  # fmt: skip
    parser.add_argument("--address", default="127.0.0.20", help="of the first (default 127.0.0.20)")
    parser.add_argument("--count", type=int, default=1, help="of each, at consecutive addresses")
    parser.add_argument("--number", type=int, default=0, help="of the first; makes its MAC")
    parser.add_argument("--http-port", type=int, default=80)
    parser.add_argument("--tcp-port", type=int, help="instead of the protocol's own")
    parser.add_argument("--speed", type=float, default=1.0, help="seconds that pass in one")
    parser.add_argument("--hostile", default="{}", help='JSON, such as {"delay_s": 21}')
    parser.add_argument("--control-port", type=int, default=0)
    asyncio.run(run(parser.parse_args()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
