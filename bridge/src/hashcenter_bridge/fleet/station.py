"""One ASIC on the network: looks at it every few seconds and does to it what is asked, at once.

    run():  probe -> look, look, look ... with `do(act)` in between; a dead address ever more rarely

Everything happens in this one task, so a machine that answers after 21 s keeps nobody waiting but
itself. A look in flight never delays an act: it is dropped. Nor does an act that is under way delay
one that lowers the watts.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Final

from ..arbiter.asic.hand import SILENT_S
from ..arbiter.asic.types import Act, AsicSeen, Verb
from ..devices.asic import (
    READ_WITHIN_S,
    WRITE_WITHIN_S,
    AsicConfig,
    AsicDriver,
    AsicSample,
    HasScreen,
)
from ..energy import Meter
from ..errors import DeviceFault, unforeseen
from ..wire.messages import Device
from ..wire.values import Activity, PowerSource, Readings
from .gauge import Gauge
from .readings import disagree, published

_LOGGER = logging.getLogger(__name__)

#: The longest wait between two looks at an address where nobody answers.
_BACK_OFF_S: Final = 60.0
#: So soon after an act its effect is looked for.
_LOOK_AFTER_S: Final = 1.0
#: A machine may have got other firmware, or other limits, by then.
_PROBE_AGAIN_S: Final = 3600.0
_LATENESSES: Final = 512


class Station:
    """One ASIC. `device` is None until it was reached for the first time.

    `make` makes its driver anew: at another address, or with the MAC it must have. `kept` returns
    where its energy is kept. `lateness_s` are the latest looks' own: how long after its time each
    began. `place` is its address in the owner's file, wherever it was found since.
    """

    def __init__(
        self,
        config: AsicConfig,
        make: Callable[[AsicConfig], AsicDriver],
        kept: Callable[[str], MutableMapping[str, float]],
        clock: Callable[[], float],
        gauge: Gauge | None = None,
    ) -> None:
        self.config = config
        self.place = place(config)
        self.driver = make(config)
        self.gauge = gauge
        self.device: Device | None = None
        self.meter: Meter | None = None
        self.sample: AsicSample | None = None
        self.readings = Readings()
        self.read_at = clock()
        self.fault: DeviceFault | None = None
        self.fault_since = clock()
        self.refusal: DeviceFault | None = None
        self.agreed_at = clock()
        #: Its second look comes so much later, so that machines are not all asked at once.
        self.offset_s = 0.0
        self.looks = 0
        self.failures = 0
        self.lateness_s: deque[float] = deque(maxlen=_LATENESSES)
        self._make = make
        self._kept = kept
        self._clock = clock
        self._probed_at: float | None = None
        self._failed = 0
        self._due = clock()
        self._act: Act | None = None
        self._over = self._looked = 0
        self._moved: AsicConfig | None = None
        self._display: float | None = None
        self._doing: asyncio.Future[None] | None = None
        self._may_wait = True
        self._wake = asyncio.Event()

    # What others see of it

    @property
    def name(self) -> str:
        """What people call it: its owner's word, else its own, else its address."""
        own = self.device.name if self.device else None
        return self.config.name or own or self.config.address

    @property
    def mac(self) -> str | None:
        """The MAC that it must have, None before it was ever reached."""
        return self.device.mac if self.device else self.config.mac

    def is_lost(self, now: float) -> bool:
        """Return whether nobody, or another machine, has answered here for a while."""
        gone = self.fault is not None and self.fault.code in ("unreachable", "other_device")
        return gone and now - self.fault_since > SILENT_S

    def restore(self, device: Device) -> None:
        """Take over who it was before the bridge was started again; it is asked all the same."""
        self.device = device
        self.meter = Meter(self._kept(device.uid))

    def age_s(self, now: float) -> float:
        """Return the age of its last own reading."""
        return now - self.read_at

    def is_silent(self, now: float) -> bool:
        """Return whether control of it is lost, and its readings are too old to be shown."""
        return self.age_s(now) > SILENT_S

    def seen(self, now: float) -> AsicSeen:
        """Return what the arbiter is shown. Only once it was reached."""
        assert self.device is not None
        sample = self.sample
        active = [pool for pool in sample.pools if pool.active] if sample else []
        return AsicSeen(
            can=self.device.capabilities,
            activity=sample.activity if sample else Activity.OFF,
            age_s=self.age_s(now) if sample else float("inf"),
            power_w=self.readings.power_w,
            hash_rate_mhs=self.readings.hash_rate_mhs,
            setting=sample.setting if sample else None,
            pool_connected=active[0].connected if active else None,
            uptime_s=sample.uptime_s if sample else None,
            protecting=sample.protecting if sample else None,
            look=self.looks,
            looked=self._looked,
            refused=self.refusal.text if self.refusal else None,
        )

    # What others ask of it

    def do(self, act: Act) -> None:
        """Do this now instead of whatever was asked before. Returns at once."""
        self._act = act
        self._interrupt(act.lowers)

    def show(self, display: float) -> None:
        """Set its screen, once nothing else is to do. Returns at once."""
        self._display = display
        self._wake.set()

    def move(self, address: str) -> None:
        """Look for it at another address from now on."""
        self._moved = self.config.model_copy(update={"address": address, "mac": self.mac})
        self._interrupt(False)

    def _interrupt(self, lowers: bool) -> None:  # noqa: FBT001
        self._wake.set()
        if self._doing is not None and (self._may_wait or lowers):
            self._doing.cancel()

    # What it does

    async def run(self) -> None:
        """Go on until cancelled."""
        self._due = self._clock()
        try:
            while True:
                if not await self.turn():
                    await self._rest()
        finally:
            await self.driver.close()

    async def turn(self) -> bool:
        """Do what is due next, and return whether anything was."""
        self._wake.clear()
        act, self._act = self._act, None
        if self._moved is not None:
            await self._settle_move(self._moved)
        if act is not None:
            await self._attempt(self._carry_out(act), may_wait=False)
            self._over = max(self._over, act.number)
            self._due = min(self._due, self._clock() + _LOOK_AFTER_S)
        elif self._clock() >= self._due:
            self.lateness_s.append(self._clock() - self._due)
            await self._attempt(self._look(), may_wait=True)
            self._due = max(self._due + self._interval_s() + self.offset_s, self._clock())
            self.offset_s = 0.0
        elif self._display is not None and isinstance(self.driver, HasScreen):
            display, self._display = self._display, None
            await self._attempt(self._write(self.driver.show(display), "show"), may_wait=True)
            self._due = min(self._due, self._clock() + _LOOK_AFTER_S)
        else:
            return False
        return True

    async def _settle_move(self, config: AsicConfig) -> None:
        self._moved = None
        await self.driver.close()
        self.config = config
        self.driver = self._make(config)
        self._failed = 0
        self._probed_at = None
        self._due = self._clock()

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self._due - self._clock())):
                await self._wake.wait()

    async def _attempt(self, work: Awaitable[None], *, may_wait: bool) -> None:
        """Do `work` unless something more urgent comes; only being cancelled itself ends this."""
        self._may_wait = may_wait
        self._doing = asyncio.ensure_future(work)
        try:
            await self._doing
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                self._doing.cancel()
                raise
        finally:
            self._doing = None

    def _interval_s(self) -> float:
        interval_s = self.config.interval_s
        if self._failed < 2:
            return interval_s
        longer_s = interval_s * float(2 ** min(self._failed - 1, 10))
        return max(interval_s, min(longer_s, _BACK_OFF_S))

    async def _look(self) -> None:
        after = self._over
        try:
            async with asyncio.timeout(READ_WITHIN_S):
                if self.device is None or self._is_probe_due():
                    await self._probe()
                sample = await self.driver.read()
            self._same(sample.mac, self.mac)
        except TimeoutError:
            self._fail(DeviceFault("unreachable", f"{self.config.address} does not answer"))
        except DeviceFault as fault:
            self._fail(fault)
        except Exception as err:
            # A driver's own mistake must not end the task that keeps its machine in hand.
            _LOGGER.exception("%s cannot be read", self.name)
            self._fail(DeviceFault("unreadable", f"{self.config.address}: {unforeseen(err)}"))
        else:
            self._note(sample, after)

    def _is_probe_due(self) -> bool:
        if self._probed_at is None or self._failed > 0:
            return True
        return self._clock() - self._probed_at >= _PROBE_AGAIN_S

    async def _probe(self) -> None:
        found = await self.driver.probe()
        known = self.device
        self._same(found.uid, known.uid if known else None)
        if self.meter is None:
            self.meter = Meter(self._kept(found.uid))
        can = found.capabilities
        if self.gauge is not None:
            can = can.model_copy(update={"power_source": PowerSource.MEASURED})
        ordinal = known.ordinal if known else found.ordinal
        self.device = found.model_copy(update={"ordinal": ordinal, "capabilities": can})
        self._probed_at = self._clock()

    def _same(self, found: str | None, expected: str | None) -> None:
        if None not in (found, expected) and found != expected:
            text = f"{self.config.address} is now {found}, not {expected}"
            raise DeviceFault("other_device", text)

    def _note(self, sample: AsicSample, after: int) -> None:
        if self.fault is not None:
            _LOGGER.info("%s answers again", self.name)
        now = self._clock()
        self.fault, self._failed = None, 0
        self.sample, self.read_at, self._looked = sample, now, after
        self.looks += 1
        gauged_w = self.gauge.power_w(now) if self.gauge else None
        if not disagree(sample.readings.power_w, gauged_w):
            self.agreed_at = now
        assert self.device is not None
        found = published(sample, self.device.capabilities, gauged_w)
        kwh = self.meter.update(now, found.power_w) if self.meter else None
        self.readings = found.model_copy(update={"energy_kwh": kwh})

    def _fail(self, fault: DeviceFault) -> None:
        now = self._clock()
        self.failures += 1
        self._failed += 1
        if self.fault is None:
            self.fault_since = now
        if self.fault is None or self.fault.code != fault.code:
            _LOGGER.info("%s: %s", self.name, fault.text)
        self.fault = fault
        if self.meter is not None and self.is_silent(now):
            # Integrating over a silence would invent energy.
            self.meter.update(now, None)

    async def _carry_out(self, act: Act) -> None:
        _LOGGER.info("%s: %s%s", self.name, act.verb, f" {act.setting}" if act.setting else "")
        driver = self.driver
        match act.verb:
            case Verb.PAUSE:
                work = driver.pause()
            case Verb.RESUME:
                work = driver.resume()
            case Verb.SET:
                assert act.setting is not None
                work = driver.set(act.setting)
            case Verb.RESTART:
                work = driver.restart()
        await self._write(work, str(act.verb))

    async def _write(self, work: Awaitable[None], what: str) -> None:
        address = self.config.address
        try:
            async with asyncio.timeout(WRITE_WITHIN_S):
                await work
        except TimeoutError:
            self.refusal = DeviceFault("unreachable", f"{address} does not answer to {what}")
        except DeviceFault as fault:
            self.refusal = fault
        except Exception as err:
            _LOGGER.exception("%s: %s failed", self.name, what)
            self.refusal = DeviceFault("unreadable", f"{address}: {what}: {unforeseen(err)}")
        else:
            self.refusal = None


def place(config: AsicConfig) -> str:
    """Return how a block's address is kept."""
    return f"{config.address}:{config.port}" if config.port else config.address
