"""What a page of another's purge log means to a node that has read it up to some place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

TAGS_MAX_BYTES: Final = 4_096  # of one tag; longer ones name nothing


class FeedError(Exception):
    """The log cannot be read now, or says nothing that makes sense."""


@dataclass(frozen=True, slots=True)
class Place:
    """Up to where a log was read."""

    log: str  # its name
    number: int


@dataclass(frozen=True, slots=True)
class Missed:
    """Some purges after a place, oldest first, and where they lead."""

    tags: tuple[bytes, ...]
    place: Place
    everything: bool = False  # the log does not reach back so far: whatever is held may be purged


def missed(before: Place | None, page: dict[str, Any]) -> tuple[Missed, bool]:
    """What a page of the log says to who has read up to `before`, and whether it is the last page.

    Raises FeedError.
    """
    try:
        log, floor, last = str(page["log"]), int(page["floor"]), int(page["last"])
        purges = [(int(each["number"]), str(each["tag"]).encode()) for each in page["purges"]]
    except (KeyError, TypeError, ValueError) as error:
        raise FeedError(f"not a page of a purge log: {error!r}") from None
    if before is None or before.log != log or not floor <= before.number <= last:
        return Missed((), Place(log, last), everything=True), True
    numbers = [number for number, _ in purges]
    if numbers != sorted(set(numbers)) or (numbers and numbers[0] <= before.number):
        raise FeedError("purges out of order")
    if not purges:
        return Missed((), Place(log, last)), True
    tags = tuple(dict.fromkeys(tag for _, tag in purges if 0 < len(tag) <= TAGS_MAX_BYTES))
    return Missed(tags, Place(log, numbers[-1])), numbers[-1] >= last
