"""Names that several modules share: the domain, the platforms, what a subentry holds."""

from typing import Final

from homeassistant.const import Platform

DOMAIN: Final = "hashcenter"
MANUFACTURER: Final = "Hashcenter"

PLATFORMS: Final = [
    Platform.AI_TASK,
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.CLIMATE,
    Platform.CONVERSATION,
    Platform.EVENT,
    Platform.NUMBER,
    Platform.SELECT,
    Platform.SENSOR,
    Platform.SWITCH,
    Platform.UPDATE,
]

SUBENTRY_RIG: Final = "rig"
SUBENTRY_CONVERSATION: Final = "conversation"
SUBENTRY_AI_TASK: Final = "ai_task_data"

#: What a `rig` subentry holds: the rig's id, its key, and the endpoint origin a person confirmed.
CONF_RIG: Final = "rig"
CONF_KEY: Final = "key"
CONF_HOST: Final = "host"

#: What a `conversation` subentry holds besides: how much the model may think, and whether it is
#: held to valid tool calls.
CONF_THINKING: Final = "thinking"
CONF_CONSTRAIN: Final = "constrain_tools"

#: The bridge this integration was made for; an older one still works and shows an update.
BRIDGE_VERSION: Final = "0.1.0"
DOCS_URL: Final = "https://github.com/hashcenter/hashcenter/blob/main/docs"
RELEASES_URL: Final = "https://github.com/hashcenter/hashcenter/releases"
