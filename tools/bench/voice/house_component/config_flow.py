"""Makes the home at once."""

from typing import Any

from homeassistant.config_entries import ConfigFlow, ConfigFlowResult


class BenchHomeFlow(ConfigFlow, domain="bench_home"):
    """Asks nothing."""

    async def async_step_user(self, _input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Make it."""
        return self.async_create_entry(title="Bench home", data={})
