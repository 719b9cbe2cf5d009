"""Which entity is which, by what it is (its unique id) and not by how it is called."""

from dataclasses import dataclass
from typing import Any, Final, Self

from tools.demo.bridge import RIG
from tools.demo.client import HomeAssistant
from tools.demo.processes import DemoError

_COLONS_OF_A_MAC: Final = 5


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
        """An entity of the rig's machine: its GPUs and CPU as one heater."""
        return self._of(f"rig/{RIG}/{RIG}_{key}")

    def asic(self, key: str) -> str:
        """An entity of the ASIC, which is the device whose uid is a MAC address."""
        for unique_id, entity in self.by_unique_id.items():
            if unique_id.count(":") == _COLONS_OF_A_MAC and unique_id.endswith(f"_{key}"):
                return entity
        raise DemoError(f"the ASIC has no entity {key!r}; there are {sorted(self.by_unique_id)}")

    @property
    def asic_heater(self) -> str:
        """How the ASIC is named among the heaters."""
        start = f"rig/{RIG}/asic-"
        for unique_id in self.by_unique_id:
            if unique_id.startswith(start):
                return unique_id.removeprefix("rig/").partition("_")[0]
        raise DemoError(f"there is no ASIC; there are {sorted(self.by_unique_id)}")

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
