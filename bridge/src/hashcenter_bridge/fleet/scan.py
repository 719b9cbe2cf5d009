"""Finds ASICs on networks that their owner names: which answer, what they are. Nothing is written.

An address is asked at the drivers' ports; at an open one each driver looks whether it knows the
machine. Where several do, the one that can do most with it has it.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final

from ..devices.asic import AsicDriver
from ..errors import ConfigError
from ..wire.messages import Device

#: A home has no more, and a scan of more is a mistake.
MOST_ADDRESSES: Final = 4096
_AT_ONCE: Final = 64
_OPENS_WITHIN_S: Final = 1.0
_KNOWS_WITHIN_S: Final = 5.0

Plugins = Mapping[str, type[AsicDriver]]


@dataclass(frozen=True)
class Found:
    """A machine: where it is, which plugin drives it, who it is. `port`: none of the plugin's."""

    address: str
    port: int | None
    plugin: str
    device: Device


def addresses(networks: Iterable[str]) -> list[str]:
    """Return all addresses of these networks. Raises ConfigError for what is none, or too big."""
    found: dict[str, None] = {}
    for text in networks:
        try:
            network = ip_network(text, strict=False)
        except ValueError:
            raise ConfigError(
                f"{text!r} is no network: write it as 192.168.1.0/24, or one address"
            ) from None
        if network.num_addresses > MOST_ADDRESSES:
            raise ConfigError(
                f"{text} has {network.num_addresses} addresses; at most {MOST_ADDRESSES} are asked"
            )
        found |= dict.fromkeys(str(one) for one in network.hosts())
    return sorted(found, key=ip_address)


async def sweep(
    hosts: Sequence[str],
    plugins: Plugins,
    *,
    ports: Sequence[int] = (),
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> list[Found]:
    """Return the machines at these addresses; `ports` are asked besides the drivers' own."""
    places = asyncio.Semaphore(_AT_ONCE)
    done = 0

    async def ask(host: str) -> Found | None:
        nonlocal done
        async with places:
            try:
                return await _at(host, plugins, ports)
            finally:
                done += 1
                progress(done, len(hosts))

    answers = await asyncio.gather(*(ask(host) for host in hosts))
    return [one for one in answers if one is not None]


async def _at(host: str, plugins: Plugins, ports: Sequence[int]) -> Found | None:
    usual = {port for plugin in plugins.values() for port in plugin.ports}
    asked = sorted(usual | set(ports))
    opened = await asyncio.gather(*(_is_open(host, port) for port in asked))
    known: list[Found] = []
    for port in (port for port, is_open in zip(asked, opened, strict=True) if is_open):
        for name, plugin in plugins.items():
            if port not in plugin.ports and port not in ports:
                continue
            if (device := await _recognized(plugin, host, port)) is not None:
                own = None if port in plugin.ports else port
                known.append(Found(host, own, name, device))
    return max(known, key=_worth, default=None)


async def _is_open(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(_OPENS_WITHIN_S):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def _recognized(plugin: type[AsicDriver], host: str, port: int) -> Device | None:
    try:
        async with asyncio.timeout(_KNOWS_WITHIN_S):
            return await plugin.recognize(host, port)
    except TimeoutError:
        return None


def _worth(found: Found) -> tuple[bool, bool, bool]:
    can = found.device.capabilities
    knob = bool(can.power_limit or can.percent or can.steps)
    return found.device.mac is not None, knob, can.can_pause
