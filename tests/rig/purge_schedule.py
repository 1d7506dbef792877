"""One seeded schedule of purges and faults, and who was promised what when."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from tests.rig.edges import ADMIN_PORT, RigEdge
from tests.rig.log_host import LogHost
from tests.rig.region import LOG, ORIGIN, Region
from tests.support.edges import PATIENCE_S
from tests.support.soak_operator import drawn_order
from tests.support.soak_player import LOST
from tests.support.soak_world import PATHS

PURGE_PAUSES_S = (0.02, 0.1, 0.3)
FAULT_PAUSES_S = (0.1, 0.5)
FAULT_LASTS_S = (0.2, 1.0, 2.5)
RECOVERY_S = 5.0
FOR_EVER_S = 1e9
NOBODYS_TAG = "of-nothing"


@dataclass(frozen=True)
class Logged:
    """An order that is in the log."""

    number: int  # of its last purge
    urls: tuple[str, ...]
    asked_mono: float
    logged_mono: float
    soft: bool


class Promises:
    """What each edge has acknowledged, by place in the log."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self._logged: list[Logged] = []
        self._kept: dict[str, set[int]] = {name: set() for name in region.edges}
        self.acknowledged = 0

    def log(self, order: Logged) -> None:
        self._logged.append(order)

    def reached(self, edge: str, number: int) -> None:
        """An edge has said that it carried out all up to a number."""
        self._promise(edge, lambda order: order.number <= number)

    def began_after(self, edge: str, mono: float) -> None:
        """An edge serves that was started then: what was in the log is carried out."""
        self._promise(edge, lambda order: order.logged_mono < mono)

    def _promise(self, edge: str, covers: Callable[[Logged], bool]) -> None:
        world, now_mono = self._region.crowds[edge].world, time.monotonic()
        for order in self._logged:
            if covers(order) and order.number not in self._kept[edge]:
                self._kept[edge].add(order.number)
                self.acknowledged += 1
                soft_mono = now_mono if order.soft else None
                world.invalidate(order.urls, order.asked_mono, soft_mono=soft_mono)


Strike = Callable[[], AbstractAsyncContextManager[None]]


class Schedule:
    """Purges and faults in an order that a seed decides; `did` counts them."""

    def __init__(self, region: Region, seed: int) -> None:
        assert region.log is not None
        self.region = region
        self.log: LogHost = region.log
        self.draw = random.Random(f"{seed} purges")
        self.chance = random.Random(f"{seed} faults")
        self.promises = Promises(region)
        self.did: Counter[str] = Counter()
        self._addresses = {
            f"http://{edge.host.address}:{ADMIN_PORT}": name for name, edge in region.edges.items()
        }

    async def run(self, seconds: float) -> None:
        """Let it all happen, then end all faults and have everybody catch up."""
        until_mono = time.monotonic() + seconds
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._purge_until(until_mono))
            tasks.create_task(self._strike_until(until_mono))
        async with asyncio.timeout(PATIENCE_S):
            while not await self._all_caught_up():  # noqa: ASYNC110 it is not ours to signal
                await asyncio.sleep(0.1)

    # purges

    async def _purge_until(self, until_mono: float) -> None:
        async with asyncio.TaskGroup() as tasks:
            while time.monotonic() < until_mono:
                await asyncio.sleep(self.draw.choice(PURGE_PAUSES_S))
                by_edge = self.draw.random() < 0.15
                tasks.create_task(self._purge_one_edge() if by_edge else self._purge_region())

    def _drawn(self) -> tuple[dict[str, object], tuple[str, ...], bool]:
        """An order, what URLs it is about, and whether it is soft; there is something new."""
        order, paths, schemes = drawn_order(self.draw)
        self.region.origin.world.change(paths)
        urls = tuple(f"{scheme}:{path}" for scheme in schemes for path in paths)
        return order, urls, self.draw.random() < 0.25

    async def _purge_region(self) -> None:
        """Order at the log: it carries the order to all edges."""
        ((kind, value),), urls, soft = _items(self._drawn())
        order: dict[str, Any] = {"kind": kind, "soft": soft}
        if kind != "all":
            order["values"] = [value]
        asked_mono = time.monotonic()
        with suppress(*LOST):
            receipt = await self.log.order(**order)
            if receipt is not None:
                now_mono = time.monotonic()
                logged = Logged(receipt["number"], urls, asked_mono, now_mono, soft)
                self.promises.log(logged)
                self._read(receipt)
                self.did["orders"] += 1
                return
        self.did["orders lost"] += 1

    def _read(self, receipt: dict[str, Any]) -> None:
        for row in receipt["edges"]:
            name = self._addresses[row["address"]]
            self.promises.reached(name, row["place"])
            if not row["acknowledged"]:
                self.did["not acknowledged"] += 1

    async def _purge_one_edge(self) -> None:
        """Order at an edge's own admin listener: that edge alone carries it out."""
        order, urls, soft = self._drawn()
        name = self.draw.choice(list(self.region.edges))
        asked_mono = time.monotonic()
        with suppress(*LOST):
            status, _ = await self.region.edges[name].admin("/purge", order | {"soft": soft})
            if status == 200:
                soft_mono = time.monotonic() if soft else None
                world = self.region.crowds[name].world
                world.invalidate(urls, asked_mono, soft_mono=soft_mono)
                self.did["orders at an edge"] += 1

    async def _all_caught_up(self) -> bool:
        """Whether all edges acknowledge an order that means nothing."""
        with suppress(*LOST):
            receipt = await self.log.order(kind="tag", values=[NOBODYS_TAG])
            if receipt is not None:
                self._read(receipt)
                return bool(receipt["acknowledged"])
        return False

    # faults

    async def _strike_until(self, until_mono: float) -> None:
        faults: list[tuple[str, Strike, int]] = [
            ("edge restarted", self._restarted, 2),
            ("edge killed", self._killed, 2),
            ("edge stopped", self._stopped, 3),
            ("edge cut off", self._cut_off, 4),
            ("log killed", self._log_killed, 1),
            ("log cut off", self._log_cut_off, 2),
            ("valkey killed", self._valkey_killed, 2),
            ("valkey paused", self._valkey_paused, 1),
            ("valkey flushed", self._valkey_flushed, 1),
        ]
        names, strikes, weights = zip(*faults, strict=True)
        while time.monotonic() < until_mono:
            await asyncio.sleep(self.chance.choice(FAULT_PAUSES_S))
            (number,) = self.chance.choices(range(len(faults)), weights)
            async with strikes[number]():
                await asyncio.sleep(self.chance.choice(FAULT_LASTS_S))
            self.did[names[number]] += 1

    def _some_edge(self) -> RigEdge:
        return self.region.edges[self.chance.choice(list(self.region.edges))]

    @asynccontextmanager
    async def _upset(self, edge: RigEdge) -> AsyncIterator[None]:
        self.region.upset(time.monotonic() + FOR_EVER_S, edge.name)
        yield
        self.region.crowds[edge.name].world.upset_mono = time.monotonic() + RECOVERY_S

    @asynccontextmanager
    async def _down(self, edge: RigEdge) -> AsyncIterator[None]:
        async with self._upset(edge):
            yield
            started_mono = time.monotonic()
            await edge.start()
            self.promises.began_after(edge.name, started_mono)

    @asynccontextmanager
    async def _restarted(self) -> AsyncIterator[None]:
        edge = self._some_edge()
        async with self._down(edge):
            await edge.terminate()
            yield

    @asynccontextmanager
    async def _killed(self) -> AsyncIterator[None]:
        edge = self._some_edge()
        async with self._down(edge):
            await edge.kill()
            yield

    @asynccontextmanager
    async def _stopped(self) -> AsyncIterator[None]:
        """It stands still, with all that it knows."""
        edge = self._some_edge()
        async with self._upset(edge), edge.paused():
            yield

    @asynccontextmanager
    async def _cut_off(self) -> AsyncIterator[None]:
        """It does not reach some of the others."""
        edge, net, region = self._some_edge(), self.region.net, self.region
        neighbours = [name for name in region.edges if name != edge.name]
        lost = self.chance.choice(
            [[LOG], [LOG, *region.valkey_hosts], region.valkey_hosts, neighbours, [*net.hosts]]
        )
        lost = [name for name in lost if name not in (edge.name, "players")]
        net.cut([edge.name], lost)
        if ORIGIN in lost:
            async with self._upset(edge):
                yield
                net.restore([edge.name], lost)
        else:
            yield
            net.restore([edge.name], lost)

    @asynccontextmanager
    async def _log_killed(self) -> AsyncIterator[None]:
        self.log.destroy()
        yield
        await self.log.start()

    @asynccontextmanager
    async def _log_cut_off(self) -> AsyncIterator[None]:
        """It reaches who orders, and nobody else."""
        others = [name for name in self.region.net.hosts if name not in (LOG, "players")]
        self.region.net.cut([LOG], others)
        yield
        self.region.net.restore([LOG], others)

    @asynccontextmanager
    async def _valkey_killed(self) -> AsyncIterator[None]:
        (server,) = self.region.valkeys
        server.kill()
        yield
        await asyncio.to_thread(server.start_again)

    @asynccontextmanager
    async def _valkey_paused(self) -> AsyncIterator[None]:
        (server,) = self.region.valkeys
        with server.paused():
            yield

    @asynccontextmanager
    async def _valkey_flushed(self) -> AsyncIterator[None]:
        (server,) = self.region.valkeys
        await asyncio.to_thread(server.ask, "FLUSHALL")
        yield


def _items(
    drawn: tuple[dict[str, object], tuple[str, ...], bool],
) -> tuple[list[tuple[str, object]], tuple[str, ...], bool]:
    order, urls, soft = drawn
    return list(order.items()), urls, soft


def purged_paths() -> tuple[str, ...]:
    """What players ask for while it is purged: all but the longest."""
    return tuple(path for path in PATHS if not path.startswith("/film/"))
