"""The Home Assistant app: a folder from which an always-on box builds it, with wheel and lock.

It has no llama.cpp: a box without GPUs drives ASICs.
"""

import re
import shutil
from pathlib import Path
from typing import Final

from tools.package.parts import LOCK, own_version, source_date, wheel
from tools.paths import ROOT
from tools.setup.console import run, say

SOURCES: Final = ROOT / "packages/home-assistant-app"
#: What a box without GPUs does not run.
_LEFT_OUT: Final = ("xllamacpp",)
_ICON: Final = ROOT / "custom_components/hashcenter/brand/icon.png"


def build_app(folder: Path) -> Path:
    """Make the app's folder in `folder`; return it. Raises SetupError."""
    say("Putting the Home Assistant app together")
    app = folder / "hashcenter_bridge"
    shutil.rmtree(app, ignore_errors=True)
    shutil.copytree(SOURCES, app, ignore=shutil.ignore_patterns("__pycache__"))
    config = app / "config.yaml"
    config.write_text(config.read_text().replace("{version}", own_version()))
    shutil.copy(_ICON, app / "icon.png")
    shutil.copy(ROOT / "LICENSE", app)
    (app / "requirements.lock").write_text(requirements())
    shutil.copy(wheel(folder / "wheel"), app)
    return app


def requirements() -> str:
    """Return the rig's lock without what the app leaves out."""
    text = LOCK.read_text()
    for name in _LEFT_OUT:
        text = re.sub(rf"^{name}==(?:.*\\\n)*.*\n", "", text, flags=re.MULTILINE)
    return text


def write_app(work: Path, folder: Path) -> Path:
    """Write `hashcenter-app-VERSION.tar.gz` into `folder`; return it."""
    app = build_app(work)
    file = folder / f"hashcenter-app-{own_version()}.tar.gz"
    run(
        [
            *("tar", "--create", "--file", file, "--use-compress-program", "gzip -9n"),
            *("--format", "gnu", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"),
            *("--mode=u=rwX,go=rX", f"--mtime=@{source_date()}"),
            *("--directory", app.parent, app.name),
        ],
        failure=f"{file.name} could not be written.",
    )
    return file
