"""A lower tier that the workers of a node share: slow, broken or forgetful as a seed has it."""

import asyncio
import random
from dataclasses import dataclass

from cache_policies.message import Fields, ResponseHead
from cache_policies.stored import Times
from cache_policies.vary import variant_key
from edge.arena import SLICE_BYTES, Slice
from edge.entry import Entry
from edge.errors import StorageError
from edge.sliced import SlicedEntry

SLOW_S = 5.0


@dataclass
class Copy:
    """One response as it lies there."""

    head: ResponseHead
    vary: tuple[bytes, ...]
    variant: bytes
    tags: tuple[bytes, ...]
    times: Times
    purge_sequence: int
    slices: tuple[bytearray, ...]  # never memory's own bytes: it would count them as held
    damaged: int | None = None  # the number of a slice that is not what was written


class Shelf:
    """What the tier holds, by key; one for all workers, as a directory is."""

    def __init__(self, draw: random.Random, *, failing: bool) -> None:
        self.draw = draw
        self.failing = failing
        self.held: dict[bytes, list[Copy]] = {}
        self.open = 0
        self.reads = 0

    def chance(self, share: float) -> bool:
        return self.failing and self.draw.random() < share

    def put(self, key: bytes, copy: Copy) -> None:
        """Write a copy in the place of that of its variant; another Vary takes all places."""
        others = [each for each in self.held.get(key, []) if each.vary == copy.vary]
        self.held[key] = [each for each in others if each.variant != copy.variant] + [copy]

    def drop(self, key: bytes, copy: Copy) -> None:
        self.held[key] = [each for each in self.held.get(key, []) if each is not copy]


class ShelfHeld:
    """One copy, open: it stays readable whatever becomes of the shelf."""

    def __init__(self, shelf: Shelf, key: bytes, copy: Copy) -> None:
        self._shelf, self._key, self._copy = shelf, key, copy
        self.head, self.vary, self.times = copy.head, copy.vary, copy.times
        self.tags = copy.tags
        self.trusted = not shelf.chance(0.05)  # a clock was set: it must be validated
        self.purge_sequence = copy.purge_sequence
        self.length = sum(map(len, copy.slices))
        self.is_sliced = False
        self._is_open = True
        shelf.open += 1

    async def read(self, slice_no: int) -> bytes:
        shelf = self._shelf
        await asyncio.sleep(shelf.draw.choice([0, 0, 0.001, 0.05]))
        if shelf.chance(0.03):
            raise StorageError("disk", "slow")
        if slice_no == self._copy.damaged:
            self.drop()
            raise StorageError("slice-checksum")
        shelf.reads += 1
        return bytes(self._copy.slices[slice_no])

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._shelf.open -= 1

    def drop(self) -> None:
        if self._is_open:
            self._shelf.drop(self._key, self._copy)
            self.close()


class ShelfTier:
    """One worker's way to the shelf."""

    name = "disk"
    object_max_bytes = 1 << 30

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def find(
        self, key: bytes, fields: Fields, slice_no: int | None = None
    ) -> ShelfHeld | None:
        del slice_no  # there are whole bodies only
        shelf = self._shelf
        await asyncio.sleep(shelf.draw.choice([0, 0, 0.001, 0.05]))
        if shelf.chance(0.05):
            await asyncio.sleep(shelf.draw.choice([0, 0.05]))
            return None
        for copy in shelf.held.get(key, []):
            if variant_key(copy.vary, fields) == copy.variant:
                return ShelfHeld(shelf, key, copy)
        return None

    def offer(self, entry: Entry, *, after: int, second_hand: bool) -> None:
        """Write it at once, or later from what memory had when it was offered."""
        del after, second_hand
        shelf, stored = self._shelf, entry.stored
        if shelf.chance(0.1):
            return
        slices = tuple(map(bytearray, entry.slices))
        length = sum(map(len, slices))
        copy = Copy(
            head=ResponseHead(stored.status, stored.fields),
            vary=stored.vary,
            tags=stored.tags,
            variant=stored.variant,
            times=Times(
                response_wall=stored.response_wall,
                response_mono=stored.response_mono,
                response_delay_s=stored.response_delay_s,
            ),
            purge_sequence=stored.purge_sequence,
            slices=slices,
            damaged=shelf.draw.randrange(-(-length // SLICE_BYTES))
            if self._spoils(length)
            else None,
        )
        delay_s = shelf.draw.choice([0, 0.01, SLOW_S]) if shelf.failing else 0
        asyncio.get_running_loop().call_later(delay_s, shelf.put, entry.key, copy)

    def offer_slice(
        self, entry: SlicedEntry, slice_no: int, data: Slice, *, second_hand: bool
    ) -> None:
        """It takes none."""

    async def room(self) -> None:
        await asyncio.sleep(self._shelf.draw.choice([0, 0.001, 0.05]))

    def asked(self, key: bytes, variant: bytes) -> int:
        del key, variant
        return 1

    def _spoils(self, length: int) -> bool:
        return bool(length) and self._shelf.chance(0.08)
