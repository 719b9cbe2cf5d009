"""A speech program that speaks the Wyoming protocol: `python wyoming.py PORT asr|tts|nonsense`.

Source: github.com/OHF-Voice/wyoming.
"""

import asyncio
import json
import sys


async def serve(port: int, kind: str) -> None:
    """Answer `describe` until killed."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = json.loads(await reader.readline())
        if kind == "nonsense":
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        elif asked["type"] == "describe":
            program = {"name": kind, "installed": True, "models": []}
            info = {name: [program] if name == kind else [] for name in ("asr", "tts", "wake")}
            data = json.dumps(info).encode()
            head = {"type": "info", "version": "1.10.2", "data_length": len(data)}
            writer.write(json.dumps(head).encode() + b"\n" + data)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
