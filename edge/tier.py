"""What a storage level below memory offers to fills, and what it is offered."""

from typing import Protocol

from cache_policies.message import Fields, ResponseHead
from cache_policies.stored import Times
from edge.entry import Entry


class Held(Protocol):
    """One response that a tier holds: the head as it was received, the body by slices of 1 MiB.

    It stays readable until it is closed, whatever becomes of the tier's other copies meanwhile.
    """

    head: ResponseHead
    vary: tuple[bytes, ...]  # names of the request fields that select it
    times: Times  # of its arrival, on this process's clocks
    trusted: bool  # whether those can be; else it must be validated
    purge_sequence: int  # the purge log's end when the fill that brought it began
    length: int  # of the body, in bytes

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

    async def find(self, key: bytes, fields: Fields) -> Held | None:
        """What is held for a request with these fields; None when nothing is, or not in time."""

    def offer(self, entry: Entry, *, after: int, second_hand: bool) -> None:
        """Give an entry that memory has just stored or freshened; the tier may keep a copy of it.

        It does so beside the serving path, and only of what was asked for `after` times. What comes
        second hand it may have from another worker already.
        """
