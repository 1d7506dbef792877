"""Purges and progress through what a region calls its Valkey, while that changes under them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from cache_policies.valkey_buckets import HOME
from cache_policies.valkey_topology import SLOTS
from origin.distribution import Told
from origin.progress import ProgressReader, ProgressWriter, progress_key
from origin.purge_carrier import ValkeyCarrier
from origin.purge_log import Batch, Kind, Logged, Wanted
from tests.loopback.test_edge_purge_carrier import Listening, listening
from tests.support.edges import PATIENCE_S
from tests.support.purge_log import ServedLog, served_log
from tests.support.valkeys import (
    RunningValkey,
    move_slot,
    valkey,
    valkey_cluster,
    valkey_with_sentinels,
)


@dataclass
class Origin:
    """What an origin and a worker have to do with Valkey, and an edge that hears them."""

    carrier: ValkeyCarrier
    writer: ProgressWriter
    reader: ProgressReader
    log: ServedLog
    edge: Listening
    heard: dict[int, Told] = field(default_factory=dict)

    async def purges(self, tag: str) -> None:
        """Have a purge carried to the edge, and its acknowledgement back."""
        number = self.log.tag(tag)
        wanted = Logged(number, Wanted(Kind.TAG, tag))
        batch = Batch(log=self.log.name, after=number - 1, purges=(wanted,))
        async with asyncio.timeout(PATIENCE_S):
            while number not in self.heard:  # a busy machine, or one that has moved, is told again
                await asyncio.to_thread(self.carrier.carry, batch, self._hear)
                await self._wait(number)
        assert self.heard[number].edge_id == "01" * 8
        assert self.edge.values()[-1] == tag.encode()

    def _hear(self, _address: str, told: Told) -> None:
        self.heard[told.number] = told

    async def _wait(self, number: int) -> None:
        for _ in range(20):
            if number in self.heard:
                return
            await asyncio.sleep(0.02)

    async def makes_progress(self, stage: str) -> None:
        """Have somebody see what a worker says."""
        async with asyncio.timeout(PATIENCE_S):
            while await self.reader.read("a") != (stage, 0.5):
                await asyncio.to_thread(self.writer.write, "a", stage, 0.5)


@asynccontextmanager
async def origin_at(url: str) -> AsyncIterator[Origin]:
    with served_log() as log:
        async with listening(log, url) as edge:
            origin = Origin(ValkeyCarrier(url), ProgressWriter(url), ProgressReader(url), log, edge)
            try:
                yield origin
            finally:
                await origin.reader.aclose()
                await asyncio.to_thread(origin.writer.close)
                await asyncio.to_thread(origin.carrier.close)


async def test_one_server_carries_purges_even_without_memory() -> None:
    with valkey("--maxmemory-policy", "noeviction") as server:
        async with origin_at(server.url) as origin:
            await origin.purges("one")
            await origin.makes_progress("examining")
            server.ask("CONFIG", "SET", "maxmemory", "1")
            await origin.purges("two")
            assert not origin.writer.write("a", "encoding", 0.5)


async def test_sentinels_say_who_carries_purges_when_a_primary_dies() -> None:
    with valkey_with_sentinels() as ((primary, replica), sentinels):
        places = ",".join(sentinel.place for sentinel in sentinels)
        async with origin_at(f"redis+sentinel://{places}/main") as origin:
            await origin.purges("one")
            await origin.makes_progress("examining")
            primary.kill()
            await origin.purges("two")
            await origin.makes_progress("encoding")
            assert b"encoding" in replica.ask("GET", progress_key("a"))


async def test_purges_follow_their_slot_through_a_cluster() -> None:
    with valkey_cluster() as nodes:
        async with origin_at(f"redis+cluster://{nodes[1].place},{nodes[2].place}") as origin:
            await origin.purges("one")
            await origin.makes_progress("examining")
            owner = next(node for node in nodes[:3] if has_progress(node))
            target = next(node for node in nodes[:3] if node is not owner)
            await asyncio.to_thread(move_slot, SLOTS[HOME], owner, target)
            await origin.purges("two")
            await origin.makes_progress("encoding")
            assert has_progress(target)


def has_progress(node: RunningValkey) -> bool:
    return progress_key("a").encode() in node.ask("KEYS", "*")
