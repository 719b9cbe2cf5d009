"""The real bridge beside HiveOS, laid out below a folder: the house is refused until it is off."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.bridge.masters.machine import hiveos
from tests.brokers import Broker
from tests.e2e import rig as rigs
from tests.e2e.house import House, house
from tests.e2e.rig import RIG, RealRig
from tests.simulators.stratum_pool import StratumPool
from tools.paths import BRIDGE_PYTHON

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

_COMMAND = """\
#!{python}
import sys
from pathlib import Path
from hashcenter_bridge import cli, masters
from hashcenter_bridge.masters import watch
masters.ROOT = Path("{root}")
watch.EACH_S = 0.5
sys.exit(cli.main())
"""


@pytest.fixture
async def ends() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.mark.parametrize("broker", ["mosquitto"], indirect=True)
async def test_beside_hiveos_the_house_is_refused_until_it_is_off(
    broker: Broker,
    pool: StratumPool,
    fake_nvml: Path,
    tmp_path: Path,
    ends: AsyncExitStack,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = hiveos(tmp_path / "root", boots=True)
    command = tmp_path / "hashcenter"
    command.write_text(_COMMAND.format(python=BRIDGE_PYTHON, root=root))
    command.chmod(0o755)
    monkeypatch.setattr(rigs, "COMMAND", command)
    rig = RealRig(tmp_path, broker.port, pool, fake_nvml)
    ends.push_async_callback(rig.clean_up)
    home: House = await ends.enter_async_context(house(broker.port, RIG))
    await rig.start()

    # Refused from its first word on, in a sentence.
    inventory = await home.until_inventory()
    assert inventory.allow_control
    assert inventory.control_refused is not None
    assert inventory.control_refused.startswith("HiveOS sets these GPUs, too: ")
    assert "it starts with the machine" in inventory.control_refused
    assert await home.ask("lease", power_w=300.0) == "control_refused"
    assert await home.ask("stop_all") == "accepted"
    assert await home.ask("stop_all", engaged=False) == "accepted"
    _, report = await rig.hashcenter("doctor")
    assert "FAILED   other masters: HiveOS: " in report
    assert "`systemctl disable --now hive hive-watchdog hivex`" in report

    (root / "etc/systemd/system/multi-user.target.wants/hive.service").unlink()

    await home.until(lambda: home.last("inventory").control_refused is None)
    assert await home.ask("lease", power_w=300.0) == "accepted"
    await home.until_state(lambda now: now.activity == "hashing")
