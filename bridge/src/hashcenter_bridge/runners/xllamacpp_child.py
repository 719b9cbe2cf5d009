"""The program of the runner `xllamacpp`: serves one model on a UNIX socket until killed.

Started by its path, with its settings as one JSON argument: it loads nothing of the bridge.
Nothing is fetched (`offline`), no pages are served, no browser may call it.
"""

import json
import os
import signal
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

# By name, because linters run where the extra is not installed.
xllamacpp: Any = import_module("xllamacpp")

#: llama.cpp's level that prints warnings and errors.
_VERBOSITY = 2
#: How long its log may take to say why a model cannot be loaded.
_LOG_S = 0.2


def params(settings: dict[str, Any]) -> Any:
    """Return llama.cpp's parameters for `settings` (see `xllamacpp.py`)."""
    made = xllamacpp.CommonParams()
    made.model.path = settings["model"]
    made.model_alias = {settings["alias"]}
    made.hostnames = [settings["socket"]]
    made.offline = True
    made.ui = False
    made.cors_origins = ""
    made.verbosity = _VERBOSITY
    made.n_ctx = settings["context_tokens"]
    made.n_parallel = settings["slots"]
    made.n_batch = settings["batch_tokens"]
    made.n_ubatch = settings["micro_batch_tokens"]
    # Else each slot gets only its even part of the context.
    made.kv_unified = settings["slots"] > 1
    # Else every question empties the slots that rest, and with them the house's prompt.
    made.cache_idle_slots = False
    made.endpoint_slots = True
    if settings["prompt_folder"] is not None:
        made.slot_save_path = settings["prompt_folder"] + "/"
    made.cache_ram_mib = settings["prompt_cache_mib"]
    if settings["gpu_layers"] is not None:
        made.n_gpu_layers = settings["gpu_layers"]
    if settings["threads"] is not None:
        made.cpuparams.n_threads = settings["threads"]
        made.cpuparams_batch.n_threads = settings["threads"]
    if settings["chat_template"] is not None:
        made.chat_template = Path(settings["chat_template"]).read_text(encoding="utf-8")
        made.use_jinja = True
    if settings["embeddings"]:
        made.embedding = True
        made.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    return made


def end(sentence: str) -> NoReturn:
    """End with this as the last word: llama.cpp's log has a thread that may still be speaking."""
    time.sleep(_LOG_S)
    said, nowhere = os.dup(sys.stderr.fileno()), os.open(os.devnull, os.O_WRONLY)
    for number in (sys.stdout.fileno(), sys.stderr.fileno()):
        os.dup2(nowhere, number)
    os.write(said, f"{sentence}\n".encode())
    sys.exit(1)


def main() -> None:
    """Serve until killed; a model that cannot be loaded ends this with a sentence."""
    settings = json.loads(sys.argv[1])
    try:
        server = xllamacpp.Server(params(settings))
    except RuntimeError:
        end(f"llama.cpp cannot serve {settings['model']}; its own words in the log say why")
    # The server lives in threads of its own as long as it is referred to.
    while server:
        signal.pause()


if __name__ == "__main__":
    main()
