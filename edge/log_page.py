"""Pages of a region's purge log, and the messages that carry its end: read strictly."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from edge.orders import OrderError, PurgeOrder, read_value
from edge.purges import PurgeKind

NUMBER_MAX: Final = 2**62
ACK_MAX: Final = 200  # characters of the name of a list

_KINDS: Final = {
    "url": PurgeKind.URL,
    "prefix": PurgeKind.PREFIX,
    "tag": PurgeKind.TAG,
    "all": PurgeKind.ALL,
}
NOTHING: Final = PurgeOrder(kind=PurgeKind.TAG, values=(b"",))  # what no response is tagged with


class FeedError(Exception):
    """The log cannot be read now, or says nothing that makes sense."""


@dataclass(frozen=True, slots=True)
class Place:
    """Up to where a log was read."""

    log: str  # its name
    number: int


class Numbered(NamedTuple):
    """One purge of the log."""

    number: int
    order: PurgeOrder  # of one value


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """Some purges of a log, oldest first."""

    log: str
    floor: int  # purges up to this number are not kept any more
    last: int  # the number of the newest purge
    purges: tuple[Numbered, ...]

    def reaches(self, place: Place | None) -> bool:
        """Whether nothing is missing between a place and this page, which was asked for there."""
        return (
            place is not None and place.log == self.log and self.floor <= place.number <= self.last
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """The end of a log, as a carrier brings it: all its purges after one number up to another."""

    log: str
    after: int
    number: int
    purges: tuple[Numbered, ...] | None  # None: they are to be read in the log
    ack: str = ""  # the list in Valkey that who carried them out is noted in


def read_page(said: Any, after: int) -> LogPage:
    """What a page says that was asked for after a number. Raises FeedError."""
    try:
        log, floor, last = str(said["log"]), _number(said["floor"]), _number(said["last"])
        purges = _purges(said["purges"], after)
    except (KeyError, TypeError, ValueError) as error:
        raise FeedError(f"not a page of a purge log: {error!r}") from None
    return LogPage(log=log, floor=floor, last=last, purges=purges)


def carried_in(body: bytes) -> Carried | None:
    """The end of a log that a body brings; None when it names none. Raises FeedError."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return read_carried(said) if isinstance(said, dict) and "log" in said else None


def read_carried(said: Any) -> Carried:
    """What a carrier's message says. Raises FeedError."""
    try:
        log, purges, ack = said["log"], said.get("purges"), said.get("ack") or ""
        if not isinstance(log, str) or not isinstance(ack, str) or len(ack) > ACK_MAX:
            raise TypeError("log")
        if purges is None:
            return Carried(
                log=log,
                after=_number(said["after"]),
                number=_number(said["number"]),
                purges=None,
                ack=ack,
            )
        first = _number(purges[0]["number"]) - 1
        after = _number(said.get("after", first))
        numbered = _purges(purges, after)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise FeedError(f"not the end of a purge log: {error!r}") from None
    return Carried(log=log, after=after, number=numbered[-1].number, purges=numbered, ack=ack)


def parse_carried(text: str | bytes) -> Carried:
    """What a carrier's message says, as JSON. Raises FeedError."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FeedError(f"not JSON: {error}") from None
    if not isinstance(said, dict):
        raise FeedError("not the end of a purge log")
    return read_carried(said)


def _purges(said: Any, after: int) -> tuple[Numbered, ...]:
    """The purges, whose numbers rise from `after` on. Raises ValueError and its like."""
    if not isinstance(said, list):
        raise TypeError("purges")
    numbers = [after, *(_number(each["number"]) for each in said)]
    if numbers != sorted(set(numbers)):
        raise ValueError("purges out of order")
    return tuple(map(_numbered, said))


def _numbered(said: dict[str, Any]) -> Numbered:
    number = _number(said["number"])
    soft = said.get("soft", False)
    kind, value = _KINDS.get(said["kind"]), said["value"]
    if not isinstance(soft, bool) or not isinstance(value, str):
        raise TypeError("purge")
    if kind is None or kind is PurgeKind.ALL:  # of a later release's kinds nobody knows what
        everything = PurgeOrder(kind=PurgeKind.ALL, values=(b"",), soft=soft and kind is not None)
        return Numbered(number, everything)
    try:
        order = PurgeOrder(kind=kind, values=(read_value(kind, value),), soft=soft)
    except OrderError:  # too long, or else no name of anything
        order = NOTHING
    return Numbered(number, order)


def _number(said: Any) -> int:
    if not isinstance(said, int) or isinstance(said, bool) or not 0 <= said <= NUMBER_MAX:
        raise ValueError(f"{said!r} is no number of a purge")
    return said
