"""Where things are inside a clone. What is made and not tracked is under `.dev` or a `.venv`."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
DEV: Final = ROOT / ".dev"

#: Home Assistant, its test harness, the linters and the tools: Python 3.14.
ROOT_PYTHON: Final = ROOT / ".venv/bin/python"
#: The bridge as it runs on a rig: Python 3.11.
BRIDGE_PYTHON: Final = ROOT / "bridge/.venv/bin/python"

#: SmolLM2-135M-Instruct: good for proving the plumbing, no measure of answers.
MODEL: Final = DEV / "models/SmolLM2-135M-Instruct.Q4_1.gguf"

WIRE: Final = ROOT / "bridge/src/hashcenter_bridge/wire"
WIRE_COPY: Final = ROOT / "custom_components/hashcenter/wire"
WIRE_SCHEMA: Final = ROOT / "docs/wire/schema.json"

#: Device captures that are kept beside this repository; tests skip, and say so, without them.
SHARED_FIXTURES: Final = ROOT.parent / "shared/fixtures"
