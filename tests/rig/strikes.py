"""What can happen to a region: each fault begins, lasts, and ends as a context manager."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from redis.crc import key_slot

from cache_policies.valkey_buckets import BUCKETS, hash_tag
from tests.rig.region import ORIGIN, Region
from tests.support.valkeys import RunningValkey, move_slot

SLOW_BITS_PER_S = 256_000
FILLING_BITS_PER_S, FILLING_S = 4_000_000, 1.0  # so that an edge dies in mid-fill
TURN_S = 0.04
RECOVERY_S = 5.0  # in which players may still notice what happened to their own edge
HURT = "north"  # the edge that things happen to


@dataclass(frozen=True)
class Fault:
    """`hurts` names edges whose players may notice; those of all others must not."""

    servers: str
    strike: Callable[[Region], AbstractAsyncContextManager[None]]
    hurts: tuple[str, ...] = ()
    with_shield: bool = False


@asynccontextmanager
async def nothing(region: Region) -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def killed(region: Region) -> AsyncIterator[None]:
    (server,) = region.valkeys
    server.kill()
    yield
    await asyncio.to_thread(server.start_again)


@asynccontextmanager
async def paused(region: Region) -> AsyncIterator[None]:
    (server,) = region.valkeys
    with server.paused():
        yield


@asynccontextmanager
async def paused_in_turns(region: Region) -> AsyncIterator[None]:
    """It stands still half of the time, longer than anybody waits for it."""
    (server,) = region.valkeys

    async def take_turns() -> None:
        while True:
            with server.paused():
                await asyncio.sleep(TURN_S)
            await asyncio.sleep(TURN_S)

    turns = asyncio.create_task(take_turns())
    try:
        yield
    finally:
        turns.cancel()
        await asyncio.wait([turns])


@asynccontextmanager
async def flushed(region: Region) -> AsyncIterator[None]:
    (server,) = region.valkeys
    await asyncio.to_thread(server.ask, "FLUSHALL")
    yield


@asynccontextmanager
async def slow(region: Region) -> AsyncIterator[None]:
    region.net.throttle(region.edges, region.valkey_hosts, bits_per_s=SLOW_BITS_PER_S)
    yield
    region.net.restore(region.edges, region.valkey_hosts)


@asynccontextmanager
async def unreachable(region: Region) -> AsyncIterator[None]:
    region.net.cut(region.edges, region.valkey_hosts)
    yield
    region.net.restore(region.edges, region.valkey_hosts)


@asynccontextmanager
async def slots_moved(region: Region) -> AsyncIterator[None]:
    """Buckets of one primary go to another, one after the other; then they come back."""
    owner, target, *_ = region.valkeys

    async def move_all(source: RunningValkey, to: RunningValkey) -> None:
        for slot in slots:
            await asyncio.to_thread(move_slot, slot, source, to)

    slots = [slot for slot in map(slot_of, range(BUCKETS)) if slot < 16_384 // 3]
    moving = asyncio.create_task(move_all(owner, target))
    yield
    await moving
    await move_all(target, owner)


def slot_of(bucket: int) -> int:
    return key_slot(hash_tag(bucket).encode())


@asynccontextmanager
async def replica_promoted(region: Region) -> AsyncIterator[None]:
    """The primary dies; Sentinels promote its replica; the old one comes back as replica."""
    primary = region.valkeys[0]
    primary.kill()
    yield
    await asyncio.to_thread(primary.start_again)


@asynccontextmanager
async def edge_restarted(region: Region) -> AsyncIterator[None]:
    edge = region.edges[HURT]
    await edge.terminate()
    yield
    await edge.start()


@asynccontextmanager
async def edge_killed(region: Region) -> AsyncIterator[None]:
    edge = region.edges[HURT]
    await edge.kill()
    yield
    await edge.start()


@asynccontextmanager
async def edge_cut_off(region: Region) -> AsyncIterator[None]:
    """It reaches its players only: no origin, no Valkey, no other edge."""
    others = [ORIGIN, *region.valkey_hosts, *(name for name in region.edges if name != HURT)]
    region.net.cut([HURT], others)
    yield
    region.net.restore([HURT], others)


@asynccontextmanager
async def owner_killed(region: Region) -> AsyncIterator[None]:
    """An edge that others ask for its keys dies in the middle of slow fills."""
    region.net.throttle([HURT], [ORIGIN], bits_per_s=FILLING_BITS_PER_S)
    await asyncio.sleep(FILLING_S)
    await region.edges[HURT].kill()
    region.net.restore([HURT], [ORIGIN])
    yield
    await region.edges[HURT].start()


@asynccontextmanager
async def edges_parted(region: Region) -> AsyncIterator[None]:
    """One edge does not reach the others; each side has its own view of who is up."""
    others = [name for name in region.edges if name != HURT]
    region.net.cut([HURT], others)
    yield
    region.net.restore([HURT], others)


@asynccontextmanager
async def upsetting(region: Region, fault: Fault) -> AsyncIterator[None]:
    """Let a fault strike; players of the edges that it hurts may notice."""
    if fault.hurts:
        region.upset(time.monotonic() + 3_600.0, *fault.hurts)
    async with fault.strike(region):
        yield
    for name in fault.hurts:
        region.crowds[name].world.upset_mono = time.monotonic() + RECOVERY_S


FAULTS = {
    "nothing": Fault("one", nothing),
    "valkey-paused": Fault("one", paused),
    "valkey-killed": Fault("one", killed),
    "valkey-flushed": Fault("one", flushed),
    "valkey-slow": Fault("one", slow),
    "valkey-in-turns": Fault("one", paused_in_turns),
    "valkey-unreachable": Fault("one", unreachable),
    "slots-moved": Fault("cluster", slots_moved),
    "replica-promoted": Fault("sentinels", replica_promoted),
    "edge-restarted": Fault("one", edge_restarted, (HURT,)),
    "edge-killed": Fault("one", edge_killed, (HURT,)),
    "edge-cut-off": Fault("one", edge_cut_off, (HURT,)),
    "shield-killed": Fault("one", owner_killed, (HURT,), with_shield=True),
    "shield-cut-off": Fault("one", edge_cut_off, (HURT,), with_shield=True),
    "edges-parted": Fault("one", edges_parted, with_shield=True),
}
