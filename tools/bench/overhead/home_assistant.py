"""Home Assistant's CPU for the same entities at the same rates: by us, and by MQTT discovery.

Two real Home Assistants listen to one real bridge at the same time, so that what disturbs one
disturbs the other. The second gets, for every enabled entity that the first made of a wire field,
an MQTT sensor on the same topic with a template that takes the same field. It has a discovery
prefix of its own: with the usual one the first would make the same sensors once more.
"""

import asyncio
import json
import random
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import aiomqtt

from hashcenter_bridge.wire.topics import DEVICE, STATE
from tools.bench.overhead.bridge import cpu_seconds
from tools.bench.overhead.rig import Rig, running
from tools.demo import newcomer
from tools.demo.client import HomeAssistant, log_in_as_owner
from tools.demo.home_assistant import make_folder, start_home_assistant, until_started
from tools.demo.ports import HOST, free_port
from tools.demo.processes import DemoError, Processes, Program, until

_GPUS = 8
_SETTLE_S = 30.0
_RIG = "bench"
_PREFIX = "bench-discovery"
_UUID_CHARACTERS = len("GPU-") + 36
_OPTIONS = "/api/config/config_entries/options/flow"
_Found = list[tuple[str, str]]


async def measure(folder: Path, seconds: float, say: Callable[[str], None]) -> dict[str, float]:
    """Return the CPU ratio, and the rows that one GPU writes to the recorder in an hour."""
    async with running(folder, _GPUS, with_model=False) as rig:
        processes = Processes(folder / "logs-ha", f"bench-ha-{folder.name}")
        try:
            ours, bare = await asyncio.gather(
                _start(processes, folder / "ha-ours", rig),
                _start(processes, folder / "ha-bare", rig),
            )
            say("two Home Assistants have started")
            async with ours[1] as home, bare[1] as other:
                await _discover_under(other, _PREFIX)
                await newcomer.accept_rig(home, "")
                await until("all cards' entities", lambda: _all_cards(home, rig), 60)
                gpus = await _gpu_entities(home)
                fields = await _fields(home)
                await _discover(rig, fields)
                await until("all MQTT entities", lambda: _all_there(other, len(fields)), 60)
                if _bench_sensors(await home.states()):
                    raise DemoError("the first Home Assistant has the second's sensors as well")
                say(f"{len(fields)} entities in both, {seconds:.0f} s")
                liveliness = asyncio.create_task(_liven(rig))
                await asyncio.sleep(_SETTLE_S)
                rows = _rows(folder / "ha-ours", gpus)
                pids = (ours[0].pid, bare[0].pid)
                before = [cpu_seconds(pid) for pid in pids]
                await asyncio.sleep(seconds)
                used = [cpu_seconds(pid) - start for pid, start in zip(pids, before, strict=True)]
                new_rows = _rows(folder / "ha-ours", gpus) - rows
                liveliness.cancel()
            say(f"CPU seconds: ours {used[0]:.2f}, MQTT discovery {used[1]:.2f}")
            per_hour = sum(new_rows.values()) * 3600 / seconds / _GPUS
            return {
                "ha_cpu_ratio_vs_mqtt_discovery": used[0] / used[1],
                "ha_recorder_rows_per_gpu_hour": per_hour,
            }
        finally:
            await processes.stop_all()


async def _start(processes: Processes, folder: Path, rig: Rig) -> tuple[Program, HomeAssistant]:
    port = free_port()
    make_folder(folder, port)
    program = await start_home_assistant(processes, folder)
    await until_started(program, port)
    url = f"http://{HOST}:{port}"
    token = await log_in_as_owner(url, "bench", "bench")
    async with HomeAssistant(url, token) as setup:
        await newcomer.add_broker(setup, rig.broker_port)
    return program, HomeAssistant(url, token)


async def _discover_under(home: HomeAssistant, prefix: str) -> None:
    """Have Home Assistant's MQTT integration listen for sensors under this prefix only."""
    [entry] = await home.command("config_entries/get", domain="mqtt")
    flow = await home.post(_OPTIONS, {"handler": entry["entry_id"]})
    answers = {"discovery": True, "discovery_prefix": prefix}
    ended = await home.post(f"{_OPTIONS}/{flow['flow_id']}", answers)
    if ended["type"] != "create_entry":
        raise DemoError(f"Home Assistant does not accept the form of mqtt: {ended}")


async def _registry(home: HomeAssistant) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = await home.command("config/entity_registry/list")
    return [
        entry
        for entry in entries
        if entry["platform"] == "hashcenter" and entry["disabled_by"] is None
    ]


async def _all_cards(home: HomeAssistant, rig: Rig) -> bool:
    cards = {entry["unique_id"][:_UUID_CHARACTERS] for entry in await _registry(home)}
    return cards >= set(rig.gpus.uuids)


async def _gpu_entities(home: HomeAssistant) -> set[str]:
    """Return the entities of all GPUs."""
    devices = await home.command("config/device_registry/list")
    gpus = {device["id"] for device in devices if (device["name"] or "").startswith("GPU ")}
    return {entry["entity_id"] for entry in await _registry(home) if entry["device_id"] in gpus}


async def _fields(home: HomeAssistant) -> _Found:
    """Return (topic, template) for every enabled entity that shows one field of one message."""
    found: _Found = []
    for entry in await _registry(home):
        uid = entry["unique_id"][:_UUID_CHARACTERS]
        topic = DEVICE.of(_RIG, uid) if uid.startswith("GPU-") else STATE.of(_RIG)
        found.append((topic, "{{ value_json." + entry["translation_key"] + " | default(none) }}"))
    return found


async def _discover(rig: Rig, fields: _Found) -> None:
    async with aiomqtt.Client(HOST, rig.broker_port, protocol=aiomqtt.ProtocolVersion.V5) as client:
        for number, (topic, template) in enumerate(fields):
            name = f"bench {number}"
            payload = {
                "name": name,
                "unique_id": f"bench_{number}",
                "state_topic": topic,
                "value_template": template,
                "device": {"identifiers": ["bench"], "name": "Bench"},
            }
            await client.publish(
                f"{_PREFIX}/sensor/bench_{number}/config", json.dumps(payload), 1, retain=True
            )


async def _all_there(home: HomeAssistant, count: int) -> bool:
    return len(_bench_sensors(await home.states())) >= count


def _bench_sensors(states: Iterable[str]) -> list[str]:
    return [name for name in states if name.startswith("sensor.bench_bench_")]


async def _liven(rig: Rig) -> None:
    """Let every GPU's load wander, as mining and answering do."""
    while True:
        for index in range(_GPUS):
            rig.gpus.set(index, load=random.uniform(0.7, 1.0), instant_noise_w=3)  # noqa: S311
        await asyncio.sleep(5)


def _rows(folder: Path, entities: set[str]) -> Counter[str]:
    """Return how many states the recorder has written for each of `entities`."""
    database = f"file:{folder / 'home-assistant_v2.db'}?mode=ro"
    query = (
        "SELECT states_meta.entity_id, COUNT(*) FROM states "
        "JOIN states_meta USING (metadata_id) GROUP BY states_meta.entity_id"
    )
    with closing(sqlite3.connect(database, uri=True)) as connection:
        return Counter({name: rows for name, rows in connection.execute(query) if name in entities})
