"""Which network an address is in: a table of ranges, compiled so that workers share its pages."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final, NamedTuple

NUMBER_MAX: Final = 2**32 - 1  # of an autonomous system (RFC 6793)
ENTRIES_MAX: Final = 4_000_000  # of each family; the whole Internet has less than half of that
_V4_MAX: Final = 2**32 - 1
_V6_MAX: Final = 2**64 - 1  # IPv6 networks end at /64
_HEAD_BYTES: Final = 16  # two counts of entries, IPv6 and IPv4, of 8 bytes each


class TableError(Exception):
    """A table that cannot be used."""


class Range(NamedTuple):
    """Addresses of one network; those of IPv6 by their first 64 bits."""

    is_v6: bool
    first: int
    last: int
    number: int  # of the autonomous system


def compiled(ranges: Iterable[Range]) -> bytes:
    """The table as `NetworkTable` reads it; within a range the narrower one counts."""
    families: tuple[list[Range], list[Range]] = ([], [])
    for each in ranges:
        families[each.is_v6].append(each)
    v4, v6 = (_flat(families[0], _V4_MAX), _flat(families[1], _V6_MAX))
    if max(len(v4), len(v6)) > ENTRIES_MAX:
        raise TableError(f"more than {ENTRIES_MAX} networks")
    return b"".join(
        (
            array("Q", (len(v6), len(v4))).tobytes(),
            array("Q", (first for first, _ in v6)).tobytes(),
            array("I", (number for _, number in v6)).tobytes(),
            array("I", (first for first, _ in v4)).tobytes(),
            array("I", (number for _, number in v4)).tobytes(),
        )
    )


class NetworkTable:
    """Looks addresses up in what `compiled` made: 12 bytes an IPv6 network, 8 an IPv4 one."""

    def __init__(self, data: memoryview) -> None:
        v6, v4 = data[:_HEAD_BYTES].cast("Q")
        data = data[_HEAD_BYTES:]
        self._v6, data = data[: 8 * v6].cast("Q"), data[8 * v6 :]
        self._v6_numbers, data = data[: 4 * v6].cast("I"), data[4 * v6 :]
        self._v4, self._v4_numbers = data[: 4 * v4].cast("I"), data[4 * v4 : 8 * v4].cast("I")

    def number(self, address: str) -> int | None:
        """The number of the autonomous system of an address, None where the table has none."""
        try:
            read = ip_address(address)
        except ValueError:
            return None
        starts, numbers, value = self._v4, self._v4_numbers, int(read)
        if read.version == 6:
            starts, numbers, value = self._v6, self._v6_numbers, value >> 64
        found = bisect_right(starts, value)
        return (numbers[found - 1] or None) if found else None


def _flat(ranges: list[Range], most: int) -> list[tuple[int, int]]:
    """(first address, number) of each stretch, in order; number 0 is nobody's."""
    flat: list[tuple[int, int]] = []
    around: list[tuple[int, int]] = []  # (last address, number) of the ranges that one is in

    def begin(first: int, number: int) -> None:
        if flat and flat[-1][0] == first:
            flat.pop()
        if (flat[-1][1] if flat else 0) != number:
            flat.append((first, number))

    def leave() -> None:
        last, _ = around.pop()
        if last < most:
            begin(last + 1, around[-1][1] if around else 0)

    for _, first, last, number in sorted(ranges, key=lambda each: (each.first, -each.last)):
        while around and around[-1][0] < first:
            leave()
        begin(first, number)
        around.append((min(last, around[-1][0]) if around else last, number))
    while around:
        leave()
    return flat
