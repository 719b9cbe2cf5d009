"""The owner's file and commands: every mistake is a sentence, a scan prints what can be copied."""

import tomllib
from pathlib import Path

import pytest

from hashcenter_bridge import build, config
from hashcenter_bridge.errors import BridgeError
from tests.bridge.console import hashcenter
from tests.simulators.asic import PROTOCOLS, Options

RIG = '[rig]\nid = "basement"\n'
BLOCK = '[[asic]]\nplugin = "axeos"\naddress = "192.168.1.20"\n'


def mistake(file: Path, text: str) -> str:
    file.write_text(RIG + text)
    with pytest.raises(BridgeError) as err:
        build.check(*config.load(file))
    assert "\n" not in str(err.value)
    return str(err.value).replace(str(file), "FILE")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f"{BLOCK}pool = 'stratum'\n", "FILE, line 6: asic.pool: this key is not known"),
        ('[[asic]]\nplugin = "axeos"\n', "FILE, line 3: asic.address: this key is needed"),
        ('[[asic]]\naddress = "x"\n', "FILE, line 3: asic.plugin: each block names its plugin"),
        ('[[asic]]\nplugin = "s9"\naddress = "x"\n', "there is no plugin 's9' among the asics"),
        (f'{BLOCK}mac = "x"\n', "FILE, line 6: asic.mac: write the MAC address as aa:bb"),
        (f"{BLOCK}max_w = -1\n", "FILE, line 6: asic.max_w: "),
        (f"{BLOCK}interval_s = 60\n", "FILE, line 6: asic.interval_s: "),
        (f"{BLOCK}{BLOCK}", "FILE, line 8: asic.address: two blocks have this address"),
        (
            f'{BLOCK}[asic.meter]\nurl = "plug"\nvalue = "apower"\n',
            "FILE, line 7: asic.meter.url: write an address",
        ),
        (f"{BLOCK}[asic.meter]\n", "asic.meter.url: this key is needed"),
        (f"{BLOCK}[asics]\nstagger = 1\n", "FILE, line 7: asics.stagger: this key is not known"),
        ('[asic]\nplugin = "axeos"\n', "asic: write it in two brackets: [[asic]]"),
    ],
)
def test_a_mistake_in_a_block_names_its_line(tmp_path: Path, text: str, sentence: str) -> None:
    assert sentence in mistake(tmp_path / "hashcenter.toml", text)


def test_two_blocks_of_one_mac_are_refused(tmp_path: Path) -> None:
    other = BLOCK.replace(".20", ".21")
    mac = 'mac = "aa:bb:cc:dd:ee:ff"\n'
    said = mistake(tmp_path / "hashcenter.toml", f"{BLOCK}{mac}{other}{mac}")
    assert "two blocks have this MAC" in said


def test_asics_alone_are_enough(tmp_path: Path) -> None:
    file = tmp_path / "hashcenter.toml"
    file.write_text(RIG + BLOCK)
    build.check(*config.load(file))


async def test_a_scan_prints_blocks_that_the_file_understands(tmp_path: Path) -> None:
    made = [
        PROTOCOLS["luxos"](Options("127.89.0.1", number=1)),
        PROTOCOLS["axeos"](Options("127.89.0.2", number=2, http_port=18_082)),
    ]
    for simulator in made:
        await simulator.start()
    done = await hashcenter("devices", "scan", "127.89.0.0/29", "--port", "18082")
    for simulator in made:
        await simulator.stop()
    assert done.status == 0, done.err
    assert "2 ASICs at 6 addresses" in done.err
    blocks = tomllib.loads(done.out)["asic"]
    assert [(one["plugin"], one["address"], one["mac"]) for one in blocks] == [
        ("luxos", "127.89.0.1", made[0].mac),
        ("axeos", "127.89.0.2", made[1].mac),
    ]
    assert blocks[1]["port"] == 18_082
    assert all(simulator.writes == [] for simulator in made)
    file = tmp_path / "hashcenter.toml"
    file.write_text(RIG + done.out)
    build.check(*config.load(file))


async def test_an_empty_network_and_a_wrong_one_are_said(tmp_path: Path) -> None:
    empty = await hashcenter("devices", "scan", "127.89.1.0/30")
    assert (empty.status, empty.out) == (1, "")
    wrong = await hashcenter("devices", "scan", "the-basement")
    assert wrong.status == 2
    assert "is no network" in wrong.sentence


async def test_devices_and_the_doctor_say_what_each_block_reaches(tmp_path: Path) -> None:
    simulator = PROTOCOLS["luxos"](Options("127.89.2.1", number=3))
    await simulator.start()
    file = tmp_path / "hashcenter.toml"
    folders = f'state_folder = "{tmp_path}/state"\nruntime_folder = "{tmp_path}/run"\n'
    file.write_text(
        f'{RIG}{folders}[mqtt]\nport = 9\n[[asic]]\nplugin = "luxos"\naddress = "127.89.2.1"\n'
        '[[asic]]\nplugin = "luxos"\naddress = "127.89.2.9"\nname = "The dead one"\n'
    )
    listed = await hashcenter("devices", "--config", file)
    examined = await hashcenter("doctor", "--config", file)
    adopted = await hashcenter("devices", "adopt", simulator.mac, "--config", file)
    await simulator.stop()
    assert listed.status == 0, listed.err
    assert f"{simulator.mac} at 127.89.2.1" in listed.out
    assert "The dead one  " in listed.out
    assert "ok       asic 127.89.2.1: " in examined.out
    assert "FAILED   asic The dead one: " in examined.out
    assert "no device was found" not in examined.out
    assert "the bridge does not run" in adopted.sentence
    assert simulator.writes == []
