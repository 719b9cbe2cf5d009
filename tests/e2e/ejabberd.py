"""Two real ejabberd nodes as one broker, each on a loopback address of its own, without epmd.

The file is the one of the docs, without TLS and with this test's port.
"""

import asyncio
import os
import re
import shutil
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tests.brokers import free_port
from tools.paths import ROOT

FILE: Final = ROOT / "docs/ejabberd/ejabberd.yml"
HOST: Final = "house"
_LIBRARIES: Final = Path("/usr/lib/x86_64-linux-gnu")
_READY_WITHIN_S: Final = 90.0
_CONTROL: Final = "127.0.0.3"


class Node:
    """One machine of the cluster; `port` is its MQTT port on 127.0.0.1."""

    def __init__(self, folder: Path, address: str, cluster_port: int, cookie: str) -> None:
        self.name = f"broker@{address}"
        self.port = free_port()
        self._folder = folder
        self._address = address
        self._cluster_port = cluster_port
        self._cookie = cookie
        self._process: asyncio.subprocess.Process | None = None
        folder.mkdir(parents=True)
        text = re.sub(r"^(    tls|certfiles):.*\n", "", FILE.read_text(), flags=re.MULTILINE)
        text = text.replace("port: 8883", f"port: {self.port}").replace("0.0.0.0", "127.0.0.1")
        (folder / "ejabberd.yml").write_text(text)

    def _erl(self, name: str, address: str, *more: str) -> list[str]:
        # Without epmd all nodes listen on one port; their addresses tell them apart.
        interface = "{" + address.replace(".", ",") + "}"
        return [
            *("erl", "-noinput", "-name", f"{name}@{address}", "-setcookie", self._cookie),
            *("-start_epmd", "false", "-erl_epmd_port", str(self._cluster_port)),
            *("-kernel", "inet_dist_use_interface", interface, *more),
        ]

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "HOME": str(self._folder),
            "ERL_LIBS": str(_LIBRARIES),
            "EJABBERD_CONFIG_PATH": str(self._folder / "ejabberd.yml"),
            "EJABBERD_LOG_PATH": str(self._folder / "ejabberd.log"),
        }

    async def start(self) -> None:
        """Run it and wait until it takes clients."""
        database = f'"{self._folder / "database"}"'
        command = self._erl("broker", self._address, "-mnesia", "dir", database, "-s", "ejabberd")
        with (self._folder / "erl.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command, env=self._environment(), stdout=log, stderr=log
            )
        async with asyncio.timeout(_READY_WITHIN_S):
            while True:
                assert self._process.returncode is None, (self._folder / "erl.log").read_text()
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    await asyncio.sleep(0.2)
                else:
                    writer.close()
                    return

    async def ask(self, call: str) -> str:
        """Call a function of it, written as module, function and arguments; return the result."""
        script = f"io:format(\"~p\", [rpc:call('{self.name}', {call})]), halt(0)."
        name = f"control-{uuid.uuid4().hex[:8]}"
        process = await asyncio.create_subprocess_exec(
            *self._erl(name, _CONTROL, "-hidden", "-eval", script),
            env=self._environment(), stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(_READY_WITHIN_S):
            said, _ = await process.communicate()
        return said.decode()

    async def add_user(self, name: str, password: str) -> None:
        """Register a user, on all nodes at once."""
        arguments = ", ".join(f'<<"{word}">>' for word in (name, HOST, password))
        assert await self.ask(f"ejabberd_auth, try_register, [{arguments}]") == "ok"

    async def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def cluster(folder: Path) -> AsyncIterator[tuple[Node, Node]]:
    """Run two nodes that have joined."""
    assert shutil.which("erl"), "ejabberd is missing: apt-get install ejabberd"
    port, cookie = free_port(), uuid.uuid4().hex
    first, second = (
        Node(folder / name, address, port, cookie)
        for name, address in (("first", "127.0.0.1"), ("second", "127.0.0.2"))
    )
    try:
        await asyncio.gather(first.start(), second.start())
        assert await second.ask(f"ejabberd_cluster, join, ['{first.name}']") == "ok"
        yield first, second
    finally:
        await asyncio.gather(first.kill(), second.kill())
