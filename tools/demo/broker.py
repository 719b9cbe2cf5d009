"""The embedded MQTT 5 broker (rumqttd, from the wheel `iotcore`) as a process of its own.

It listens on 127.0.0.1 only. It keeps retained messages, lets them expire, holds sessions and
sends a dead client's will after its delay: all that the wire asks of a broker.
"""

import sys
from pathlib import Path
from typing import Final

from tools.demo.ports import HOST, until_open
from tools.demo.processes import Processes, Program

_START_WITHIN_S: Final = 30.0

#: Keys of rumqttd's configuration; a payload may be larger than any of ours (64 KiB).
_CONFIGURATION: Final = """\
id = 0

[router]
id = 0
max_connections = 50
max_outgoing_packet_count = 1000
max_segment_size = 10485760
max_segment_count = 2

[v4]

[v5.house]
name = "house"
listen = "{host}:{port}"
next_connection_delay_ms = 1

[v5.house.connections]
connection_timeout_ms = 30000
max_payload_size = 262144
max_inflight_count = 200
dynamic_filters = true
"""


async def start_broker(processes: Processes, folder: Path, port: int) -> Program:
    """Start the broker and return once it listens."""
    configuration = folder / "broker.toml"
    configuration.write_text(_CONFIGURATION.format(host=HOST, port=port))
    # It reports every packet as an error record; only what ends it is of interest.
    options = ["--config", str(configuration), "--log-level", "CRITICAL"]
    broker = await processes.start("broker", [sys.executable, "-m", "iotcore", *options])
    await until_open(port, broker, _START_WITHIN_S)
    return broker
