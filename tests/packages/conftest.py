"""What the packages' tests share: packages of two versions, and machines to install them on."""

import os
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.brokers import Broker
from tests.packages.machine import Machine, booted
from tests.simulators.fake_nvml import build
from tests.simulators.stratum_pool import StratumPool
from tools.package.deb import write_deb
from tools.package.parts import Parts, fetch_parts, own_version
from tools.package.tarball import write_tarball
from tools.package.tree import Tree, build_tree

#: As the next one will be numbered.
NEWER = re.sub(
    r"^(\d+)\.(\d+)\..*$", lambda found: f"{found[1]}.{int(found[2]) + 1}.0", own_version()
)
#: Packed quickly: what is in a package is the same at every level.
_LEVEL = 1


@dataclass(frozen=True)
class Release:
    """One version's packages."""

    version: str
    tree: Tree
    tarball: Path
    deb: Path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Changing root, booting and installing are root's."""
    if os.geteuid() != 0:
        here = [item for item in items if "tests/packages" in item.nodeid]
        for item in here:
            item.add_marker(pytest.mark.skip(reason="installing on a throw-away machine is root's"))


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for everything that is built."""
    return tmp_path_factory.mktemp("packages")


@pytest.fixture(scope="session")
def parts(work: Path) -> Parts:
    """What every version is made of."""
    return fetch_parts(work / "parts")


def _release(parts: Parts, folder: Path, version: str) -> Release:
    folder.mkdir()
    tree = build_tree(parts, folder / "tree", version)
    tarball = write_tarball(tree, folder, level=_LEVEL)
    return Release(version, tree, tarball, write_deb(tree, folder, level=_LEVEL))


@pytest.fixture(scope="session")
def release(work: Path, parts: Parts) -> Release:
    """This version's packages."""
    return _release(parts, work / "this", own_version())


@pytest.fixture(scope="session")
def newer(work: Path, parts: Parts) -> Release:
    """The same as a newer version."""
    return _release(parts, work / "newer", NEWER)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A booted Debian 11 without the bridge."""
    with booted(tmp_path) as made:
        yield made


@pytest.fixture(scope="session")
def fake_nvml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the fake library."""
    return build(tmp_path_factory.mktemp("fake-nvml"))


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    """A running Mosquitto."""
    made = Broker("mosquitto", tmp_path)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def pool() -> AsyncIterator[StratumPool]:
    """A pool that checks every share."""
    async with StratumPool(difficulty=0.00003) as made:
        yield made
