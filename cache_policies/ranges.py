"""Byte ranges: which parts of a stored body a request asks for (RFC 9110 §14)."""

import re
from enum import Enum, unique
from typing import Final, Literal, TypeAlias

from cache_policies.dates import parse_date
from cache_policies.message import Fields, RequestHead, list_members
from cache_policies.stored import Stored

_RANGE = re.compile(rb"(?P<first>\d*)-(?P<last>\d*)")
_DIGITS_MAX = 19  # longer numbers are beyond any length


@unique
class Unsatisfiable(Enum):
    """The type of UNSATISFIABLE."""

    UNSATISFIABLE = "unsatisfiable"


UNSATISFIABLE: Final = Unsatisfiable.UNSATISFIABLE
"""The range lies outside the body: 416, with `Content-Range: bytes */length`."""

RANGES_MAX: Final = 16  # in one request; more is no player's wish

Parts: TypeAlias = tuple[tuple[int, int], ...] | Literal[Unsatisfiable.UNSATISFIABLE] | None
Range: TypeAlias = tuple[int, int] | Literal[Unsatisfiable.UNSATISFIABLE] | None


def single_range(value: bytes, length: int) -> Range:
    """Return (first, last), both inclusive, of a Range value for a body of `length` bytes.

    None says to ignore it and send the whole: another unit, several ranges, or junk.
    """
    unit, _, rest = value.partition(b"=")
    members = list_members(rest)
    if unit.strip(b" \t").lower() != b"bytes" or len(members) != 1:
        return None
    match = _RANGE.fullmatch(members[0])
    if match is None:
        return None
    first, last = _number(match["first"]), _number(match["last"])
    if first is None:
        return None if last is None else _suffix(last, length)
    if last is not None and last < first:
        return None
    if first >= length:
        return UNSATISFIABLE
    return first, length - 1 if last is None else min(last, length - 1)


def _number(digits: bytes) -> int | None:
    if not digits:
        return None
    significant = digits.lstrip(b"0")
    return 10**_DIGITS_MAX if len(significant) > _DIGITS_MAX else int(significant or b"0")


def _suffix(size: int, length: int) -> Range:
    if size == 0:
        return UNSATISFIABLE
    if length == 0:  # satisfiable, yet no Content-Range can say it: send the empty whole
        return None
    return max(length - size, 0), length - 1


def if_range_holds(value: bytes, stored: Stored) -> bool:
    """Say whether an If-Range value names exactly the stored response (RFC 9110 §13.1.5).

    Only strong validators do; a date is one when the response was made at least a second later.
    """
    if value.endswith(b'"'):
        return not value.startswith(b"W/") and value == stored.etag
    if value != stored.last_modified:
        return False
    modified_wall = parse_date(value, stored.date_wall)
    return modified_wall is not None and stored.date_wall - modified_wall >= 1.0


def parts(value: bytes, length: int) -> Parts:
    """Return the parts that a Range value asks for, those that overlap or touch each other joined.

    They come in the order in which they were asked for, unless some were joined. None says to send
    the whole: another unit, junk, or more than RANGES_MAX of them (RFC 9110 §14.2).
    """
    unit, _, rest = value.partition(b"=")
    members = list_members(rest)
    if not 0 < len(members) <= RANGES_MAX:
        return None
    spans = [single_range(unit + b"=" + member, length) for member in members]
    if None in spans:
        return None
    kept = [span for span in spans if isinstance(span, tuple)]
    return _joined(kept) if kept else UNSATISFIABLE


def _joined(spans: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    joined: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return tuple(spans if len(joined) == len(spans) else joined)


def requested_parts(request: RequestHead, stored: Stored, length: int) -> Parts:
    """Return the parts of a stored 200 that a GET asks for; None for the whole (RFC 9110 §14.2).

    Preconditions come first: call this only when `validation.evaluate` says FULL.
    """
    value = request.get(b"range")
    if value is None or request.method != b"GET" or stored.status != 200:
        return None
    condition = request.get(b"if-range")
    if condition is not None and not if_range_holds(condition, stored):
        return None
    return parts(value, length)


def seek_offset(request: RequestHead) -> int | None:
    """Return a byte that a request for a part needs first, its length not being known.

    None when the whole is wanted, or might as well be: `bytes=0-` asks for all there is. The end of
    what nobody knows the length of is found from its beginning, byte 0.
    """
    unit, _, rest = (request.get(b"range") or b"").partition(b"=")
    members = list_members(rest)
    if unit.strip(b" \t").lower() != b"bytes" or request.method != b"GET" or not members:
        return None
    match = _RANGE.fullmatch(members[0])
    if match is None or not (match["first"] or match["last"]):
        return None
    first, last = _number(match["first"]), _number(match["last"])
    if first == 0 and last is None:
        return None
    return first or 0


def part_fields(fields: Fields) -> Fields:
    """Return the fields of a 206 cut from a stored 200; what that said of ranges meant nothing."""
    return tuple(line for line in fields if line[0] != b"content-range")
