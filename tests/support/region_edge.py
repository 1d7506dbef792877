"""An edge of a simulated region: its supervisor, its workers, and how it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from cache_policies.policies import UNSYNCED
from edge.belonging import is_newer
from edge.log_page import FeedError, LogPage, Place, read_carried, read_page
from edge.opening import Opened
from edge.orders import PurgeOrder
from edge.publishing import Publishing
from edge.purged import Dated
from edge.purges import Purge, PurgeFollower, PurgePage
from edge.recent_purges import RecentPurges
from edge.record import RecordHead
from edge.region_follower import RegionFollower
from edge.region_places import Places
from edge.region_sequence import SEQUENCE, Known, said
from tests.support.region_world import (
    KEYS,
    KINDS,
    LIMITS,
    NAMED,
    PASSED,
    SLACK_S,
    UNSYNCED_MAX_S,
    Disk,
    LostError,
    now,
)

if TYPE_CHECKING:
    from tests.support.region_simulation import Region

T = TypeVar("T")


@dataclass(frozen=True)
class Kept:
    """An entry in a worker's memory."""

    version: int
    sequence: int


class Worker:
    """One process of an edge: its memory, and what it remembers of purges."""

    def __init__(self, edge: Edge, number: int) -> None:
        self.edge = edge
        self.number = number
        self.memory: dict[bytes, Kept] = {}
        self.recent = RecentPurges()
        self.is_cut_off = bool(edge.page.policy_epoch() & UNSYNCED)
        self.follower = PurgeFollower(edge.page, number, self.apply, self.switch)
        self.opened = Opened(valkey=edge)  # type: ignore[arg-type]
        if edge.disk is not None:
            history = edge.disk.read_again()
            self.opened = Opened(
                disk=edge.disk,  # type: ignore[arg-type]
                purged=history.purged,
                region=history.places,
            )
        self.opened.remember(edge.page.history(), self.follower.applied)
        self.hangs_until = 0.0
        self.is_there = True

    def apply(self, purge: Purge) -> None:
        self.opened.purged.apply(Dated(purge, now()))
        self.opened.note(purge)
        self.recent.note(purge)
        for key, kept in list(self.memory.items()):
            if self.is_purged(kept.sequence, key):
                del self.memory[key]

    def switch(self, policy_epoch: int) -> None:
        self.is_cut_off = bool(policy_epoch & UNSYNCED)

    def is_purged(self, sequence: int, key: bytes) -> bool:
        return self.recent.any_since(sequence, key, KEYS[key], hard=True)

    def is_purged_below(self, sequence: int, key: bytes) -> bool:
        return self.opened.purged.since(sequence, key, KEYS[key])

    def end(self) -> None:
        self.is_there = False
        self.follower.detach()


class Feed:
    """The way of one edge to the log."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    async def page(self, after: int, log: str = "") -> LogPage:
        region = self._edge.region
        await region.pause(0.3)
        if not self._edge.reads_log:
            raise FeedError("cut")
        said = region.origin.page(after)
        await region.pause(0.3)
        return read_page(said, after)


class Edge:
    """A node: its supervisor, its workers and their links to others."""

    def __init__(self, region: Region, name: int, *, has_disk: bool, workers: int) -> None:
        self.region = region
        self.name = name
        self.draw = region.draw
        self.workers_count = workers
        self.disk = Disk() if has_disk else None
        self.peer: Edge | None = None
        self.hears = self.reads_log = self.reaches_origin = self.reaches_store = True
        self.is_up = False
        self.acknowledged: dict[bytes, int] = {}  # the first versions that may be served
        self.done_here: dict[bytes, int] = {}  # the same, until it ends
        self.told_to = 0  # what the origin believes
        self._tasks: dict[asyncio.Task[Any], None] = {}  # in the order in which they are ended

    # the supervisor

    def start_task(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run what ends with the edge."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, LostError):
            self.region.broken.append(error)

    async def start(self) -> None:
        disk = self.disk
        self.page = PurgePage.create(
            workers=self.workers_count,
            sequence=0 if disk is None else disk.sequence,
            records=32,
            ring_bytes=16_384,
        )
        self.publishing = Publishing(
            page=self.page,
            disk=disk,  # type: ignore[arg-type]
            reached=lambda order: order,
            followed=self._followed,
        )
        self.workers: list[Worker] = []
        self.follower = RegionFollower(Feed(self), self.publishing, LIMITS)
        await self.follower.begin()
        self.workers = [Worker(self, number) for number in range(self.workers_count)]
        self.is_up = True
        if self.follower.place is not None:
            self.acknowledge(self.follower.place)
        self.start_task(self.follower.run())

    async def stop(self) -> None:
        self.is_up = False
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for worker in self.workers:
            worker.end()
        self.page.close()
        self.done_here.clear()

    def restart_worker(self) -> None:
        number = self.draw.randrange(self.workers_count)
        self.workers[number].end()
        self.workers[number] = Worker(self, number)

    async def _followed(self, behind: Sequence[int]) -> None:
        async with asyncio.TaskGroup() as group:
            for number in behind:
                group.create_task(self._sync(number))

    async def _sync(self, number: int) -> None:
        deadline = now() + LIMITS.purge_ack_s
        await self.region.pause(0.02)
        while now() < deadline and number < len(self.workers):
            worker = self.workers[number]
            if worker.hangs_until <= now():
                if worker.is_there:
                    worker.follower.catch_up()
                return
            await asyncio.sleep(0.05)

    def acknowledge(self, place: Place) -> None:
        self.promise(self.region.origin.required(place.log, place.number), self.acknowledged)

    def promise(self, versions: dict[bytes, int], done: dict[bytes, int]) -> None:
        for key, version in versions.items():
            done[key] = max(version, done.get(key, 0))

    def least(self, key: bytes) -> int:
        """The first version of a key that it may serve."""
        return max(self.acknowledged.get(key, 0), self.done_here.get(key, 0))

    def start_hearing(self, message: dict[str, Any]) -> None:
        if self.is_up:
            self.start_task(self.hear(message))

    async def hear(self, message: dict[str, Any]) -> None:
        """What a carrier brings, and the acknowledgement."""
        await self.region.pause(0.4)
        if not self.hears:
            return
        try:
            receipt = await self.follower.hear(read_carried(message))
        except FeedError:
            return
        place = self.follower.place
        if receipt.is_complete and place is not None:
            self.acknowledge(place)
            if place.log == self.region.origin.log:
                self.told_to = max(self.told_to, place.number)

    async def order(self) -> None:
        """An order of this edge's own: its operator's, or a player's that has changed something."""
        (kind, value), names = self.draw.choice(list(NAMED.items()))
        versions = self.region.origin.change(names)
        order = PurgeOrder(kind=KINDS[kind], values=(value.encode(),))
        receipt = await self.publishing.order(order)
        if not receipt.hanging:  # one without a disk promises it for its life only
            self.promise(versions, self.acknowledged if self.disk else self.done_here)

    # its workers

    async def read(self) -> None:
        """One player's request, and whether the answer may be given."""
        key = self.draw.choice(list(KEYS))
        if not self.is_up:
            return
        worker = self.draw.choice(self.workers)
        if worker.hangs_until > now():
            return
        least, began = self.least(key), now()
        try:
            found, how = await self.answer(worker, key)
        except LostError:
            return
        self.region.answers += 1
        late = self.region.required_before(key, began - UNSYNCED_MAX_S - SLACK_S)
        if found.version < max(least, late):
            what = "acknowledged" if found.version < least else "purged long ago"
            self.region.complaints.append(
                f"edge {self.name} at {began:.3f}: {key.decode()} {found.version} from {how}, "
                f"{max(least, late)} {what}"
            )

    async def answer(
        self, worker: Worker, key: bytes, *, for_peer: bool = False
    ) -> tuple[Kept, str]:
        """What answers, and where it comes from. Raises LostError."""
        worker.follower.catch_up()
        sequence = worker.follower.applied
        if worker.is_cut_off:  # what is held may only be validated
            return Kept(await self._fetch(worker, key), sequence), "origin"
        kept = worker.memory.get(key)
        if kept is not None:
            return kept, "memory"
        ways = [(self._on_disk, "disk"), (self._shared, "valkey"), (self._of_peer, "peer")]
        for find, how in ways[:2] if for_peer else ways:  # only who ranks higher is asked
            found = await find(worker, key, sequence)
            self._must_be_there(worker)
            if found is not None:
                if how != "peer" or found.sequence >= 0:
                    self._keep(worker, key, found, sequence, how)
                return found, how
        found = Kept(await self._fetch(worker, key), sequence)
        self._keep(worker, key, found, sequence, "origin")
        return found, "origin"

    def _must_be_there(self, worker: Worker) -> None:
        if not worker.is_there or not self.is_up:
            raise LostError

    def _keep(self, worker: Worker, key: bytes, found: Kept, began: int, how: str) -> None:
        """Store what a fill has brought, unless it was purged since that began."""
        if worker.is_purged(began, key):
            return
        worker.memory[key] = found
        if how in ("origin", "peer"):
            self.start_task(self._write(worker, key, found))
        if self.disk is not None and how != "disk":
            self.disk.files[key] = found.sequence, found.version

    async def _fetch(self, worker: Worker, key: bytes) -> int:
        await self.region.pause(0.3)
        if not self.reaches_origin:
            raise LostError
        version = self.region.origin.versions[key]
        await self.region.pause(1.0 if self.draw.random() < 0.9 else 20.0)
        self._must_be_there(worker)
        return version

    async def _on_disk(self, worker: Worker, key: bytes, _sequence: int) -> Kept | None:
        if self.disk is None or key not in self.disk.files:
            return None
        sequence, version = self.disk.files[key]
        await self.region.pause(0.01)
        self._must_be_there(worker)
        gone = worker.is_purged_below(sequence, key)
        return None if gone else Kept(version, sequence)

    async def _shared(self, worker: Worker, key: bytes, _sequence: int) -> Kept | None:
        store, places = self.region.store, worker.opened.region
        await self.region.pause(0.01)
        log_id = places.log_id
        if not store.is_up or not self.reaches_store or log_id is None:
            return None
        found = store.values.get((log_id, key))
        await self.region.pause(0.02)
        self._must_be_there(worker)
        if found is None or found[0].log_id != places.log_id:
            return None
        head, version = found
        sequence = places.sequence_of(head.purge_sequence)
        if sequence is None or worker.is_purged_below(sequence, key):
            return None
        self.region.shared += 1
        return Kept(version, sequence)

    async def _write(self, worker: Worker, key: bytes, kept: Kept) -> None:
        """Write to Valkey, some time: a queue, and a server that stands still, may make it late."""
        await self.region.pause(0.2 if self.draw.random() < 0.7 else 40.0)
        store, places = self.region.store, worker.opened.region
        number, log_id = places.number_of(kept.sequence), places.log_id
        if not worker.is_there or number is None or log_id is None:
            return
        head = replace(_HEAD, key=key, log_id=log_id, purge_sequence=number)
        there = store.values.get((log_id, key))
        await self.region.pause(0.01)
        if there is not None and is_newer(there[0], head):
            return
        await self.region.pause(0.01 if self.draw.random() < 0.9 else 5.0)
        if store.is_up and self.reaches_store:
            store.values[log_id, key] = head, kept.version

    # peers

    async def _of_peer(self, worker: Worker, key: bytes, sequence: int) -> Kept | None:
        """What a peer has; one of sequence -1 answers, and is not kept."""
        if self.peer is None or not self.peer.is_up:
            return None
        asks = told(worker.opened.region, sequence)
        if asks is None:
            return None
        await self.region.pause(0.02)
        asking = self.peer.start_task(self.peer.asked(key, asks))
        await asyncio.wait([asking])
        if asking.cancelled() or asking.exception() is not None:
            return None
        version, says = asking.result()
        await self.region.pause(0.02)
        self._must_be_there(worker)
        if says == PASSED:
            return Kept(version, -1)
        counts_as = None if says is None else heard(worker.opened.region, says)
        if counts_as is None or worker.is_purged_below(counts_as, key):
            return None
        self.region.peered += 1
        return Kept(version, counts_as)

    async def asked(self, key: bytes, asks: bytes) -> tuple[int, bytes | None]:
        """Answer a peer; who is behind it reads the log first, or passes the request through."""
        if not self.is_up:
            raise LostError
        worker = self.draw.choice(self.workers)
        if worker.hangs_until > now():
            raise LostError
        worker.follower.catch_up()
        if not _knows(worker, asks):
            with suppress(TimeoutError, FeedError):
                async with asyncio.timeout(0.25):
                    await self.follower.read()
            self._must_be_there(worker)
            worker.follower.catch_up()
            if not _knows(worker, asks):
                return await self._fetch(worker, key), PASSED
        found, _ = await self.answer(worker, key, for_peer=True)
        return found.version, told(worker.opened.region, found.sequence)


def told(places: Places, sequence: int) -> bytes | None:
    """What is told of an entry, or of a fill that begins."""
    number = places.number_of(sequence)
    if number is None or places.log_id is None:
        return None
    return Known(places.log_id, number).line()[1]


def heard(places: Places, value: bytes) -> int | None:
    """What that counts as here; None when it says nothing."""
    known = said(((SEQUENCE, value),))
    if known is None or known.log_id != places.log_id:
        return None
    return places.sequence_of(known.number)


def _knows(worker: Worker, asks: bytes) -> bool:
    """Whether a worker has applied all that a peer has."""
    log, _, number = asks.partition(b";")
    region = worker.opened.region
    return (
        region.log_id is not None
        and (region.log_id.hex().encode(), region.number)
        >= (
            log,
            int(number),
        )
        and region.log_id.hex().encode() == log
    )


_HEAD: Final = RecordHead(
    key=b"",
    status=200,
    fields=(),
    response_wall=0.0,
    response_delay_s=0.0,
    boot_id=bytes(16),
    response_boot=0.0,
    log_id=bytes(8),
    purge_sequence=0,
)
