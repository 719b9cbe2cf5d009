"""Real MQTT brokers on 127.0.0.1, each a process of its own: Mosquitto, and rumqttd (iotcore)."""

import asyncio
import shutil
import signal
import socket
import sys
from pathlib import Path
from typing import Final, Literal

Kind = Literal["mosquitto", "iotcore"]
KINDS: Final[tuple[Kind, ...]] = ("mosquitto", "iotcore")
HOST: Final = "127.0.0.1"
PATIENCE_S: Final = 60.0

# Started by root it would else become a user who may not save in a test's folder.
_MOSQUITTO: Final = """\
user root
listener {port} {host}
allow_anonymous {anonymous}
persistence {persistence}
persistence_location {folder}/
autosave_interval 1
"""
_IOTCORE: Final = """\
id = 0
[router]
id = 0
max_connections = 50
max_outgoing_packet_count = 1000
max_segment_size = 10485760
max_segment_count = 2
[v4]
[v5.house]
name = "house"
listen = "{host}:{port}"
next_connection_delay_ms = 1
[v5.house.connections]
connection_timeout_ms = 30000
max_payload_size = 262144
max_inflight_count = 200
dynamic_filters = true
"""


def free_port() -> int:
    """Return a port that the system says is free."""
    with socket.create_server((HOST, 0)) as server:
        port: int = server.getsockname()[1]
        return port


class Broker:
    """A broker that a test starts, stops and starts again on the same port.

    It has then lost all, unless it is a Mosquitto with `persistence` that was not killed.
    """

    def __init__(
        self, kind: Kind, folder: Path, *, anonymous: bool = True, persistence: bool = False
    ) -> None:
        self.kind = kind
        self.port = free_port()
        self._file = folder / f"{kind}.toml"
        text = _MOSQUITTO if kind == "mosquitto" else _IOTCORE
        words = {
            "host": HOST,
            "port": self.port,
            "folder": folder,
            "anonymous": str(anonymous).lower(),
            "persistence": str(persistence).lower(),
        }
        self._file.write_text(text.format(**words))
        self._process: asyncio.subprocess.Process | None = None

    def write(self, configuration: str) -> None:
        """Have other words in its file, before it is started."""
        self._file.write_text(configuration)

    async def start(self) -> None:
        """Start it and wait until it listens."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command(),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(PATIENCE_S):
            while not self._listens():
                assert self._process.returncode is None, f"{self.kind} ended at once"
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """Kill it: what it kept in memory is gone."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            await self._process.wait()

    async def restart(self) -> None:
        """Have it end by itself, so that it may save what it knows, and start it again."""
        self._signal(signal.SIGTERM)
        if self._process is not None:
            await self._process.wait()
        await self.start()

    def freeze(self) -> None:
        """Have the system stop it where it is: its port takes connections, nobody answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    def _command(self) -> list[str]:
        if self.kind == "iotcore":
            options = ["--config", str(self._file), "--log-level", "CRITICAL"]
            return [sys.executable, "-m", "iotcore", *options]
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/bin")
        assert program is not None, "mosquitto is missing: apt-get install mosquitto"
        return [program, "-c", str(self._file)]

    def _listens(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1.0)
            return probe.connect_ex((HOST, self.port)) == 0
