"""Miners and runners with their child processes: where they stand, and how they are told.

A miner is read every few seconds and right after it was told something, so that what it really does
is known, not what it said it would do.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from . import locality
from .arbiter.types import MinerSeen, RunnerSeen, Running
from .child import Child, ChildSpec, ChildState
from .errors import MinerFault, RunnerFault
from .guest import Guest
from .locality import Locality
from .miners import Miner, MinerReading
from .prefix import PromptKeeper
from .runners import EstimatesMemory, KeepsPrompts, LoadsModels, Runner

_LOGGER = logging.getLogger(__name__)
_READ_S = 5.0
_READY_S = 5.0
_CONNECTS_WITHIN_S = 20.0
#: What a mining riser carries: one lane of PCIe 3.0.
_SLOW_LINK_BYTES_PER_S = 0.8e9

#: What a runner on another machine works on: no device of this rig's.
_ELSEWHERE = "elsewhere"

_CHILD: dict[ChildState, Running] = {
    ChildState.STOPPED: Running.STOPPED,
    ChildState.STARTING: Running.STARTING,
    ChildState.READY: Running.ACTIVE,
    ChildState.STOPPING: Running.STOPPING,
    ChildState.FAILED: Running.FAILED,
}


def _on_its_gpus(spec: ChildSpec, gpus: tuple[str, ...]) -> ChildSpec:
    """Let a program see the GPUs that the owner gave it, and no others (CUDA's own variable)."""
    visible = {"CUDA_VISIBLE_DEVICES": ",".join(gpus)}
    return replace(spec, environment={**spec.environment, **visible})


class MinerProgram:
    """A miner, its process if it is ours, and its last reading."""

    def __init__(
        self, miner: Miner, clock: Callable[[], float], changed: Callable[[], None]
    ) -> None:
        self.miner = miner
        self.reading: MinerReading | None = None
        self.why = ""
        self._clock = clock
        self._changed = changed
        self._looked = False
        self._no_pool_since: float | None = None
        self._soon = asyncio.Event()
        self.child = (
            Child(
                _on_its_gpus(miner.child, miner.gpus),
                ready=self._answers,
                before_start=None,
                changed=self._child_changed,
                clock=clock,
            )
            if miner.child
            else None
        )

    def _child_changed(self) -> None:
        if self.child and self.child.state not in (ChildState.READY, ChildState.STOPPING):
            self._take(None)
        self._soon.set()
        self._changed()

    def _take(self, reading: MinerReading | None) -> None:
        self.reading = reading
        if reading is None or reading.pool_connected is not False:
            self._no_pool_since = None
        elif self._no_pool_since is None:
            self._no_pool_since = self._clock()

    async def _answers(self) -> bool:
        self._take(await self.miner.read())
        return True

    async def run(self) -> None:
        """Keep reading while it runs."""
        while True:
            if self.child is None or self.child.state is ChildState.READY:
                await self._read()
            self._soon.clear()
            try:
                async with asyncio.timeout(_READ_S):
                    await self._soon.wait()
            except TimeoutError:
                pass

    async def _read(self) -> None:
        before = self.reading
        try:
            self._take(await self.miner.read())
            self.why = ""
        except MinerFault as fault:
            if self.why != fault.text:
                _LOGGER.warning("%s", fault.text)
            self._take(None)
            self.why = fault.text
        self._looked = True
        if before != self.reading:
            self._changed()

    async def tell(self, running: Running) -> None:
        """Pause or resume it, and read what it does then."""
        try:
            await (self.miner.pause() if running is Running.PAUSED else self.miner.resume())
        except MinerFault as fault:
            self.why = fault.text
            _LOGGER.warning("%s", fault.text)
        await self._read()

    @property
    def running(self) -> Running:
        """Where it stands."""
        paused = self.reading is not None and self.reading.paused
        if self.child is not None and self.child.state is ChildState.STOPPING:
            # Until it is gone it may still hash, unless it was paused before.
            return Running.STOPPED if paused else Running.STOPPING
        if self.child is not None and self.child.state is not ChildState.READY:
            return _CHILD[self.child.state]
        if self.child is None and self.reading is None:
            return Running.FAILED if self._looked else Running.STARTING
        return Running.PAUSED if paused else Running.ACTIVE

    @property
    def pool_connected(self) -> bool | None:
        """Whether it has a pool; unknown while it may only be connecting, again or at its start."""
        if self._no_pool_since is not None:
            return None if self._clock() - self._no_pool_since < _CONNECTS_WITHIN_S else False
        return self.reading.pool_connected if self.reading else None

    @property
    def why_not(self) -> str:
        """What is wrong with it, in a sentence."""
        return self.child.why if self.child and self.child.why else self.why

    def seen(self) -> MinerSeen:
        """Return what the arbiter is shown; what it takes of memory is not known here."""
        reading = self.reading
        return MinerSeen(
            name=self.miner.name,
            devices=self.miner.gpus,
            owned=self.child is not None,
            running=self.running,
            pool_connected=self.pool_connected,
            hash_rate_hs=reading.hash_rate_hs if reading else None,
            why=self.why_not,
            pauses=self.miner.can_pause,
            leaving=self.child is not None and self.child.state is ChildState.STOPPING,
        )

    async def close(self) -> None:
        """Stop it if it is ours; one that somebody else started stays as it is."""
        if self.child:
            await self.child.close()
        await self.miner.close()


class RunnerProgram:
    """A runner and its process, or one that somebody else runs."""

    def __init__(
        self, runner: Runner, clock: Callable[[], float], changed: Callable[[], None]
    ) -> None:
        self.runner = runner
        self.first_active = asyncio.Event()
        self._clock = clock
        self._load_began: float | None = None
        self._load_s: float | None = None
        self._tell = changed
        self._ready: bool | None = None
        self._why = ""
        self._prepared = False
        self._guess_mib = runner.estimated_mib() if isinstance(runner, EstimatesMemory) else None
        self._locality = Locality(None, f"{runner.name} was not tried yet")
        self._trial: asyncio.Task[None] | None = None
        self.keeper = (
            PromptKeeper(runner, clock, changed)
            if isinstance(runner, KeepsPrompts) and runner.upstream.is_llama_server
            else None
        )
        self.child: Child | Guest | None = None
        if runner.child:
            self.child = Child(
                _on_its_gpus(runner.child, runner.gpus),
                ready=self._child_ready,
                before_start=runner.verify,
                changed=self._changed,
                clock=clock,
            )
        elif isinstance(runner, LoadsModels):
            self.child = Guest(runner, changed=self._changed)

    async def _child_ready(self) -> bool:
        """Whether it can answer; the first time, once the house's prompt is restored."""
        if not await self.runner.ready():
            return False
        if not self._prepared:
            self._prepared = True
            self._look_for_ways_out()
            if self.keeper is not None:
                await self.keeper.prepare()
        return True

    def _look_for_ways_out(self) -> None:
        """Try in the background to get out of its network."""
        pid = self.child.pid if isinstance(self.child, Child) else None
        if pid is None:
            return

        async def look() -> None:
            self._locality = await locality.tried(pid, self.runner.name)
            if self._locality.local is not True:
                _LOGGER.info("%s", self._locality.why)
            self._tell()

        self._trial = asyncio.create_task(look(), name=f"locality {self.runner.name}")

    @property
    def locality(self) -> Locality:
        """Whether what it is asked stays in it, as it was last tried."""
        if self.runner.child is None:
            return Locality(False, f"{self.runner.name} is somebody else's server")
        return self._locality

    def _changed(self) -> None:
        running, now = self.running, self._clock()
        self._prepared = self._prepared and running is Running.ACTIVE
        if running is Running.STARTING and self._load_began is None:
            self._load_began = now
        elif running is Running.ACTIVE:
            self.first_active.set()
            if self._load_began is not None:
                self._load_s = now - self._load_began
        if running is not Running.STARTING:
            self._load_began = None
        self._tell()

    @property
    def load_s(self) -> float | None:
        """How long it loads: as long as the last time, else by its size over a slow link."""
        if self._load_s is not None:
            return self._load_s
        sizes = [model.size_bytes for model in self.runner.models]
        known = [size for size in sizes if size is not None]
        return sum(known) / _SLOW_LINK_BYTES_PER_S if known else None

    def load_remaining_s(self) -> float | None:
        """Return how much longer it loads, by its last load; None if that is unknown."""
        if self._load_began is None or self._load_s is None:
            return None
        return max(1.0, self._load_s - (self._clock() - self._load_began))

    async def run(self) -> None:
        """Watch one that is not our child; a child watches itself."""
        while self.child is None:
            before = self._ready
            try:
                self._ready, self._why = await self.runner.ready(), ""
            except (OSError, RunnerFault) as err:
                self._ready, self._why = False, str(err)
            if before != self._ready:
                self._changed()
            await asyncio.sleep(_READY_S)

    @property
    def running(self) -> Running:
        """Where it stands."""
        if self.child is None:
            if self._ready is None:
                return Running.STARTING
            return Running.ACTIVE if self._ready else Running.FAILED
        return _CHILD[self.child.state]

    @property
    def why(self) -> str:
        """What is wrong with it, in a sentence."""
        return self.child.why if self.child else self._why

    def seen(self) -> RunnerSeen:
        """Return what the arbiter is shown; `needs` is what its model's file says."""
        by_memory = self.runner.sharing == "auto" and self.child is not None
        guess_mib = self._guess_mib if by_memory else None
        return RunnerSeen(
            name=self.runner.name,
            devices=(_ELSEWHERE,) if self.runner.upstream.elsewhere else self.runner.gpus,
            running=self.running,
            slots=self.runner.slots,
            models=tuple(model.id for model in self.runner.models),
            why=self.why,
            exclusive=self.runner.sharing == "exclusive",
            by_memory=by_memory,
            needs={} if guess_mib is None else dict.fromkeys(self.runner.gpus, guess_mib),
            draws=self.runner.upstream.draws,
            load_s=self.load_s,
            resumes=self.runner.upstream.is_llama_server,
        )

    async def close(self) -> None:
        """Stop it if it is ours."""
        if self._trial:
            self._trial.cancel()
        if self.keeper:
            await self.keeper.close()
        if self.child:
            await self.child.close()
        await self.runner.close()
