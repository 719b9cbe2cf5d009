"""Fake NVIDIA GPUs behind the real `libnvidia-ml.so.1` interface: the only simulated GPUs.

`build()` compiles src/*.c; `FakeGpus` writes a folder's `scenario.ini` and names the environment in
which any program that loads NVML sees those GPUs. All such programs share one state (`state.bin`):
a limit that one sets, another reads. Watts follow the CPU time of the processes whose environment
has this folder and a `CUDA_VISIBLE_DEVICES` that names the GPU, and temperature follows the watts.
Such a process holds `FAKE_NVML_MEMORY_MIB` of its environment on each of its GPUs.
A scenario may change while programs run: by `set()`, or with a text editor. A process with
`FAKE_NVML_UNPRIVILEGED` in its environment may not set limits, as an ordinary user's.

The cards' figures are their makers' (memory, limits, clocks) or owners' (idle draw).
"""

import hashlib
import os
import shutil
import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

LIBRARY = "libnvidia-ml.so.1"
_SOURCES = Path(__file__).parent / "src"
_FLAGS = ("-shared", "-fPIC", "-O2", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra",
          "-fvisibility=hidden", f"-Wl,-soname,{LIBRARY}", "-Wl,-z,defs")  # fmt: skip

#: `legacy` lacks the functions and fields that drivers of about 2021 (the 470 branch) lacked.
Variant = Literal["current", "legacy"]


class BuildError(Exception):
    """The library cannot be built here; the text says what to install or what the compiler said."""


@dataclass(frozen=True)
class Driver:
    """The `[driver]` section. `init_result` is what initializing answers.

    `init_result`: ok, driver_not_loaded, version_mismatch, no_permission or unknown.
    """

    version: str = "595.71.05"
    nvml_version: str = "13.595.71.05"
    cuda_version: int = 13020
    init_result: str = "ok"


@dataclass(frozen=True)
class Gpu:
    """A `[gpu N]` section: what the card is, and what is wrong with it just now.

    `load` is 0..1 or None (by the CPU time of its processes, of which `full_load_cores` are full
    load). `missing` and `failing` name groups of readings, separated by spaces: power energy
    temperature fan limit utilization memory clocks reasons pcie processes events average_power
    memory_temperature. `limit_effect` is followed, dropped (success, nothing changes) or shown_only
    (reads back, but the watts do not follow). `processes` is listed, denied (no permission) or
    without_memory. With `mig` the card is divided, and nothing is told of its whole's memory and
    processes. `error_code` is answered by every call on the card.
    A change of `xid` or `xid_count` queues one XID event; of `energy_resets`, zeroes the counter;
    of `limit_w`, sets the limit as somebody else would. A lost card comes back as after a reset.
    """

    name: str = "NVIDIA fake GPU"
    uuid: str = ""
    pci_bus_id: str = ""
    serial: str = ""
    architecture: int = 7
    compute_major: int = 8
    compute_minor: int = 6
    memory_mib: float = 8192
    memory_used_mib: float = 300
    process_memory_mib: float | None = None
    idle_w: float = 20
    held_idle_w: float | None = None
    max_w: float = 200
    min_limit_w: float = 100
    max_limit_w: float = 200
    default_limit_w: float = 200
    limit_w: float | None = None
    ambient_c: float = 22
    thermal_resistance_c_per_w: float = 0.15
    thermal_capacity_j_per_c: float = 400
    target_c: float = 83
    slowdown_c: float = 95
    shutdown_c: float = 98
    max_sm_mhz: float = 1800
    max_memory_mhz: float = 7000
    load: float | None = None
    full_load_cores: float = 1
    instant_noise_w: float = 0
    fans: int = 1
    persistence: bool = False
    lost: bool = False
    error_code: int = 0
    limit_permission: bool = True
    limit_effect: str = "followed"
    processes: str = "listed"
    mig: bool = False
    hang_s: float = 0
    xid: int = 0
    xid_count: int = 0
    energy_resets: int = 0
    missing: str = ""
    failing: str = ""


RTX_3090 = Gpu(
    name="NVIDIA GeForce RTX 3090", memory_mib=24576, idle_w=22, max_w=350,
    min_limit_w=100, max_limit_w=350, default_limit_w=350, thermal_resistance_c_per_w=0.145,
    thermal_capacity_j_per_c=500, target_c=83, slowdown_c=95, shutdown_c=98,
    max_sm_mhz=2100, max_memory_mhz=9751, fans=2, missing="memory_temperature",
)  # fmt: skip
#: Pascal: no energy counter, present draw only; passively cooled; ~50 W as soon as memory is held.
TESLA_P40 = Gpu(
    name="Tesla P40", architecture=4, compute_major=6, compute_minor=1, memory_mib=24576,
    memory_used_mib=2, serial="0320618000000", idle_w=9, held_idle_w=50, max_w=250,
    min_limit_w=125, max_limit_w=250, default_limit_w=250, thermal_resistance_c_per_w=0.23,
    thermal_capacity_j_per_c=600, target_c=90, slowdown_c=92, shutdown_c=95,
    max_sm_mhz=1531, max_memory_mhz=3615, fans=0, persistence=True,
    missing="energy fan average_power memory_temperature",
)  # fmt: skip
RTX_A4000 = Gpu(
    name="NVIDIA RTX A4000", memory_mib=16376, serial="1320421000000", idle_w=15, max_w=140,
    min_limit_w=100, max_limit_w=140, default_limit_w=140, thermal_resistance_c_per_w=0.4,
    thermal_capacity_j_per_c=220, target_c=88, slowdown_c=100, shutdown_c=103,
    max_sm_mhz=2100, max_memory_mhz=7001, missing="memory_temperature",
)  # fmt: skip


def build(folder: Path, variant: Variant = "current") -> Path:
    """Compile the library unless these sources are built already; return its folder in `folder`.

    Raises BuildError with a sentence for a person.
    """
    sources = sorted(_SOURCES.glob("*.[ch]"))
    text = b"".join(source.read_bytes() for source in sources) + repr(_FLAGS).encode()
    target = folder / f"fake-nvml-{variant}-{hashlib.sha256(text).hexdigest()[:12]}"
    if (target / LIBRARY).exists():
        return target
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise BuildError("the fake GPUs need a C compiler: install gcc (Debian: apt install gcc)")
    target.mkdir(parents=True, exist_ok=True)
    fresh = target / f"{LIBRARY}.{os.getpid()}"
    legacy = ("-DLEGACY_DRIVER",) if variant == "legacy" else ()
    units = [str(source) for source in sources if source.suffix == ".c"]
    command = [compiler, *_FLAGS, *legacy, *units, "-o", str(fresh), "-lm", "-lpthread"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildError(f"the fake GPUs do not compile with {compiler}:\n{done.stderr}")
    fresh.replace(target / LIBRARY)
    return target


class FakeGpus:
    """The GPUs of one folder; the folder is their identity for every process that sees them."""

    def __init__(
        self,
        folder: Path,
        gpus: int | Sequence[Gpu] = 1,
        *,
        library: Path,
        driver: Driver = Driver(),
    ) -> None:
        """Write the scenario. `gpus`: how many RTX 3090s, or specs; `library`: from `build()`."""
        specs = [RTX_3090] * gpus if isinstance(gpus, int) else gpus
        self.folder = folder.resolve()
        self._library = library.resolve()
        self._driver = driver
        self._gpus = [_identified(gpu, index) for index, gpu in enumerate(specs)]
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write()

    @property
    def uuids(self) -> list[str]:
        """The UUIDs by index."""
        return [gpu.uuid for gpu in self._gpus]

    @property
    def environment(self) -> dict[str, str]:
        """What to add to a process's environment so that it sees these GPUs."""
        inherited = os.environ.get("LD_LIBRARY_PATH")
        path = f"{self._library}:{inherited}" if inherited else str(self._library)
        return {"FAKE_NVML_DIR": str(self.folder), "LD_LIBRARY_PATH": path}

    def set(self, index: int, **changes: Any) -> None:
        """Change fields of GPU `index` while programs run; each `xid` queues one more event."""
        if changes.get("xid"):
            changes.setdefault("xid_count", self._gpus[index].xid_count + 1)
        self._gpus[index] = replace(self._gpus[index], **changes)
        self._write()

    def set_driver(self, **changes: Any) -> None:
        """Change the driver; programs notice when they initialize NVML the next time."""
        self._driver = replace(self._driver, **changes)
        self._write()

    def _write(self) -> None:
        sections = [("driver", asdict(self._driver))]
        sections += [(f"gpu {index}", asdict(gpu)) for index, gpu in enumerate(self._gpus)]
        text = "\n".join(
            "\n".join([f"[{title}]", *(_line(key, value) for key, value in keys.items()), ""])
            for title, keys in sections
        )
        fresh = self.folder / f"scenario.ini.{os.getpid()}"
        fresh.write_text(text)
        fresh.replace(self.folder / "scenario.ini")


def _identified(gpu: Gpu, index: int) -> Gpu:
    """Give a card without them a UUID that is always the same for its place, and a bus address."""
    made = f"GPU-{uuid.uuid5(uuid.NAMESPACE_OID, f'hashcenter fake {gpu.name} {index}')}"
    bus = f"00000000:{index + 1:02X}:00.0"
    return replace(gpu, uuid=gpu.uuid or made, pci_bus_id=gpu.pci_bus_id or bus)


_WORDS: dict[tuple[str, object], str] = {
    ("limit_permission", True): "granted",
    ("limit_permission", False): "denied",
    ("limit_w", None): "keep",
    ("load", None): "auto",
    ("process_memory_mib", None): "rss",
    ("held_idle_w", None): "-1",
}


def _line(key: str, value: object) -> str:
    if (key, value) in _WORDS:
        return f"{key} = {_WORDS[key, value]}"
    if isinstance(value, bool):
        return f"{key} = {'on' if value else 'off'}"
    return f"{key} = {value}"
