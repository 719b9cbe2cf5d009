"""A scan of a network with one simulated machine of each protocol."""

from contextlib import AsyncExitStack

from hashcenter_bridge.fleet.console import lines_of_scan
from hashcenter_bridge.fleet.scan import sweep

from .machines import MAKES, loopback, simulator_for


async def test_every_machine_is_found_with_its_own_driver() -> None:
    plugins = {make.driver: make.plugin for make in MAKES.values()}
    expected: dict[str, str] = {}
    async with AsyncExitStack() as stack:
        for make in MAKES.values():
            address = loopback()
            simulator = await stack.enter_async_context(simulator_for(make, address))
            expected[address] = make.driver
            # Tests listen where an ordinary user may, and not at port 80.
            port = simulator.options.http_port
        found = await sweep([*expected, loopback()], plugins, ports=[port])
    assert {one.address: one.plugin for one in found} == expected
    told = "\n".join(lines_of_scan(found))
    assert told.count("[[asic]]") == len(MAKES)
    assert "knob" not in told
