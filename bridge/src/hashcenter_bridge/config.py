"""The owner's file: one TOML file, read once, every mistake named with its line.

Each plugin validates its own block with its own `Config`; this module knows only the common part.
"""

import os
import re
import ssl
import tomllib
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError, model_validator

from . import certificate
from .certificate import Certificate
from .errors import ConfigError
from .log import hide
from .thoughts import VOICE_THINKING_S
from .voice import VoiceConfig
from .wire.topics import RIG_PATTERN

DEFAULT_PATHS = (Path("hashcenter.toml"), Path("/etc/hashcenter/hashcenter.toml"))


#: TOML has no paths and no tuples, so these two alone are converted.
Folder = Annotated[Path, Strict(False)]
Blocks = Annotated[tuple[dict[str, Any], ...], Strict(False)]
_FAMILIES = ("device", "asic", "runner", "miner", "voice")
#: How a pattern begins, and what it means to a person.
_PATTERNS = (
    ("^[a-z0-9]", "write small letters, digits, - and _, at most 32 of them"),
    ("^[A-Za-z0-9](?:[A-Za-z0-9.:_-]", "write its IP address or its name, without http:// or a /"),
    ("^http://", "write an address such as http://192.168.1.40/status, without a user in it"),
    ("^https?:", "write an address without a path, such as http://192.168.1.20:8420"),
)


def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine's own."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class RigConfig(_Section):
    """`[rig]`: who this rig is, and the owner's limits, in watts of the machine at the wall."""

    id: str = Field(pattern=RIG_PATTERN)
    name: str = Field(default="", max_length=60)
    allow_control: bool = False
    max_w: float = Field(default=1500.0, gt=0, le=20_000)
    safe_w: float = Field(default=0.0, ge=0, le=20_000)
    base_w: float = Field(default=0.0, ge=0, le=2_000)
    psu_efficiency: float = Field(default=0.92, ge=0.5, le=1.0)
    unattended_w: float | None = Field(default=None, ge=0, le=20_000)
    max_temp_c: float = Field(default=85.0, ge=40, le=110)
    coast_s: float = Field(default=1800.0, ge=0, le=1800)
    state_folder: Folder = Path("/var/lib/hashcenter")
    runtime_folder: Folder = Path("/run/hashcenter")


class MqttConfig(_Section):
    """`[mqtt]`: the house's broker. The password comes from a file or HASHCENTER_MQTT_PASSWORD.

    Beyond this machine it is `tls` (with the house's own `ca_file`, and this rig's `cert_file` and
    `key_file` where the broker asks for one), or `plain`, by the owner's word. `signed_requests`:
    whoever asks for something has to know the rig's key, whatever the broker lets through.
    """

    host: str = Field(default="127.0.0.1", min_length=1, max_length=253)
    port: int | None = Field(default=None, ge=1, le=65_535)
    username: str | None = None
    password_file: Folder | None = None
    keepalive_s: int = Field(default=15, ge=5, le=300)
    tls: bool = False
    ca_file: Folder | None = None
    cert_file: Folder | None = None
    key_file: Folder | None = None
    plain: bool = False
    signed_requests: bool = False

    @property
    def the_port(self) -> int:
        """The broker's port: as written, else the usual one."""
        return self.port or (8883 if self.tls else 1883)

    @property
    def is_exposed(self) -> bool:
        """Whether what is said can be read on the network."""
        return not self.tls and not is_loopback(self.host)

    @model_validator(mode="after")
    def _is_protected(self) -> Self:
        if self.is_exposed and not self.plain:
            raise ValueError(
                "everybody in the network could read and send what this rig says and hears; write "
                "tls = true (docs/security.md), or plain = true to live with it"
            )
        if not self.tls and (self.ca_file or self.cert_file):
            raise ValueError("ca_file and cert_file mean nothing without tls = true")
        return self

    def tls_context(self) -> ssl.SSLContext | None:
        """Return how to trust the broker, None without TLS. Raises ConfigError naming the file."""
        if not self.tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.cert_file:
                context.load_cert_chain(self.cert_file, self.key_file)
        except (OSError, ssl.SSLError) as err:
            files = ", ".join(
                f"{name} = {file}"
                for name, file in (
                    ("ca_file", self.ca_file),
                    ("cert_file", self.cert_file),
                    ("key_file", self.key_file),
                )
                if file
            )
            raise ConfigError(f"[mqtt] {files}: cannot be used ({err})") from None
        return context

    def password(self) -> str | None:
        """Return the broker's password. Raises ConfigError when its file cannot be read."""
        if self.password_file is None:
            given = os.environ.get("HASHCENTER_MQTT_PASSWORD")
            return None if given is None else hide(given)
        try:
            return hide(self.password_file.read_text().strip())
        except (OSError, UnicodeDecodeError) as err:
            why = getattr(err, "strerror", None) or "it is not text in UTF-8"
            raise ConfigError(
                f"[mqtt] password_file: {self.password_file} cannot be read ({why})"
            ) from None


class HttpConfig(_Section):
    """`[http]`: the API that answers. `url` is how the house reaches it, if not by `listen`.

    Beyond this machine it is HTTPS, with a certificate of the rig's own making that Home Assistant
    pins, or the owner's `cert_file` and `key_file`; `plain` is HTTP, by the owner's word.
    `voice_thinking_s` is how long a model may only think while somebody waits for its voice.
    """

    enabled: bool = True
    listen: str = Field(default="127.0.0.1", min_length=1, max_length=253)
    port: int = Field(default=8420, ge=1, le=65_535)
    url: str | None = Field(default=None, pattern=r"^https?://[^/\s]+$")
    max_waiting: int = Field(default=16, ge=1, le=1000)
    voice_thinking_s: float = Field(default=VOICE_THINKING_S, ge=0, le=3600)
    cert_file: Folder | None = None
    key_file: Folder | None = None
    plain: bool = False

    @property
    def encrypts(self) -> bool:
        """Whether it is HTTPS: everywhere but on this machine itself, unless the owner says no."""
        return not self.plain and not is_loopback(self.listen)

    @property
    def is_exposed(self) -> bool:
        """Whether keys and words can be read on the network."""
        return self.enabled and self.plain and not is_loopback(self.listen)

    @model_validator(mode="after")
    def _has_both(self) -> Self:
        if bool(self.cert_file) != bool(self.key_file):
            raise ValueError(
                "cert_file and key_file belong together; without them the rig has its own"
            )
        return self

    def certificate(self, state_folder: Path) -> Certificate | None:
        """Return what the API shows, None without HTTPS. Raises ConfigError naming the file."""
        if not self.encrypts:
            return None
        if self.cert_file and self.key_file:
            return certificate.read(self.cert_file, self.key_file)
        return certificate.read_or_make(state_folder)


class AsicsConfig(_Section):
    """`[asics]`: what all ASICs share.

    `search` are the networks on which a machine is looked for whose address moved. `stagger_s`
    passes between two starts.
    """

    search: Annotated[tuple[str, ...], Strict(False)] = ()
    stagger_s: float = Field(default=10.0, ge=0, le=600)


class LogConfig(_Section):
    """`[log]`: how much the bridge says, as sentences or as one JSON object per line."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class Config(_Section):
    """The whole file. Plugin blocks stay raw here: `[[device]]`, `[[asic]]` and so on."""

    rig: RigConfig
    mqtt: MqttConfig = MqttConfig()
    http: HttpConfig = HttpConfig()
    asics: AsicsConfig = AsicsConfig()
    log: LogConfig = LogConfig()
    device: Blocks = ()
    asic: Blocks = ()
    runner: Blocks = ()
    miner: Blocks = ()
    voice: Annotated[tuple[VoiceConfig, ...], Strict(False)] = ()

    @model_validator(mode="after")
    def _voices_differ(self) -> Self:
        for what in ("name", "port"):
            taken = [getattr(one, what) for one in self.voice]
            if len(set(taken)) < len(taken):
                raise ValueError(f"two [[voice]] blocks have the same {what}")
        return self

    @property
    def exposed(self) -> tuple[str, ...]:
        """What anybody in the network can read, by the owner's word."""
        parts = {"mqtt": self.mqtt.is_exposed, "api": self.http.is_exposed}
        return tuple(name for name, is_exposed in parts.items() if is_exposed)


class Source:
    """The text of the file, for sentences that name the line."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self._lines = text.splitlines()

    def error(self, location: tuple[int | str, ...], message: str) -> ConfigError:
        """Return a ConfigError that names file, line and key of `location`."""
        line = self._line(location)
        key = ".".join(str(part) for part in location if isinstance(part, str)) or "the file"
        return ConfigError(f"{self.path}{f', line {line}' if line else ''}: {key}: {message}")

    def _line(self, location: tuple[int | str, ...]) -> int | None:
        """Find the line of a key, else that of its table; TOML readers do not tell."""
        table = str(location[0]) if location else ""
        nth = location[1] if len(location) > 1 and isinstance(location[1], int) else 0
        key = next((str(part) for part in reversed(location[1:]) if isinstance(part, str)), None)
        plain = re.compile(rf"\s*{re.escape(table)}\s*[.=]")
        wanted = re.compile(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=") if key else None
        current, seen, header = "", -1, None
        for number, line in enumerate(self._lines, 1):
            found = re.match(r"\s*\[\[?\s*([\w.-]+)", line)
            if found:
                current = found[1].split(".")[0]
                if found[1] == table:
                    seen += 1
                    header = number if seen == nth else header
            elif wanted and wanted.match(line):
                if current == table and max(seen, 0) == nth:
                    return number
            elif not current and header is None and plain.match(line):
                header = number
        return header


def explain(source: Source, prefix: tuple[int | str, ...], err: ValidationError) -> ConfigError:
    """Return the first problem of `err` as one sentence; `prefix` is where its block stands."""
    first = err.errors(include_url=False)[0]
    location = (*prefix, *first["loc"])
    # Deeper parts name pydantic's types and places in a list, not the owner's keys.
    depth = 3 if location and location[0] in _FAMILIES else 2
    location = location[: depth + (location[2:3] == ("meter",))]
    if first["type"] == "extra_forbidden":
        return source.error(
            location, "this key is not known; see `hashcenter schema` for those that are"
        )
    if first["type"] == "missing":
        return source.error(location, "this key is needed and is not there")
    if first["type"] == "tuple_type" and location in [(family,) for family in _FAMILIES]:
        return source.error(location, f"write it in two brackets: [[{location[0]}]]")
    if first["type"] == "model_type":
        return source.error(location, f"write it as a table: [{location[0]}]")
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "string_pattern_mismatch":
        pattern = str(first["ctx"]["pattern"])
        message = next((text for start, text in _PATTERNS if pattern.startswith(start)), message)
    given = first.get("input")
    plain = not isinstance(given, dict) and len(str(given)) < 200
    shown = f" (it is {str(given)[:60]!r})" if plain else ""
    return source.error(location, f"{message[:1].lower()}{message[1:]}{shown}")


def find(path: Path | None) -> Path:
    """Return the file to read. Raises ConfigError naming where it was looked for."""
    if path is not None:
        return path
    for candidate in DEFAULT_PATHS:
        if candidate.exists():
            return candidate
    looked = " and ".join(str(candidate) for candidate in DEFAULT_PATHS)
    raise ConfigError(f"no configuration found: looked for {looked}; name one with --config FILE")


def load(path: Path) -> tuple[Config, Source]:
    """Read the owner's file. Raises ConfigError for anything wrong with it, in one sentence."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as err:
        raise ConfigError(f"{path}: cannot be read ({err.strerror})") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not text in UTF-8") from None
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as err:
        raise ConfigError(f"{path}: not valid TOML: {err}") from None
    source = Source(path, text)
    try:
        return Config.model_validate(raw), source
    except ValidationError as err:
        raise explain(source, (), err) from None
