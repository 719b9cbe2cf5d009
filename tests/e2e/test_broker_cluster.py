"""One MQTT 5 broker on two machines (ejabberd): a rig on one, the house on the other, one dies."""

import asyncio
from pathlib import Path

import aiomqtt
import pytest

from tests.e2e.ejabberd import HOST, Node, cluster
from tests.e2e.house import house
from tests.e2e.rig import BASE_W, RIG, RealRig
from tests.simulators.stratum_pool import StratumPool
from tests.simulators.tcp_proxy import TcpProxy

pytestmark = [pytest.mark.e2e, pytest.mark.fleet, pytest.mark.timeout(400)]

PASSWORD = "only-a-test"


async def test_a_rig_and_its_house_on_two_nodes_and_on_one_when_the_other_dies(
    tmp_path: Path, fake_nvml: Path, pool: StratumPool
) -> None:
    secret = tmp_path / "password"
    secret.write_text(PASSWORD)
    async with cluster(tmp_path / "cluster") as (first, second):
        for name in ("homeassistant", RIG):
            await first.add_user(name, PASSWORD)
        account = f'username = "{RIG}@{HOST}"\npassword_file = "{secret}"'
        # Who finds the living node for a client (DNS, a shared address): here a proxy.
        async with TcpProxy(second.port) as way:
            rig = RealRig(tmp_path, way.port, pool, fake_nvml, mqtt=account)
            try:
                async with house(
                    first.port, RIG, username=f"homeassistant@{HOST}", password=PASSWORD
                ) as home:
                    await rig.start()
                    assert (await home.until_inventory()).heaters[0].id == RIG
                    assert await home.ask("lease", power_w=300.0, ttl_s=120.0) == "accepted"
                    await home.until_state(lambda one: (one.power_w or 0.0) > BASE_W + 100.0)

                    home.forget()
                    await second.kill()
                    way.to(first.port)
                    assert (await home.until(lambda: home.state)) is not None
                    assert await home.ask("lease", power_w=200.0, ttl_s=120.0) == "accepted"
                    assert home.last("status") is None or home.last("status").status == "online"
            finally:
                await rig.clean_up()


async def test_a_rig_may_say_its_own_words_on_any_node_and_nothing_else(tmp_path: Path) -> None:
    async with cluster(tmp_path / "cluster") as (first, second):
        for name in ("homeassistant", RIG):
            await first.add_user(name, PASSWORD)
        async with _client(first, "homeassistant") as home, _client(second, RIG) as rig:
            await home.subscribe("hashcenter/v1/#", qos=1)
            [of_another] = await rig.subscribe("hashcenter/v1/cellar/request", qos=1)
            assert not isinstance(of_another, int)
            assert of_another.is_failure
            for topic in ("cellar/state", f"{RIG}/request", f"{RIG}/state"):
                await rig.publish(f"hashcenter/v1/{topic}", topic.encode(), qos=1)
            async with asyncio.timeout(30):
                heard = await anext(home.messages)
            assert heard.topic.value == f"hashcenter/v1/{RIG}/state"


def _client(node: Node, name: str) -> aiomqtt.Client:
    return aiomqtt.Client(
        "127.0.0.1", node.port, protocol=aiomqtt.ProtocolVersion.V5,
        username=f"{name}@{HOST}", password=PASSWORD,
    )  # fmt: skip
