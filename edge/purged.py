"""What was ever purged, by sequence number: it judges responses that are older than the process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from typing import Final
from zlib import crc32

from edge.last_purges import LastPurges
from edge.purge_names import url_key
from edge.purges import Purge, PurgeKind

NAMES_MAX: Final = 65_536  # kinds and values remembered, hard and soft; as many URLs beside them
NAMES_BYTES_MAX: Final = 16 << 20  # of either together
SLOTS: Final = 524_288  # for URLs that are no longer known by name: 4 MiB


@dataclass(frozen=True, slots=True)
class Dated:
    """A purge, and when it was published by the wall clock."""

    purge: Purge
    wall: float


class Purged:
    """The last purge of every name.

    A name that is forgotten takes all before it with it. But for the URLs: players purge these, by
    unsafe requests, as many as they like. One that is forgotten takes what shares its slot.
    """

    def __init__(
        self, names_max: int = NAMES_MAX, *, names_bytes_max: int = NAMES_BYTES_MAX
    ) -> None:
        self.floor = 0  # what began at a lower sequence counts as purged
        self.slots = LastPurges(SLOTS)
        self._names_max = names_max
        self._names_bytes_max = names_bytes_max
        self._names_bytes = 0
        self._last: dict[tuple[PurgeKind, bytes, bool], Dated] = {}  # oldest first
        self._prefix_sizes: Counter[int] = Counter()
        self._urls: dict[bytes, Dated] = {}  # by key, oldest first: those gone for good
        self._urls_bytes = 0

    def __len__(self) -> int:
        return len(self._last) + len(self._urls)

    def __iter__(self) -> Iterator[Dated]:
        """The purges that still count and are known by name, oldest first."""
        known = (self._last.values(), self._urls.values())
        return merge(*known, key=lambda dated: dated.purge.sequence)

    def forget_before(self, sequence: int) -> None:
        """From now on everything that began before `sequence` counts as purged."""
        self.floor = max(self.floor, sequence)

    def apply(self, dated: Dated) -> None:
        """Remember a purge; it may be one that is known already."""
        purge = dated.purge
        if purge.kind is PurgeKind.URL and not purge.soft and not purge.value.startswith(b"/"):
            self._apply_url(url_key(purge.value), dated)
            return
        name = (purge.kind, _name(purge), purge.soft)
        known = self._last.get(name)
        if known is not None and known.purge.sequence >= purge.sequence:
            return
        if known is not None:
            del self._last[name]
        elif purge.kind is PurgeKind.PREFIX:
            self._prefix_sizes[len(purge.value)] += 1
        if known is None:
            self._names_bytes += len(name[1])
        self._last[name] = dated
        while len(self._last) > self._names_max or self._names_bytes > self._names_bytes_max:
            self._forget_oldest()

    def since(self, sequence: int, key: bytes, tags: Iterable[bytes]) -> bool:
        """Whether what began at `sequence` is gone for good."""
        url = self._urls.get(key)
        return (
            sequence < self.floor
            or (url is not None and sequence < url.purge.sequence)
            or sequence < self.slots.of(crc32(key))
            or any(self._found(sequence, key, tags, soft=False))
        )

    def softly_since(self, sequence: int, key: bytes, tags: Iterable[bytes]) -> float | None:
        """When what began at `sequence` was made stale, by the wall clock; None if it was not.

        Of purges by several names the first one counts, of those by one name the last.
        """
        return min(
            (each.wall for each in self._found(sequence, key, tags, soft=True)), default=None
        )

    def _found(
        self, sequence: int, key: bytes, tags: Iterable[bytes], *, soft: bool
    ) -> Iterator[Dated]:
        """The purges after `sequence` that name the response of `key` with `tags`."""
        for kind, value in self._names(key, tags):
            found = self._last.get((kind, value, soft))
            if found is not None and found.purge.sequence > sequence:
                yield found

    def _names(self, key: bytes, tags: Iterable[bytes]) -> Iterator[tuple[PurgeKind, bytes]]:
        path = key[key.index(b"/", key.index(b"://") + 3) :]
        yield PurgeKind.ALL, b""
        yield PurgeKind.URL, key
        yield PurgeKind.URL, path
        for tag in tags:
            yield PurgeKind.TAG, tag
        for size in tuple(self._prefix_sizes):  # another thread may add one
            yield PurgeKind.PREFIX, key[:size]
            yield PurgeKind.PREFIX, path[:size]

    def _apply_url(self, key: bytes, dated: Dated) -> None:
        known = self._urls.get(key)
        if known is not None and known.purge.sequence >= dated.purge.sequence:
            return
        if known is not None:
            del self._urls[key]
        else:
            self._urls_bytes += len(key)
        self._urls[key] = dated
        while len(self._urls) > self._names_max or self._urls_bytes > self._names_bytes_max:
            oldest = next(iter(self._urls))
            self.slots.note(crc32(oldest), self._urls[oldest].purge.sequence)
            del self._urls[oldest]
            self._urls_bytes -= len(oldest)

    def _forget_oldest(self) -> None:
        name = next(iter(self._last))
        gone = self._last.pop(name)
        self._names_bytes -= len(name[1])
        if name[0] is PurgeKind.PREFIX:
            size = len(name[1])
            self._prefix_sizes[size] -= 1
            if not self._prefix_sizes[size]:
                del self._prefix_sizes[size]
        self.forget_before(gone.purge.sequence)


def _name(purge: Purge) -> bytes:
    return url_key(purge.value) if purge.kind is PurgeKind.URL else purge.value
