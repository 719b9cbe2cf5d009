"""Both copies of the wire, and one example of every message."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

EXAMPLES = Path(__file__).parents[2] / "docs/wire/examples"
PACKAGES = ("hashcenter_bridge.wire", "custom_components.hashcenter.wire")

#: Example -> the class that it is an example of.
MESSAGES = {
    "announce": "Announce",
    "status": "Status",
    "inventory": "Inventory",
    "state": "RigState",
    "device": "DeviceState",
    "device_asic": "DeviceState",
    "event": "Event",
    "event_task": "Event",
    "request_lease": "LeaseRequest",
    "request_release": "ReleaseRequest",
    "request_stop_all": "StopAllRequest",
    "request_restart_device": "RestartDeviceRequest",
    "response": "Response",
}
REQUESTS = [name for name in MESSAGES if name.startswith("request_")]


class Copy:
    """One copy of the wire: the bridge's, or the integration's."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.codec = self._module("codec")
        self.messages = self._module("messages")
        self.topics = self._module("topics")
        self.values = self._module("values")
        self.version = self._module("version")

    def _module(self, name: str) -> ModuleType:
        return importlib.import_module(f"{self.package}.{name}")

    def model(self, example: str) -> Any:
        """Return the class that `example` is an example of."""
        return getattr(self.messages, MESSAGES[example])


def payload(example: str) -> bytes:
    """Return an example as it travels."""
    return (EXAMPLES / f"{example}.json").read_bytes()
