"""What can go wrong between the house and a rig, as errors that people read in their language."""

from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.intent import IntentHandleError

from .const import DOMAIN


def reason(err: BaseException) -> str:
    """Return what went wrong, for a log: some errors' `repr` holds the headers, so the key."""
    return f"{type(err).__name__}: {err}"


class RigError(HomeAssistantError):
    """A request did not take effect; the text says which rig and why."""

    key = ""

    def __init__(self, rig: str, **placeholders: str) -> None:
        """Name the rig as people know it."""
        super().__init__(
            translation_domain=DOMAIN,
            translation_key=self.key,
            translation_placeholders={"rig": rig, **placeholders},
        )


class RigOffline(RigError):
    """The rig is not connected; nothing was sent."""

    key = "rig_offline"


class RigSilent(RigError):
    """The request was sent and nobody answered in time."""

    key = "rig_silent"


class RigRefused(RigError):
    """The rig said no. `code` is the wire's, `reason` the rig's own sentence."""

    key = "rig_refused"

    def __init__(self, rig: str, code: str, reason: str) -> None:
        """Keep the rig's own words."""
        super().__init__(rig, reason=(reason or code).removesuffix("."))
        self.code = code


def error(key: str, **placeholders: str) -> HomeAssistantError:
    """Return the error for something that did not work, as a sentence in every language."""
    return HomeAssistantError(
        translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders
    )


class RaisedByVoice(ServiceValidationError, IntentHandleError):
    """A voice asked for more heat in a child's room.

    As an intent's error its sentence reaches the language model that asked; as any other it would
    be told of an unexpected error, with a traceback in the log.
    """

    def __init__(self, room: str) -> None:
        """Name the room."""
        HomeAssistantError.__init__(
            self,
            translation_domain=DOMAIN,
            translation_key="raised_by_voice",
            translation_placeholders={"room": room},
        )
        self.response_key = None


def mistake(key: str, **placeholders: str) -> ServiceValidationError:
    """Return the error for something a person asked that cannot be."""
    return ServiceValidationError(
        translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders
    )
