"""Conditional and range requests on one selected representation (RFC 9110 §13, §14)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from cache_policies.message import RequestHead
from cache_policies.ranges import Unsatisfiable, single_range


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """The bytes to send: `first` to `last`, both included; `is_partial` makes it a 206."""

    first: int
    last: int
    is_partial: bool


def http_date(wall: float) -> str:
    """Return an instant as an HTTP date; fractions of the second are dropped."""
    return format_datetime(datetime.fromtimestamp(int(wall), UTC), usegmt=True)


def chosen_slice(
    request: RequestHead, etag: bytes, last_modified: bytes, length: int
) -> Slice | None:
    """Return the bytes that Range and If-Range ask for, None when the range is unsatisfiable."""
    everything = Slice(first=0, last=length - 1, is_partial=False)
    wanted = request.get(b"range")
    # Range is defined for GET only; elsewhere it is ignored (RFC 9110 §14.2).
    if wanted is None or request.method != b"GET":
        return everything
    condition = request.get(b"if-range")
    if condition is not None and condition not in {etag, last_modified}:
        return everything
    chosen = single_range(wanted, length)
    if chosen is None:
        return everything
    if isinstance(chosen, Unsatisfiable):
        return None
    return Slice(first=chosen[0], last=chosen[1], is_partial=True)
