"""The program of the runner `llama_cpp_python`: serves one model on a UNIX socket until killed.

Started by its path, with its socket and its settings as JSON: it loads nothing of the bridge.
"""

import json
import socket
import sys
from importlib import import_module
from typing import Any

# By name, because linters run where the compiled extra is not installed.
llama_app: Any = import_module("llama_cpp.server.app")
llama_settings: Any = import_module("llama_cpp.server.settings")
uvicorn: Any = import_module("uvicorn")


async def health() -> dict[str, str]:
    """Say that the server lives while it works; the library's own routes wait for the model."""
    return {"status": "ok"}


def main() -> None:
    """Load the model and serve it; a model that cannot be loaded ends this with a sentence."""
    path, settings = sys.argv[1], json.loads(sys.argv[2])
    # All logits would take a row of the whole vocabulary for every token of context.
    model = llama_settings.ModelSettings(**settings, logits_all=False, verbose=False)
    # Else a question that waits cuts off the answer before it.
    server = llama_settings.ServerSettings(interrupt_requests=False)
    try:
        app = llama_app.create_app(server_settings=server, model_settings=[model])
    except (OSError, ValueError) as err:
        raise SystemExit(f"llama-cpp-python cannot serve {settings['model']}: {err}") from None
    app.add_api_route("/health", health)
    # Bound here because uvicorn would open the socket to every user.
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    config = uvicorn.Config(app, access_log=False, log_level="warning")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
