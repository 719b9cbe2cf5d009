"""What drives an ASIC: one driver per machine on the network, made from its `[[asic]]` block.

A driver is a class `Plugin` with a nested `Config` (an `AsicConfig`), named by an entry point of
the group `hashcenter.asics.v1` and made by `Plugin(config, context)`. It opens no connection before
its first call. It executes and never decides: which watts, when, how often is the arbiter's.

The core calls one method of a driver at a time, in the machine's own task, and bounds every call:
`READ_WITHIN_S` for `probe` and `read`, `WRITE_WITHIN_S` for the verbs. A call that takes longer, or
stands in the way of something to be set, is cancelled: a `read` in flight never delays a verb.
After a cancellation the driver drops that connection and is ready for its next call at once.

`probe()` fixes whose driver it is: the `mac` of its config if there is one, else the MAC it finds.
From then on nothing is written over a connection whose other end has not said that MAC: each new
connection asks first (addresses move after a power cut). A verb changes the one thing it names,
never a pool, a fan or anything else that a vendor's "set" carries along: what must be sent along
is read first and sent back as it was. Temporary knobs come before stored ones.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Protocol, TypeAlias, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ..errors import ConfigError
from ..log import hide
from ..plugin import PluginConfig, PluginContext
from ..wire.messages import Device
from ..wire.values import Activity, Readings

#: Real machines answer after up to 21 s.
READ_WITHIN_S: Final = 25.0
#: Stock firmware takes up to 35 s to take a setting.
WRITE_WITHIN_S: Final = 60.0

#: Where a knob stands: watts or percent as a number, a step by its name, as `Capabilities` says.
Setting: TypeAlias = float | str

_MAC: Final = re.compile(r"[0-9a-f]{12}")
_Watts: TypeAlias = Annotated[float, Field(ge=0, le=20_000)]


def normal_mac(text: str) -> str | None:
    """Return a MAC as the wire writes it (`aa:bb:cc:dd:ee:ff`), None for what is none.

    Vendors write it in capitals, with dashes or without anything in between. All zeros is no MAC.
    """
    digits = re.sub(r"[\s:.-]", "", text).lower()
    if not _MAC.fullmatch(digits) or not digits.strip("0"):
        return None
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))


class MeterConfig(BaseModel):
    """`[asic.meter]`: the plug or meter that tells the truth about its watts, and is only read.

    Anything that answers a GET of `url` with JSON; `value` is the path to the watts in it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(pattern=r"^http://[^\s@/]+/\S*$", max_length=300)
    value: str = Field(min_length=1, max_length=120)
    interval_s: float = Field(default=5.0, ge=1, le=15)

    @property
    def host(self) -> str:
        """Where it is, without what may be secret in its address."""
        return self.url.split("/")[2]


class AsicConfig(PluginConfig):
    """What every `[[asic]]` block has in common; watts are the machine's at the wall.

    `mac` pins which machine this is; without it the first one found at `address` is meant, and
    remembered. The password comes from `password_file` or from the environment variable that
    `password_env` names; without both, the vendor's own default is tried.
    """

    address: str = Field(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9.:_-]{0,251}[A-Za-z0-9])?$")
    port: int | None = Field(default=None, ge=1, le=65_535)
    name: str = Field(default="", max_length=60)
    mac: str | None = None
    username: str | None = Field(default=None, max_length=120)
    password_file: Path | None = None
    password_env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    interval_s: float = Field(default=10.0, ge=1, le=15)
    #: What it may draw at most; unknown is what the machine itself allows.
    max_w: _Watts | None = None
    #: What it may draw when nobody asks for heat; 0 pauses it.
    safe_w: _Watts = 0.0
    #: What it draws after its own reboot with nobody talking to it; unknown is its most.
    unattended_w: _Watts | None = None
    #: What it draws for a moment while it starts; unknown is its most.
    boot_peak_w: _Watts | None = None
    #: Measured only: nothing is ever set on it.
    hands_off: bool = False
    #: How often a day it may be started, and how often more after power cuts and against frost.
    starts_per_day: int = Field(default=6, ge=1, le=96)
    spare_starts: int = Field(default=2, ge=0, le=24)
    meter: MeterConfig | None = None

    @field_validator("mac")
    @classmethod
    def _a_mac(cls, value: str | None) -> str | None:
        if value is None:
            return None
        mac = normal_mac(value)
        if mac is None:
            raise ValueError("write the MAC address as aa:bb:cc:dd:ee:ff")
        return mac

    def password(self, default: str = "") -> str:
        """Return the password. Raises ConfigError when its file or variable is not there."""
        if self.password_file is not None:
            try:
                return hide(self.password_file.read_text().strip())
            except (OSError, UnicodeDecodeError) as err:
                why = getattr(err, "strerror", None) or "it is not text in UTF-8"
                raise ConfigError(
                    f"[[asic]] password_file: {self.password_file} cannot be read ({why})"
                ) from None
        if self.password_env is None:
            return default
        if (value := os.environ.get(self.password_env)) is None:
            raise ConfigError(
                f"[[asic]] password_env: the environment has no variable {self.password_env}"
            )
        return hide(value)


@dataclass(frozen=True)
class Pool:
    """One pool in an ASIC's list. `worker` never leaves the bridge: it is often a wallet.

    `url` is as the machine says it. `active` is the one it works for now; `connected` is None where
    the machine does not say.
    """

    url: str
    worker: str
    active: bool = False
    connected: bool | None = None


@dataclass(frozen=True)
class AsicFault:
    """Something that the machine itself says is wrong.

    `code` is stable and plain (`fan_failed`, `board_missing`, `too_hot`); `text` is a sentence for
    its owner that carries the vendor's own code.
    """

    code: str
    text: str


@dataclass(frozen=True)
class AsicSample:
    """One look at an ASIC. What is not known is None, never 0.

    `readings` hold what is published: watts, hash rate, temperatures, fans, shares (counted as the
    machine counts them). The core fills in what follows from the rest: energy, J/TH, the knob's
    place, the pool's address, the uptime.
    `activity` is one of hashing, starting, paused, idle (it could hash and has no work), fault;
    `off` where it was shut down and only a power cycle or `resume` wakes it.
    `mac` is who answered, where this look asked. `uptime_s` counts from the machine's own boot: a
    reboot is told from somebody's hand by it. `mining_s` counts from the start of mining, which a
    hand may have caused as well; it is shown where the other is not known, and nothing more.
    `setting` is where the knob stands, read back from the machine.
    `protecting` is a sentence while the machine protects itself (overheated, throttled), and so
    changes its own settings. `pools` are all that are configured, in their order: a fail-over to
    the second is no fault, a list that changed is. `display` is the machine's own setting of its
    screen, 0 where it is off.
    """

    readings: Readings
    activity: Activity
    setting: Setting | None = None
    pools: tuple[Pool, ...] = ()
    mac: str | None = None
    uptime_s: float | None = None
    mining_s: float | None = None
    protecting: str | None = None
    display: float | None = None
    faults: tuple[AsicFault, ...] = ()


@runtime_checkable
class HasScreen(Protocol):
    """A driver of a machine whose screen can be turned off; `AsicSample.display` is how it is."""

    async def show(self, display: float) -> None:
        """Set the screen as its owner had it, or (0) turn it off. Raises DeviceFault."""


class AsicDriver(Protocol):
    """One ASIC. Every method may raise DeviceFault; its text names the machine by its address.

    Codes that the core knows: `unreachable` (nobody answers), `unreadable` (an answer that nobody
    understands), `login_failed`, `refused` (it said no, in its words), `other_device` (another MAC
    than expected answers), `busy` (it cannot be set just now: rebooting, tuning). No text carries a
    password, a token or a worker.
    """

    Config: ClassVar[type[Any]]
    #: The TCP ports at which `recognize` makes sense.
    ports: ClassVar[tuple[int, ...]]

    @classmethod
    async def recognize(cls, address: str, port: int) -> Device | None:
        """Return the machine at an open port, None if it is none of this driver's.

        Without logging in, without writing, and raising nothing; it may take 3 s at most.
        """

    async def probe(self) -> Device:
        """Return who it is and what it can do; again whenever it may have changed.

        `uid` and `mac` are the normal MAC. Where a firmware tells none, `uid` is its serial number,
        and where it tells neither, the address: such a machine has no knob and no pause. Limits are
        the machine's own.
        """

    async def read(self) -> AsicSample:
        """Look at it once."""

    async def pause(self) -> None:
        """Stop hashing and leave everything else on. A return is no proof of an effect."""

    async def resume(self) -> None:
        """Hash again, with the setting that stands."""

    async def set(self, to: Setting) -> None:
        """Turn the one knob that `probe` named: watts, percent, or a step by its name."""

    async def restart(self) -> None:
        """Reboot the machine."""

    async def close(self) -> None:
        """Close connections (log off where sessions are few); the machine stays as it is."""


#: How an `[[asic]]` block becomes a driver.
AsicPlugin: TypeAlias = Callable[[AsicConfig, PluginContext], AsicDriver]
