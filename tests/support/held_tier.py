"""A tier in a dict: what it holds a test puts there, what it is offered a test finds there."""

import asyncio
import time
from collections.abc import Iterable

from cache_policies.message import Fields, ResponseHead
from cache_policies.stored import Times
from edge.arena import SLICE_BYTES
from edge.entry import Entry
from edge.errors import StorageError
from edge.sliced import SlicedEntry


class DictHeld:
    """One response in a dict; slices in `damaged` cannot be read."""

    def __init__(
        self,
        body: bytes,
        fields: Fields,
        *,
        age_s: float = 0.0,
        sequence: int = 0,
        damaged: Iterable[int] = (),
    ) -> None:
        now_wall, now_mono = time.time() - age_s, time.monotonic() - age_s
        self.head = ResponseHead(200, fields)
        self.vary: tuple[bytes, ...] = ()
        self.tags: tuple[bytes, ...] = ()
        self.trusted = True
        self.times = Times(response_wall=now_wall, response_mono=now_mono)
        self.purge_sequence = sequence
        self.length = len(body)
        self.is_sliced = False
        self.is_open = False
        self.dropped = False
        self._body = body
        self._damaged = set(damaged)
        self.gate: asyncio.Event | None = None  # slices after the first wait for it

    async def read(self, slice_no: int) -> bytes:
        if slice_no and self.gate is not None:
            await self.gate.wait()
        if slice_no in self._damaged:
            self.drop()
            raise StorageError("checksum")
        return self._body[slice_no * SLICE_BYTES : (slice_no + 1) * SLICE_BYTES]

    def close(self) -> None:
        self.is_open = False

    def drop(self) -> None:
        self.dropped = True
        self.close()


class DictTier:
    name = "disk"

    def __init__(self) -> None:
        self.held: dict[bytes, DictHeld] = {}
        self.object_max_bytes = 1 << 40
        self.offered: list[Entry] = []
        self.given: list[int] = []  # numbers of slices

    async def find(
        self, key: bytes, fields: Fields, slice_no: int | None = None
    ) -> DictHeld | None:
        found = self.held.get(key)
        if found is None or found.dropped:
            return None
        found.is_open = True
        return found

    def offer(self, entry: Entry, *, after: int, second_hand: bool) -> None:
        self.offered.append(entry)

    def offer_slice(
        self, entry: SlicedEntry, slice_no: int, data: bytes, *, second_hand: bool
    ) -> None:
        self.given.append(slice_no)

    async def room(self) -> None:
        pass

    def asked(self, key: bytes, variant: bytes) -> int:
        return 1
