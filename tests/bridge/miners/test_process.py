"""Any program that hashes: it starts, it is stopped wherever another miner would pause."""

import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hashcenter_bridge.arbiter.types import Running
from hashcenter_bridge.child import ChildState
from hashcenter_bridge.errors import MinerFault
from hashcenter_bridge.miners.process import Plugin
from hashcenter_bridge.plugin import PluginContext
from hashcenter_bridge.programs import MinerProgram
from tests.bridge.processes import until

BUSY = "import signal, time; signal.signal(signal.SIGTERM, lambda *_: exit(0)); time.sleep(60)"


def plugin(folder: Path, **block: Any) -> Plugin:
    config = Plugin.Config.model_validate({"plugin": "process", "name": "any", **block})
    return Plugin(config, ("GPU-1",), PluginContext(folder, folder))


async def test_it_is_started_runs_and_ends_at_sigterm(tmp_path: Path) -> None:
    program = MinerProgram(
        plugin(tmp_path, command=(sys.executable, "-c", BUSY)), lambda: 0.0, lambda: None
    )
    assert program.child is not None
    try:
        program.child.want(True)
        await until(lambda: program.running is Running.ACTIVE)
        seen = program.seen()
        assert not seen.pauses
        assert seen.hash_rate_hs is None
        assert seen.pool_connected is None
        program.child.want(False)
        await until(lambda: program.child.state is ChildState.STOPPED)  # type: ignore[union-attr]
    finally:
        await program.close()


async def test_it_says_that_it_cannot_pause(tmp_path: Path) -> None:
    program = plugin(tmp_path, command=("miner",))
    for verb in (program.pause, program.resume):
        with pytest.raises(MinerFault):
            await verb()


def test_without_a_command_there_is_nothing_to_start(tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        plugin(tmp_path, command=())
