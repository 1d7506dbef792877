"""What a storage level below memory offers to fills, and what it is offered."""

from typing import Protocol

from cache_policies.message import Fields, ResponseHead
from cache_policies.stored import Times
from edge.arena import Slice
from edge.entry import Entry
from edge.sliced import SlicedEntry


class Held(Protocol):
    """One response that a tier holds: the head as it was received, the body by slices of 1 MiB.

    It stays readable until it is closed, whatever becomes of the tier's other copies meanwhile.
    """

    head: ResponseHead
    vary: tuple[bytes, ...]  # names of the request fields that select it
    tags: tuple[bytes, ...]  # that purged it when it was given here: rules may have changed since
    times: Times  # of its arrival, on this process's clocks
    trusted: bool  # whether those can be; else it must be validated
    purge_sequence: int  # the purge log's end when the fill that brought it began
    length: int  # of the body, in bytes
    is_sliced: bool  # the body's slices must be found one by one, and some may be missing

    async def read(self, slice_no: int) -> bytes:
        """One whole slice, verified. Raises StorageError; what is damaged is dropped already."""

    def close(self) -> None:
        """Let go of it."""

    def drop(self) -> None:
        """Let go of it and have the tier forget it: it may never be served again."""


class Tier(Protocol):
    """One storage level below memory. It knows keys, variants, slices and bytes, never freshness.

    A tier that is slow, full or broken gives None and takes nothing; it counts that itself.
    """

    name: str  # what Cache-Status and metrics call it
    object_max_bytes: int  # larger bodies pass it by

    async def find(self, key: bytes, fields: Fields, slice_no: int | None = None) -> Held | None:
        """What is held for a request with these fields; None when nothing is, or not in time.

        With a `slice_no`, what has that slice.
        """

    def offer(self, entry: Entry, *, after: int, second_hand: bool) -> None:
        """Give an entry that memory has just stored or freshened; the tier may keep a copy of it.

        It does so beside the serving path, and only of what was asked for `after` times. What comes
        second hand it may have from another worker already.
        """

    def offer_slice(
        self, entry: SlicedEntry, slice_no: int, data: Slice, *, second_hand: bool
    ) -> None:
        """Give one more slice of an entry; the tier keeps it if it wants that entry."""

    async def room(self) -> None:
        """Wait until one slice more would be taken, at most some 50 ms."""

    def asked(self, key: bytes, variant: bytes) -> int:
        """Note a request for a response that memory cannot hold; how many there were lately."""
