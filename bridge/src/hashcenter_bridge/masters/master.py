"""What is said of another program that sets this machine's GPUs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Master:
    """`does`: what of it runs or is set up, in words; `off`: commands that end it, for root."""

    name: str
    does: tuple[str, ...]
    off: tuple[str, ...]

    @property
    def claim(self) -> str:
        """What is wrong with it, shortly."""
        return f"{self.name} sets these GPUs, too"
