"""An image server on 127.0.0.1, as stable-diffusion.cpp's: a list of one model, and pictures.

Each picture is a real PNG of the size that was asked for, in one color that its prompt decides.
`answer` is sent instead, if it is set. Errors are texts, as that server's are.
Source: stable-diffusion.cpp examples/server; PNG: RFC 2083.
"""

import base64
import hashlib
import json
import struct
import zlib
from typing import Any, Self

from aiohttp import web

MODEL = "sd-cpp-local"


def png(width: int, height: int, color: bytes) -> bytes:
    """Return a picture of one color (three bytes)."""
    rows = (b"\x00" + color * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


class ImageServer:
    """The server; `asked` holds what it was asked to draw."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer: web.Response | None = None
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/images/generations", self._draw)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _models(self, _request: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": MODEL, "object": "model"}]})

    async def _draw(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        self.asked.append(body)
        if self.answer is not None:
            return self.answer
        width, height = map(int, body.get("size", "512x512").split("x"))
        if width % 64 or height % 64:
            return web.json_response({"error": "invalid params"}, status=400)
        color = hashlib.sha256(body["prompt"].encode()).digest()[:3]
        drawn = base64.b64encode(png(width, height, color)).decode()
        data = [{"b64_json": drawn}] * body.get("n", 1)
        return web.json_response({"created": 1, "data": data, "output_format": "png"})
