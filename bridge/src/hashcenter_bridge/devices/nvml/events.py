"""Waits for what GPUs report by themselves: XID errors, on a thread that may block in the driver.

A GPU that is lost makes the driver end every wait, so the set of watched GPUs is made anew without
it; `renew` has it made again when a GPU came back.

Meaning of the numbers: NVIDIA's "XID errors" manual.
"""

import ctypes
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

from . import sources
from .card import Card
from .library import nvml

_LOGGER = logging.getLogger(__name__)

_WAIT_MS: Final = 500
_AFTER_ERROR_S: Final = 1.0

_MEANINGS: Final = {
    13: "a program made a wrong access on the GPU",
    31: "a program used GPU memory that is not its own",
    43: "a program on the GPU was stopped by the driver",
    48: "its memory has an error that cannot be corrected; replace the card if it comes again",
    62: "its internal controller stopped; restart the machine",
    63: "a bad row of its memory was replaced",
    64: "a bad row of its memory could not be replaced; the card is failing",
    74: "the link between GPUs failed; check its bridge",
    79: "it has fallen off the bus; check its power cables and riser",
    94: "a memory error was contained; the program that ran was stopped",
    95: "a memory error was not contained; restart the machine",
    119: "its firmware does not answer; restart the machine",
}

Report = Callable[[str, str, str], None]


def sentence(name: str, xid: int) -> str:
    """Return what to tell a person about an XID."""
    meaning = _MEANINGS.get(xid, "the driver's manual of XID errors says what it means")
    return f"{name} reported XID {xid}: {meaning}"


class EventThread:
    """Calls `report(uid, code, text)` from its thread for each XID of `cards`."""

    def __init__(self, cards: Sequence[Card], report: Report) -> None:
        self._cards = cards
        self._report = report
        self._ending = threading.Event()
        self._stale = threading.Event()
        self._thread = threading.Thread(target=self._run, name="nvml-events", daemon=True)

    def start(self) -> None:
        """Begin to wait."""
        self._thread.start()

    def renew(self) -> None:
        """Watch all cards anew: one came back."""
        self._stale.set()

    def stop(self) -> None:
        """End soon; blocks until it has, for at most two waits."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(2 * _WAIT_MS / 1000)

    def _run(self) -> None:
        while not self._ending.is_set():
            self._stale.clear()
            try:
                events = nvml.nvmlEventSetCreate()
            except (nvml.NVMLError, AttributeError) as err:
                _LOGGER.info("no XID events from this driver: %s", err)
                return
            try:
                watched = self._watch(events)
                if not watched and not any(card.is_lost for card in self._cards):
                    return
                self._wait(events, watched)
            except nvml.NVMLError as err:
                _LOGGER.debug("waiting for XID events: %s", err)
                self._ending.wait(_AFTER_ERROR_S)
            finally:
                nvml.nvmlEventSetFree(events)

    def _watch(self, events: Any) -> dict[int | None, Card]:
        watched: dict[int | None, Card] = {}
        for card in self._cards:
            try:
                nvml.nvmlDeviceRegisterEvents(
                    card.handle, nvml.nvmlEventTypeXidCriticalError, events
                )
            except nvml.NVMLError as err:
                if not sources.is_unsupported(err):
                    _LOGGER.debug("%s: no XID events now: %s", card.name, err)
                continue
            watched[_address(card.handle)] = card
        return watched

    def _wait(self, events: Any, watched: dict[int | None, Card]) -> None:
        """Wait until told to end or renew. Raises NVMLError, when a watched GPU is lost too."""
        while not self._ending.is_set() and not self._stale.is_set():
            if not watched:
                self._stale.wait(_WAIT_MS / 1000)
                continue
            try:
                event = nvml.nvmlEventSetWait_v2(events, _WAIT_MS)
            except nvml.NVMLError as err:
                if sources.code_of(err) == nvml.NVML_ERROR_TIMEOUT:
                    continue
                raise
            card = watched.get(_address(event.device))
            if card and event.eventType & nvml.nvmlEventTypeXidCriticalError:
                number = int(event.eventData)
                self._report(card.uid, f"xid_{number}", sentence(card.name, number))


def _address(handle: Any) -> int | None:
    """NVML's handles are opaque pointers; equal ones mean the same GPU."""
    return ctypes.cast(handle, ctypes.c_void_p).value
