"""A bad network: a TCP proxy on 127.0.0.1 that stalls, goes dead, resets, trickles or throttles."""

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Self

HOST = "127.0.0.1"
_CHUNK_BYTES = 65_536


class TcpProxy:
    """Passes bytes between whoever connects to `port` and the server at `target_port`."""

    def __init__(self, target_port: int) -> None:
        self.port = 0
        #: Bytes of one write; 1 makes every packet arrive in crumbs.
        self.piece_bytes = _CHUNK_BYTES
        #: Bytes per second in each direction, None for as fast as it goes.
        self.bytes_per_s: float | None = None
        #: Connections taken so far.
        self.taken = 0
        self._target_port = target_port
        self._server: asyncio.Server | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._live: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}
        self._dead: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server:
            self._server.close()
        for task in list(self._live):
            task.cancel()
        await asyncio.gather(*self._live, return_exceptions=True)

    def to(self, port: int) -> None:
        """Take new connections to another server; those there are stay as they are."""
        self._target_port = port

    def stall(self) -> None:
        """Hold every byte back, of connections new and old, until `flow`."""
        self._flowing.clear()

    def flow(self) -> None:
        """Let the bytes that were held back, and all others, pass again."""
        self._flowing.set()

    def half_open(self) -> None:
        """Make the connections there are now dead without a word; new ones work."""
        self._dead |= set(self._live)

    def reset(self) -> None:
        """End all connections with a TCP reset."""
        for writers in self._live.values():
            for writer in writers:
                line: socket.socket = writer.get_extra_info("socket")
                with suppress(OSError):
                    linger = struct.pack("ii", 1, 0)  # socket(7): close at once, with RST
                    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()

    async def _serve(self, near: asyncio.StreamReader, to_near: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.taken += 1
        self._live[task] = [to_near]
        try:
            far, to_far = await asyncio.open_connection(HOST, self._target_port)
            self._live[task].append(to_far)
            both = [
                asyncio.create_task(self._pass(near, to_far, task)),
                asyncio.create_task(self._pass(far, to_near, task)),
            ]
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in both:
                    one.cancel()
                await asyncio.gather(*both, return_exceptions=True)
        except OSError:
            pass  # the server is not there: hang up, as it would
        finally:
            for writer in self._live.pop(task):
                writer.close()
            self._dead.discard(task)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, task: asyncio.Task[None]
    ) -> None:
        while chunk := await reader.read(_CHUNK_BYTES):
            for start in range(0, len(chunk), self.piece_bytes):
                await self._flowing.wait()
                piece = chunk[start : start + self.piece_bytes]
                if task in self._dead:
                    continue
                writer.write(piece)
                await writer.drain()
                if self.bytes_per_s:
                    await asyncio.sleep(len(piece) / self.bytes_per_s)
                elif self.piece_bytes < _CHUNK_BYTES:
                    await asyncio.sleep(0)
        if task in self._dead:
            await asyncio.Event().wait()  # a peer that vanished does not hang up
