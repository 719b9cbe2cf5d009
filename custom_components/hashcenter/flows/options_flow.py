"""The house's options: what watts cost and earn, how cold it is outside, what tilts the favor.

Each part is a form of its own behind a menu. The answers become the entry's options, by the keys of
plan.py: `outdoor`, `money` and `tilt`. What a form does not show stays as it is.
"""

from typing import Any

from homeassistant.config_entries import ConfigFlowResult, OptionsFlow

from . import money_form, tilt_form
from .forms import Answers, Degrees, Mistakes, check_thermometer, replaced


class HouseOptionsFlow(OptionsFlow):
    """The house's options."""

    async def async_step_init(self, user_input: Answers | None = None) -> ConfigFlowResult:
        """Ask which part to change."""
        return self.async_show_menu(step_id="init", menu_options=["money", "outdoor"])

    async def async_step_money(self, user_input: Answers | None = None) -> ConfigFlowResult:
        """Ask what watts cost and earn."""
        before: Answers = self.config_entry.options.get("money", {})
        mistakes = Mistakes()
        if user_input is not None:
            money = money_form.read(user_input, before)
            money_form.check(self.hass, money, mistakes)
            if not mistakes.errors:
                return self._keep(money=money)
        currency = self.hass.config.currency
        shown = user_input or money_form.answers(before)
        return self.async_show_form(
            step_id="money",
            data_schema=self.add_suggested_values_to_schema(money_form.schema(currency), shown),
            errors=mistakes.errors,
            description_placeholders={"currency": currency, **mistakes.names},
        )

    async def async_step_outdoor(self, user_input: Answers | None = None) -> ConfigFlowResult:
        """Ask how cold it is outside, and where each policy of the tilt has its thresholds."""
        options = self.config_entry.options
        before: Answers = options.get("tilt", {})
        degrees = Degrees(self.hass)
        mistakes = Mistakes()
        if user_input is not None:
            tilt = tilt_form.read(user_input, before, degrees)
            outdoor = user_input.get("outdoor")
            if outdoor is not None:
                check_thermometer(self.hass, outdoor, "outdoor", mistakes)
            tilt_form.check(tilt, degrees, mistakes)
            if not mistakes.errors:
                return self._keep(outdoor=outdoor, tilt=tilt)
        shown = user_input or tilt_form.answers(options.get("outdoor"), before, degrees)
        return self.async_show_form(
            step_id="outdoor",
            data_schema=self.add_suggested_values_to_schema(
                tilt_form.schema(self.hass, degrees), shown
            ),
            errors=mistakes.errors,
            description_placeholders=mistakes.names,
        )

    def _keep(self, **parts: Any) -> ConfigFlowResult:
        """End with these parts of the options replaced; the others stay."""
        options = replaced(self.config_entry.options, parts, parts)
        return self.async_create_entry(data=options)
