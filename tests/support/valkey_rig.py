"""A worker's Valkey tier without the worker, and entries to put there."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from cache_policies.message import Fields, RequestHead, ResponseHead
from cache_policies.policy import CachePolicy
from cache_policies.stored import Times
from cache_policies.storing import Store, judge_storing
from edge.arena import SLICE_BYTES
from edge.counters import Counters
from edge.entry import Entry
from edge.errors import StorageError
from edge.memory import Memory
from edge.region_places import OwnPlaces, Places
from edge.settings import Address, EdgeSettings, Limits
from edge.valkey_tier import ValkeyHeld, ValkeyTier, open_tier
from tests.support.edges import until
from tests.support.valkeys import LIMITS

KEY = b"http://edge.test/object"
LOG_ID = b"logs-id8"
BODY = b"".join(bytes([number]) * SLICE_BYTES for number in range(3)) + b"the rest"
STRONG: Fields = ((b"cache-control", b"max-age=6000"), (b"etag", b'"1"'))
LOOSE: Fields = ((b"cache-control", b"max-age=6000"),)


def entry(
    body: bytes = BODY,
    fields: Fields = STRONG,
    asked: Fields = (),
    *,
    key: bytes = KEY,
    sequence: int = 0,
) -> Entry:
    now_mono, now_wall = time.monotonic(), time.time()
    judged = judge_storing(
        RequestHead(b"GET", b"http", b"edge.test", b"/object", asked),
        ResponseHead(200, fields),
        Times(response_wall=now_wall, response_mono=now_mono),
        CachePolicy(),
    )
    assert isinstance(judged, Store)
    slices = [body[at : at + SLICE_BYTES] for at in range(0, len(body), SLICE_BYTES)]
    return Entry(key, replace(judged.stored, purge_sequence=sequence), slices)


class Rig:
    """One edge of the region."""

    def __init__(
        self,
        url: str,
        *,
        log_id: bytes = LOG_ID,
        places: Places | None = None,
        redis_bytes: int = 1 << 30,
        **limits: Any,
    ) -> None:
        self.counters, self.memory = Counters(), Memory(64 << 20)
        settings = EdgeSettings(
            listen=Address("127.0.0.1", 0),
            origin="http://127.0.0.1:9",
            redis=url,
            redis_bytes=redis_bytes,
            limits=Limits(**(LIMITS | limits)),
        )
        self.tier: ValkeyTier = open_tier(
            settings,
            places=places or OwnPlaces(log_id),
            memory=self.memory,
            counters=self.counters,
        )

    async def write(self, *entries: Entry) -> None:
        """Have entries written, and wait until nothing is under way."""
        for each in entries:
            self.memory.store(each)
            self.tier.offer(each, after=1, second_hand=False)
            self.tier.offer(each, after=1, second_hand=False)  # asked for twice
            await self.at_rest()

    async def at_rest(self) -> None:
        await until(lambda: not self.tier.writing.tasks)

    async def find(self, fields: Fields = (), *, key: bytes = KEY) -> ValkeyHeld | None:
        return await self.tier.find(key, fields)

    async def body(self, fields: Fields = (), *, key: bytes = KEY) -> bytes | None:
        """What the tier gives, up to where it breaks off; None when it has nothing."""
        held = await self.find(fields, key=key)
        if held is None:
            return None
        got = b""
        try:
            for number in range(-(-held.length // SLICE_BYTES)):
                got += await held.read(number)
        except StorageError:
            pass
        held.close()
        return got

    async def close(self) -> None:
        await self.tier.close()
