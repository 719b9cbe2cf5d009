"""What can go wrong, told apart by who can do something about it.

Every text is one sentence for a person: it names the file, key or device and says what to do.
`cli.py` prints `BridgeError` texts without a traceback; the loop turns faults into `faults` on the
wire.
"""


class BridgeError(Exception):
    """Anything of ours that a person may read."""


def unforeseen(err: BaseException) -> str:
    """Return what an error of ours was, for others: the `repr` of some holds headers, so keys."""
    return f"{type(err).__name__}: {err}"


class ConfigError(BridgeError):
    """The owner's file is wrong; the bridge does not start."""


class PluginUnavailable(BridgeError):
    """A plugin cannot work on this machine (no driver, no library); permanent until repaired."""


class Fault(BridgeError):
    """A device or program failed; it is tried again. `code` is stable, for entities and events."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class DeviceFault(Fault):
    """A device did not answer, or refused a setting."""


class RunnerFault(Fault):
    """A runner cannot serve: weights missing or altered, program missing, wrong flags."""


class MinerFault(Fault):
    """A miner did not answer, or refused to pause or resume."""
