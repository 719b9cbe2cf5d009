"""The owner's hand on the running bridge: a private UNIX socket for `hashcenter stop` and friends.

Whoever may write to the runtime folder may stop the rig; nothing of this is reachable from a
network.
"""

import json
import socket
from pathlib import Path
from typing import Any

from aiohttp import web

from .errors import BridgeError
from .loop import Loop
from .picture import device_states, rig_state
from .wire.codec import encode

SOCKET = "control.sock"


def create_app(loop: Loop) -> web.Application:
    """Return the little server: GET /status, /self, POST /stop, /release, /unpair, /adopt/UID."""

    async def status(_: web.Request) -> web.Response:
        loop.rig.store.tick()
        state = rig_state(loop.rig, device_states(loop.rig))
        return web.Response(text=encode(state), content_type="application/json")

    async def self_(_: web.Request) -> web.Response:
        rig, line = loop.rig, loop.line
        return web.json_response(
            {
                "boot_id": rig.boot_id,
                "up_s": round(rig.clock()),
                "births": line.births if line else 0,
                "controller": rig.store.kept.controller,
                "refused": rig.control_refused,
            }
        )

    async def stop(_: web.Request) -> web.Response:
        loop.stop_all(engaged=True)
        loop.wake()
        return web.json_response({"stopped": True})

    async def release(_: web.Request) -> web.Response:
        loop.stop_all(engaged=False)
        loop.wake()
        return web.json_response({"stopped": False})

    async def unpair(_: web.Request) -> web.Response:
        before = loop.rig.store.kept.controller
        loop.unpair()
        return web.json_response({"was": before})

    async def adopt(request: web.Request) -> web.Response:
        adopted = loop.rig.fleet.adopt(request.match_info["uid"])
        loop.wake()
        return web.json_response({"adopted": adopted})

    app = web.Application()
    app.add_routes(
        [
            web.get("/status", status),
            web.get("/self", self_),
            web.post("/stop", stop),
            web.post("/release", release),
            web.post("/unpair", unpair),
            web.post("/adopt/{uid}", adopt),
        ]
    )
    return app


def ask(runtime_folder: Path, method: str, path: str) -> dict[str, Any] | None:
    """Ask the running bridge, None when none runs. Raises BridgeError when it may not be asked."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(10)
            line.connect(str(runtime_folder / SOCKET))
            line.sendall(f"{method} {path} HTTP/1.0\r\nContent-Length: 0\r\n\r\n".encode())
            answer = b""
            while more := line.recv(65_536):
                answer += more
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except PermissionError:
        raise BridgeError(
            f"{runtime_folder / SOCKET}: only the bridge's user and root may do this"
        ) from None
    except OSError as err:
        raise BridgeError(f"the running bridge did not answer ({err})") from None
    head, _, body = answer.partition(b"\r\n\r\n")
    try:
        result: dict[str, Any] = json.loads(body)
    except ValueError:
        said = head.splitlines()[0].decode(errors="replace") if head else "nothing"
        raise BridgeError(f"the running bridge answered {said!r}") from None
    return result
