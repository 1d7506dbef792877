"""A region in virtual time, whose edges die, are cut off and lag behind.

None may serve what it has acknowledged as purged. The log, Valkey, the links between hosts and the
bytes are simulated. What decides is the edge's own: how it follows the log, publishes, counts and
remembers purges, and judges what others hold.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from tests.support.region_edge import Edge
from tests.support.region_world import SECONDS, Origin, SharedStore, now
from tests.support.virtual_time import virtual_time


class Region:
    """Everything, and what befalls it."""

    def __init__(self, seed: int) -> None:
        self.draw = draw = random.Random(seed)
        self.origin = Origin(draw)
        self.store = SharedStore()
        self.complaints: list[str] = []
        self.answers = self.shared = self.peered = 0
        self.edges = [
            Edge(self, name, has_disk=draw.random() < 0.3, workers=draw.choice((1, 1, 2)))
            for name in range(draw.choice((2, 3, 3, 4)))
        ]
        if draw.random() < 0.6:  # one fills from another, which may be behind
            for edge in self.edges[1:]:
                edge.peer = self.edges[0]
        self.broken: list[BaseException] = []
        self._starting: dict[asyncio.Task[None], None] = {}

    async def pause(self, most_s: float) -> None:
        await asyncio.sleep(self.draw.random() * most_s)

    def required_before(self, key: bytes, moment: float) -> int:
        """The version that comes after all that was purged by a moment."""
        found = (each.versions.get(key, 0) for each in self.origin.logged if each.at < moment)
        return max(found, default=0)

    async def live(self) -> None:
        for edge in self.edges:
            await edge.start()
        ends = now() + SECONDS
        busy = self.draw.choice((0.3, 1.0, 3.0))  # some regions have much to do
        while now() < ends:
            await asyncio.sleep(self.draw.expovariate(1.0 / busy))
            await self._befall(self.draw.choices(_MOVES, _WEIGHTS)[0])
            if self.broken:
                raise self.broken[0]
        for task in self._starting:
            task.cancel()
        if self._starting:
            await asyncio.wait(self._starting)
        for edge in self.edges:
            if edge.is_up:
                await edge.stop()

    async def _befall(self, what: Callable[[Region, Edge], Any]) -> None:
        done = what(self, self.draw.choice(self.edges))
        if done is not None:
            await done

    # what can happen

    def reads(self, edge: Edge) -> None:
        for _ in range(self.draw.choice((1, 2, 5))):
            if edge.is_up:
                edge.start_task(edge.read())

    def purges(self, _edge: Edge) -> None:
        before = self.origin.of_log[-1].number if self.origin.of_log else 0
        self.origin.purge()
        for edge in self.edges:
            if self.draw.random() < 0.6:  # pub/sub; some of it is lost
                message = self.origin.message(before)
                assert message is not None
                if self.draw.random() < 0.1:
                    number = message["purges"][-1]["number"]
                    message = {"log": self.origin.log, "after": before, "number": number}
                edge.start_hearing(message)
            if self.draw.random() < 0.5:  # pushed
                self.push(edge)

    def push(self, edge: Edge) -> None:
        known = edge.told_to if self.draw.random() < 0.9 else 0
        if (message := self.origin.message(max(known, self.origin.floor))) is not None:
            edge.start_hearing(message)

    def orders(self, edge: Edge) -> None:
        if edge.is_up:
            edge.start_task(edge.order())

    def cuts(self, edge: Edge) -> None:
        cut = self.draw.choice(("hears", "reads_log", "reaches_origin", "reaches_store", "both"))
        for name in ("hears", "reads_log") if cut == "both" else (cut,):
            setattr(edge, name, False)

    def heals(self, edge: Edge) -> None:
        edge.hears = edge.reads_log = edge.reaches_origin = edge.reaches_store = True

    async def stops(self, edge: Edge) -> None:
        if edge.is_up:
            await edge.stop()
            starting = asyncio.get_running_loop().create_task(self._start_again(edge))
            self._starting[starting] = None
            starting.add_done_callback(self._starting.pop)

    async def _start_again(self, edge: Edge) -> None:
        await self.pause(30.0)
        await edge.start()

    def restarts_worker(self, edge: Edge) -> None:
        if edge.is_up:
            edge.restart_worker()

    def hangs(self, edge: Edge) -> None:
        if edge.is_up:
            self.draw.choice(edge.workers).hangs_until = now() + self.draw.random() * 4.0

    def loses_store(self, _edge: Edge) -> None:
        self.store.is_up = not self.store.is_up
        if self.draw.random() < 0.5:
            self.store.values.clear()

    def begins_anew(self, _edge: Edge) -> None:
        self.origin.begin_anew()
        for edge in self.edges:
            edge.told_to = 0

    def forgets(self, _edge: Edge) -> None:
        if self.origin.of_log:
            self.origin.floor = self.draw.choice(self.origin.of_log).number


_EVENTS: Final[dict[Callable[[Region, Edge], Any], float]] = {
    Region.reads: 60,
    Region.purges: 12,
    Region.push: 6,
    Region.orders: 2,
    Region.cuts: 3,
    Region.heals: 5,
    Region.stops: 1,
    Region.restarts_worker: 1.5,
    Region.hangs: 1.5,
    Region.loses_store: 1,
    Region.begins_anew: 0.2,
    Region.forgets: 0.3,
}
_MOVES, _WEIGHTS = list(_EVENTS), list(_EVENTS.values())


@dataclass
class Lived:
    """What came of a region."""

    complaints: list[str] = field(default_factory=list)
    answers: int = 0
    shared: int = 0  # values of others, or of its own, that were taken from Valkey
    peered: int = 0


def run(seed: int) -> Lived:
    """A region's life, which its seed tells from all others."""
    with virtual_time() as loop:
        region = Region(seed)
        loop.run_until_complete(region.live())
    return Lived(region.complaints, region.answers, region.shared, region.peered)
