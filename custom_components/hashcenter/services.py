"""Actions: ask a heater for watts for a time, and ask for nothing any more.

Both target a heater's heat request (by entity, device, area or label); a rig's answer comes back.
"""

from datetime import timedelta
from typing import Final

import probatio
from homeassistant.components.number import DOMAIN as NUMBER_DOMAIN
from homeassistant.core import HomeAssistant, SupportsResponse, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.service import async_register_platform_entity_service

from .const import DOMAIN
from .number import HeaterFeature

SERVICE_REQUEST_HEAT: Final = "request_heat"
SERVICE_RELEASE_HEAT: Final = "release_heat"

ATTR_POWER_W: Final = "power_w"
ATTR_DURATION: Final = "duration"
ATTR_HIGH_LIMIT: Final = "high_limit"
ATTR_THERMOMETER: Final = "thermometer"

#: A limit needs its thermometer, and the other way round.
_CUT_OUT: Final = "cut_out"
_MAX_DURATION: Final = timedelta(days=7)


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    async_register_platform_entity_service(
        hass,
        DOMAIN,
        SERVICE_REQUEST_HEAT,
        entity_domain=NUMBER_DOMAIN,
        func="async_request_heat",
        required_features=[HeaterFeature.HEAT],
        schema={
            probatio.Required(ATTR_POWER_W): probatio.All(
                probatio.Coerce(float), probatio.Range(min=0, max=1_000_000)
            ),
            probatio.Optional(ATTR_DURATION): probatio.All(
                cv.time_period, probatio.Range(min=timedelta(minutes=1), max=_MAX_DURATION)
            ),
            probatio.Inclusive(ATTR_HIGH_LIMIT, _CUT_OUT): probatio.Coerce(float),
            probatio.Inclusive(ATTR_THERMOMETER, _CUT_OUT): cv.entity_id,
        },
        supports_response=SupportsResponse.OPTIONAL,
    )
    async_register_platform_entity_service(
        hass,
        DOMAIN,
        SERVICE_RELEASE_HEAT,
        entity_domain=NUMBER_DOMAIN,
        func="async_release_heat",
        required_features=[HeaterFeature.HEAT],
        schema=None,
    )
