"""What each card draws with nothing to do: seen now and then, needed when the bridge starts.

A card is rarely idle in the second in which a bridge starts, so what was seen is kept in a file.
"""

import json
import logging
from pathlib import Path

_LOGGER = logging.getLogger(__name__)

#: A smaller change is not worth a write.
_STEP_W = 3.0


class IdleWatts:
    """Watts by card UUID, kept in one file. A file that cannot be read or written is no fault."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._kept: dict[str, float] = {}
        try:
            kept = json.loads(file.read_text())
            self._kept = {str(uid): float(idle_w) for uid, idle_w in kept.items()}
        except (OSError, ValueError, TypeError, AttributeError) as err:
            _LOGGER.debug("%s: no idle watts are known yet: %s", file, err)

    def get(self, uid: str) -> float | None:
        """Return the watts of a card, None while they are unknown."""
        return self._kept.get(uid)

    def note(self, uid: str, idle_w: float) -> None:
        """Take what an idle card draws now."""
        if abs(self._kept.get(uid, float("-inf")) - idle_w) < _STEP_W:
            return
        self._kept[uid] = round(idle_w, 1)
        fresh = self._file.with_suffix(".new")
        try:
            fresh.write_text(json.dumps(self._kept))
            fresh.replace(self._file)
        except OSError as err:
            _LOGGER.debug("%s cannot be written: %s", self._file, err)
