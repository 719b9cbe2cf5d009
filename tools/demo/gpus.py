"""Two RTX 3090 that are not there: the fake `libnvidia-ml.so.1` under the bridge's ordinary driver.

They draw and warm up with what really runs: the CPU time of the processes that the bridge put on
them (`CUDA_VISIBLE_DEVICES`), within the power limit that the bridge set.
"""

from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.simulators.fake_nvml import RTX_3090, FakeGpus, build
from tools.paths import DEV

GPUS: Final = 2
#: The CPU time of a miner that leaves room for Home Assistant makes a GPU fully busy.
MINER_CPU_PERCENT: Final = 20
_FULL_LOAD_CORES: Final = 0.12


def make_gpus(folder: Path) -> FakeGpus:
    """Build the library if this clone has none yet, and describe the GPUs in `folder`."""
    library = build(DEV / "fake-nvml")
    gpu = replace(RTX_3090, full_load_cores=_FULL_LOAD_CORES)
    return FakeGpus(folder, [gpu] * GPUS, library=library)
