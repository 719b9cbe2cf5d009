"""Which entity is which, by what it is (its unique id) and not by how it is called."""

from dataclasses import dataclass
from typing import Any, Self

from tools.demo.bridge import RIG
from tools.demo.client import HomeAssistant
from tools.demo.processes import DemoError


@dataclass(frozen=True)
class Entities:
    """The integration's enabled entities: unique id and domain -> entity id."""

    by_unique_id: dict[str, str]
    entry_id: str

    @classmethod
    async def read(cls, home: HomeAssistant) -> Self:
        """Read the entity registry."""
        ours = [
            entry
            for entry in await home.command("config/entity_registry/list")
            if entry["platform"] == "hashcenter" and entry["disabled_by"] is None
        ]
        entry_id = next((str(entry["config_entry_id"]) for entry in ours), "")
        return cls({entry["unique_id"]: entry["entity_id"] for entry in ours}, entry_id)

    @property
    def conversation(self) -> str | None:
        """The conversation agent, if there is one."""
        return next((one for one in self.all() if one.startswith("conversation.")), None)

    @property
    def thermostat(self) -> str | None:
        """The room's thermostat, if there is one."""
        return next((one for one in self.all() if one.startswith("climate.")), None)

    def all(self) -> list[str]:
        """Every entity id."""
        return sorted(self.by_unique_id.values())

    def house(self, key: str) -> str:
        """An entity of the house."""
        return self._of(f"{self.entry_id}_{key}")

    def rig(self, key: str) -> str:
        """An entity of the demo's rig."""
        return self._of(f"rig/{RIG}_{key}")

    def heater(self, key: str) -> str:
        """An entity of the rig's only heater."""
        start, end = f"rig/{RIG}/", f"_{key}"
        for unique_id in self.by_unique_id:
            if unique_id.startswith(start) and unique_id.endswith(end):
                return self.by_unique_id[unique_id]
        raise DemoError(f"the rig's heater has no entity {key!r}")

    def device(self, uid: str, key: str) -> str:
        """An entity of a device, by its uid (a GPU's UUID)."""
        return self._of(f"{uid}_{key}")

    def _of(self, unique_id: str) -> str:
        if unique_id not in self.by_unique_id:
            raise DemoError(
                f"there is no entity {unique_id!r}; there are {sorted(self.by_unique_id)}"
            )
        return self.by_unique_id[unique_id]


def number_in(state: dict[str, Any] | None) -> float | None:
    """Return a state object's number; None where there is none."""
    try:
        return float(state["state"]) if state else None
    except ValueError:
        return None
