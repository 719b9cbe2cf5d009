"""A rig in a guest: fake GPUs under the real driver interface, and its owner's file."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.brokers import HOST, free_port
from tests.packages.machine import Machine
from tests.simulators.fake_nvml import LIBRARY, RTX_3090, FakeGpus
from tests.simulators.stratum_pool import StratumPool

RIG: Final = "attic"
#: What a GPU may draw while no bridge holds it: `safe_limit_w` of the file that install writes.
SAFE_LIMIT_W: Final = 100.0
_GPUS: Final = "/srv/gpus"
_DROP_IN: Final = f"""\
[Service]
Environment=FAKE_NVML_DIR={_GPUS}
ReadWritePaths={_GPUS}
"""
_OWNERS: Final = """\
[rig]
id = "{rig}"
allow_control = true
max_w = 500
[mqtt]
host = "{host}"
port = {broker_port}
keepalive_s = 5
[http]
port = {http_port}
[[device]]
plugin = "nvml"
powerd = "/run/hashcenter-powerd/powerd.sock"
[[miner]]
plugin = "xmrig"
name = "miner"
command = [
    "{folder}/hashcenter-miner", "--pool={host}:{pool_port}", "--user=e2e", "--cpu-percent=20",
]
"""


class Guest:
    """The GPUs and files of a rig on this machine."""

    def __init__(self, machine: Machine, library: Path) -> None:
        """Put one RTX 3090 into the machine, as a driver would be there."""
        self.machine = machine
        folder = machine.root / _GPUS.lstrip("/")
        gpu = replace(RTX_3090, full_load_cores=0.1)
        self.gpus = FakeGpus(folder, [gpu], library=library)
        folder.chmod(0o777)
        target = machine.root / "usr/lib/x86_64-linux-gnu" / LIBRARY
        target.write_bytes((library / LIBRARY).read_bytes())
        for service in ("hashcenter", "hashcenter-powerd"):
            drop_in = machine.root / f"etc/systemd/system/{service}.service.d"
            drop_in.mkdir(parents=True)
            (drop_in / "fake-gpus.conf").write_text(_DROP_IN)
        # The driver's memory is everybody's, whoever asks it first.
        self.limit_w()
        (folder / "state.bin").chmod(0o666)

    def write_owners_file(self, broker_port: int, pool: StratumPool) -> str:
        """Write its owner's file, as an editor would; return its text."""
        text = _OWNERS.format(
            rig=RIG, host=HOST, broker_port=broker_port, http_port=free_port(),
            pool_port=pool.port, folder=self._folder,
        )  # fmt: skip
        (self.machine.root / "etc/hashcenter/hashcenter.toml").write_text(text)
        return text

    def look(self, commands: str) -> str:
        """Run commands that see the GPUs, all of them; return what they said."""
        return self.machine.run(f"set +e\nexport FAKE_NVML_DIR={_GPUS}\n{commands}", status=None)

    def limit_w(self) -> float:
        """Return the GPU's limit, read by the package's own Python."""
        said = self.look(
            f"{self._folder}/python3 -I -c '"
            "import pynvml; pynvml.nvmlInit(); h = pynvml.nvmlDeviceGetHandleByIndex(0); "
            "print(pynvml.nvmlDeviceGetEnforcedPowerLimit(h) / 1000)'"
        )
        return float(said)

    @property
    def _folder(self) -> str:
        """Where the installed version's programs are."""
        return self.machine.run("dirname $(readlink -f $(command -v hashcenter))").strip()
