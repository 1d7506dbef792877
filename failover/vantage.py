"""Watches all targets, each at its own interval, and keeps what it saw for controllers to fetch."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final
from zlib import crc32

from failover.answer import Answer, LackError
from failover.evidence import Outcome, Round
from failover.journal import Journal
from failover.model import Model, Probe, Service, Target, Vantage
from failover.probing import ask_all, ask_target
from failover.rhythm import Rhythm
from failover.votes import Name

CONTROLS_S: Final = 2.0  # between two looks at what must work
AT_ONCE_MAX: Final = 64  # rounds on their way, of all targets; those beyond wait their turn
LAG_LOOK_S: Final = 0.1
LAG_SHARE_MAX: Final = 0.3  # of a probe's time-out; a process that was held up longer saw nothing
LACK_S: Final = 5.0  # for so long after a lack of files, memory or ports nothing here is believed

Ask = Callable[[str, str, Sequence[Probe], int], Awaitable[Round]]


class Watch:
    """One vantage at work."""

    def __init__(
        self, model: Model, vantage: Vantage, journal: Journal, *, ask: Ask = ask_target
    ) -> None:
        """`ask` makes one round of a target; it raises LackError where it could ask nobody."""
        self._model, self._vantage, self._journal = model, vantage, journal
        self._ask = ask
        self._gate = asyncio.Semaphore(AT_ONCE_MAX)
        self._looked_mono = float("-inf")  # when the controls were last asked
        self._looking = asyncio.Lock()
        self._lack, self._lacked_mono = "", float("-inf")  # the last one
        self._held_up: deque[tuple[float, float]] = deque(maxlen=100)  # (until when, for how long)
        self.not_seen = 0  # rounds that failed by this process's or its machine's own fault
        self._rhythms: dict[Name, Rhythm] = {}
        if not vantage.controls:
            journal.controls(Answer())

    @property
    def left_out(self) -> int:
        """Rounds that were not begun, since earlier ones had not ended."""
        return sum(each.left_out for each in self._rhythms.values())

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Watch until the end of the block."""
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(self._look_at_controls()),
                tasks.create_task(self._look_at_itself()),
            ]
            running += [
                tasks.create_task(self._look_at(service, target))
                for service in self._model.services
                for target in service.targets
            ]
            try:
                yield
            finally:
                for task in running:
                    task.cancel()

    async def _look_at_itself(self) -> None:
        """Note when this process did not get to run: answers then looked late that were not."""
        loop = asyncio.get_running_loop()
        while True:
            due_mono = loop.time() + LAG_LOOK_S
            await asyncio.sleep(LAG_LOOK_S)
            if (late_s := loop.time() - due_mono) > LAG_LOOK_S:
                self._held_up.append((loop.time(), late_s))

    def _was_held_up(self, since_mono: float, probes: Sequence[Probe]) -> bool:
        """Say whether a round that began then may have failed by this process's own fault."""
        allowed_s = LAG_SHARE_MAX * min((each.timeout_s for each in probes), default=1.0)
        return sum(late_s for until, late_s in self._held_up if until >= since_mono) > allowed_s

    async def _look_at_controls(self) -> None:
        while True:
            await self._controls_known(CONTROLS_S)
            await asyncio.sleep(CONTROLS_S)

    async def _controls_known(self, age_s: float) -> None:
        """Return when the controls were asked at most so long before this was called."""
        loop = asyncio.get_running_loop()
        since_mono = loop.time() - age_s
        async with self._looking:
            if self._looked_mono <= since_mono:
                began_mono = loop.time()
                answer = await ask_all(self._vantage.controls, 0)
                has_lacked = loop.time() - self._lacked_mono < LACK_S
                self._journal.controls(Answer(self._lack) if has_lacked else answer)
                self._looked_mono = began_mono

    def _note(self, lack: LackError) -> None:
        """Withdraw all votes: who could not ask knows nothing, of any target."""
        self.not_seen += 1
        self._lack, self._lacked_mono = str(lack), asyncio.get_running_loop().time()
        self._journal.controls(Answer(self._lack))

    async def _look_at(self, service: Service, target: Target) -> None:
        """Begin rounds as the rhythm has it, whether the last one has ended or not."""
        loop = asyncio.get_running_loop()
        detection = service.detection
        wait_s = detection.interval_s * self.phase(service.name, target.name)
        rhythm = self._rhythms[service.name, target.name] = Rhythm(detection, loop.time() + wait_s)

        async def one_round(begun: int) -> None:
            began_mono = loop.time()
            try:
                async with self._gate:
                    began_mono = loop.time()
                    seen = await self._ask(service.name, target.name, target.probes, begun)
            except LackError as lack:
                self._note(lack)
                return
            finally:
                rhythm.on_the_way -= 1
            if seen.outcome is Outcome.FAIL:  # is it the target, or is it this vantage?
                await self._controls_known(detection.interval_s)
                if self._was_held_up(began_mono, target.probes):
                    self.not_seen += 1
                    return
            told, is_urgent = rhythm.end(seen, loop.time())
            self._journal.add([told], is_urgent=is_urgent)

        async with asyncio.TaskGroup() as rounds:
            while True:
                await asyncio.sleep(max(0.0, rhythm.look_mono - loop.time()))
                is_due = rhythm.look_mono == rhythm.due_mono
                if not is_due and not rhythm.is_in_doubt:
                    await asyncio.sleep(max(0.0, rhythm.due_mono - loop.time()))
                    is_due = True
                begun = rhythm.begin(loop.time(), is_due=is_due)
                if begun is not None:
                    rounds.create_task(one_round(begun))

    def phase(self, service: str, target: str) -> float:
        """When in an interval this vantage asks (0 <= phase < 1): others ask at other times."""
        said = f"{self._vantage.name} {service} {target}"
        return crc32(said.encode()) / 2**32
