"""Makes what the owner's file names: drivers, then runners and miners on the GPUs found."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from .config import Config, Source, explain
from .devices import Driver
from .devices.asic import AsicConfig, AsicPlugin
from .errors import ConfigError, PluginUnavailable
from .miners import Miner
from .plugin import MinerConfig, PluginConfig, PluginContext, ProgramConfig
from .registry import Family, load
from .runners import Runner
from .wire.messages import Device
from .wire.values import DeviceKind

_BLOCKS: Mapping[Family, str] = {
    "devices": "device",
    "asics": "asic",
    "runners": "runner",
    "miners": "miner",
}


def _checked(
    family: Family, index: int, block: dict[str, Any], source: Source
) -> tuple[Any, PluginConfig]:
    """Return a block's plugin class and its validated config. Raises ConfigError with the line."""
    where = (_BLOCKS[family], index)
    name = block.get("plugin")
    if not isinstance(name, str):
        raise source.error((*where, "plugin"), 'each block names its plugin: plugin = "..."')
    try:
        plugin = load(family, name)
    except ConfigError as err:
        raise source.error((*where, "plugin"), str(err)) from None
    try:
        return plugin, plugin.Config.model_validate(block)
    except ValidationError as err:
        raise explain(source, where, err) from None


def drivers(config: Config, source: Source, context: PluginContext) -> list[Driver]:
    """Return a driver for each `[[device]]`."""
    made: list[Driver] = []
    for index, block in enumerate(config.device):
        plugin, settings = _checked("devices", index, block, source)
        made.append(plugin(settings, context))
    return made


def asics(config: Config, source: Source) -> list[tuple[AsicPlugin, AsicConfig]]:
    """Return each `[[asic]]`'s plugin and its config: its driver may have to be made again."""
    found: list[tuple[AsicPlugin, AsicConfig]] = []
    for index, block in enumerate(config.asic):
        plugin, settings = _checked("asics", index, block, source)
        assert isinstance(settings, AsicConfig)
        here = (settings.address, settings.port)
        if here in [(other.address, other.port) for _, other in found]:
            raise source.error(("asic", index, "address"), "two blocks have this address")
        if settings.mac and settings.mac in [other.mac for _, other in found]:
            raise source.error(("asic", index, "mac"), "two blocks have this MAC")
        found.append((plugin, settings))
    return found


def runners(
    config: Config, source: Source, context: PluginContext, devices: Sequence[Device]
) -> list[Runner]:
    """Return a runner for each `[[runner]]`."""
    return [
        plugin(settings, gpus, context)
        for plugin, settings, gpus in _programs("runners", config.runner, source, devices)
    ]


def miners(
    config: Config, source: Source, context: PluginContext, devices: Sequence[Device]
) -> list[Miner]:
    """Return a miner for each `[[miner]]`."""
    return [
        plugin(settings, gpus, context)
        for plugin, settings, gpus in _programs("miners", config.miner, source, devices)
    ]


def _programs(
    family: Family, blocks: Sequence[dict[str, Any]], source: Source, devices: Sequence[Device]
) -> list[tuple[Any, ProgramConfig, tuple[str, ...]]]:
    made: list[tuple[Any, ProgramConfig, tuple[str, ...]]] = []
    for index, block in enumerate(blocks):
        plugin, settings = _checked(family, index, block, source)
        assert isinstance(settings, ProgramConfig)
        where = (_BLOCKS[family], index)
        gpus = _gpus(settings, (*where, "gpus"), source, devices)
        for each, uids in _each(settings, gpus, devices, (*where, "per_gpu"), source):
            if each.name in {other.name for _, other, _ in made}:
                raise source.error((*where, "name"), f"two blocks are named {each.name!r}")
            made.append((plugin, each, uids))
    return made


def _each(
    settings: ProgramConfig,
    gpus: tuple[str, ...],
    devices: Sequence[Device],
    where: tuple[int | str, ...],
    source: Source,
) -> list[tuple[ProgramConfig, tuple[str, ...]]]:
    """Return a block's programs: one, or with `per_gpu` one for each GPU."""
    if not isinstance(settings, MinerConfig) or not settings.per_gpu:
        return [(settings, gpus)]
    if getattr(settings, "url", None) is not None:
        raise source.error(where, "several programs cannot share one url: leave url out")
    ordinals = {device.uid: device.ordinal for device in devices}
    return [
        (settings.model_copy(update={"name": f"{settings.name}-{ordinals[uid]}"}), (uid,))
        for uid in gpus
    ]


def _gpus(
    settings: ProgramConfig,
    where: tuple[int | str, ...],
    source: Source,
    devices: Sequence[Device],
) -> tuple[str, ...]:
    found = [device for device in devices if device.kind == DeviceKind.GPU]
    if settings.gpus == "all":
        return tuple(device.uid for device in found)
    names = {str(device.ordinal): device.uid for device in found}
    names |= {device.uid: device.uid for device in found}
    for gpu in settings.gpus:
        if str(gpu) not in names:
            known = ", ".join(f"{device.ordinal} ({device.uid})" for device in found) or "none"
            raise source.error(where, f"there is no GPU {gpu!r} here (found: {known})")
    uids = tuple(names[str(gpu)] for gpu in settings.gpus)
    if len(set(uids)) < len(uids):
        raise source.error(where, "a GPU is named twice")
    return uids


def check(config: Config, source: Source) -> None:
    """Validate every block without touching a device. Raises ConfigError or PluginUnavailable."""
    blocks: tuple[tuple[Family, tuple[dict[str, Any], ...]], ...] = (
        ("devices", config.device),
        ("asics", config.asic),
        ("runners", config.runner),
        ("miners", config.miner),
    )
    for family, listed in blocks:
        for index, block in enumerate(listed):
            _checked(family, index, block, source)
    asics(config, source)
    if not config.device and not config.asic:
        raise PluginUnavailable(
            f"{source.path}: no [[device]] and no [[asic]] is named, so there is nothing to "
            'measure; add one, for example plugin = "nvml"'
        )
