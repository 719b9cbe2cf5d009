"""One child process as a state machine: wanted or not, it closes the gap and says where it stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ChildSpec:
    """How to start a program: `argv`, what is added to its environment, how politely it runs.

    After SIGTERM it has `stop_after_s` seconds before SIGKILL. Its output goes to the bridge's log.
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    nice: int = 0
    stop_after_s: float = 10.0
