"""Which edge of a region asks the origin for a key: its owner, by rendezvous hash.

All that hold the same list agree on it without a word. An edge asks only members that rank strictly
higher than itself, whoever asks it: so while lists differ, a request climbs to the highest that
anybody on its way believes in, and never comes back to where it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import total_ordering
from hashlib import blake2b
from typing import Final

OVERLOAD_RATIO: Final = 1.25  # of the mean of fills in flight, that one member may have
OVERLOAD_SPARE: Final = 16  # and so many more: few fills are never out of balance


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """An edge, by the URL of its peer listener, which is its name in all lists."""

    url: str
    _salt: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        salt = blake2b(self.url.encode(), digest_size=blake2b.SALT_SIZE).digest()
        object.__setattr__(self, "_salt", salt)

    def weight(self, key: bytes) -> bytes:
        """Its claim to a key; the highest is the owner's. 1 us."""
        return blake2b(key, digest_size=8, salt=self._salt).digest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Member) and self.url == other.url

    def __lt__(self, other: Member) -> bool:
        return self.url < other.url

    def __hash__(self) -> int:
        return hash(self.url)


def ranked(key: bytes, members: Iterable[Member]) -> list[Member]:
    """The members in the order in which they own `key`; the same at every edge.

    Where one is missing its keys go to their next owners, evenly, and no other key moves.
    """
    weighed = sorted([(member.weight(key), member) for member in members], reverse=True)
    return [member for _, member in weighed]


def above(key: bytes, own: Member | None, members: Iterable[Member]) -> list[Member]:
    """Those that rank higher than `own`, best first; all of them for one that owns nothing."""
    if own is None:
        return ranked(key, members)
    floor = (own.weight(key), own)
    weighed = [(member.weight(key), member) for member in members]
    return [member for _, member in sorted([each for each in weighed if each > floor])[::-1]]


def overloaded(in_flight: Mapping[Member, int], members: Iterable[Member]) -> frozenset[Member]:
    """The members that have so many more fills in flight than others that their next one has to do.

    Never all of them: somebody is at the mean.
    """
    loads = {member: in_flight.get(member, 0) for member in members}
    if not loads:
        return frozenset()
    limit = OVERLOAD_RATIO * sum(loads.values()) / len(loads) + OVERLOAD_SPARE
    return frozenset(member for member, load in loads.items() if load > limit)
