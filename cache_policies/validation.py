"""Validation: asking the origin whether a response still holds, and answering such questions."""

import re
from dataclasses import replace
from enum import Enum, unique

from cache_policies.dates import parse_date
from cache_policies.message import Fields, RequestHead, ResponseHead, end_to_end
from cache_policies.policy import CachePolicy
from cache_policies.stored import Stored, Times, parse_length, stored_response
from cache_policies.targeted import response_directives
from cache_policies.vary import governed_vary

CONDITIONS = frozenset(
    {b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since", b"if-range"}
)
"""A client's own conditions; a fill or a revalidation leaves them out."""

NOT_UPDATED = frozenset(
    {
        b"content-digest",
        b"content-encoding",
        b"content-length",
        b"content-md5",
        b"content-range",
        b"etag",
    }
)
"""Fields that are about the stored bytes: an update leaves them alone (RFC 9111 §3.2)."""

_REPRESENTATION = frozenset(
    {b"content-encoding", b"content-language", b"content-length", b"content-range", b"content-type"}
)
_ENTITY_TAG = re.compile(rb'(?:W/)?"[^"\x00-\x20\x7f]*"')


@unique
class Evaluation(Enum):
    """What a request's preconditions make of the answer."""

    FULL = "full"
    NOT_MODIFIED = "not-modified"
    PRECONDITION_FAILED = "precondition-failed"


def conditional_fields(stored: Stored) -> Fields:
    """Return the fields that turn a fill into a validation; () when there is no validator."""
    conditions = ((b"if-none-match", stored.etag), (b"if-modified-since", stored.last_modified))
    return tuple((name, value) for name, value in conditions if value is not None)


def freshen(
    stored: Stored,
    not_modified: ResponseHead,
    times: Times,
    policy: CachePolicy,
    *,
    purge_sequence: int = 0,
) -> Stored | None:
    """Return the stored response as a 304 updates it (RFC 9111 §4.3.4).

    None when the 304 is about another response, or what it says forbids to keep this one: then
    the stored response is dropped and asked for again without conditions.
    """
    if not _selects(stored, not_modified):
        return None
    return _updated(stored, not_modified, times, policy, purge_sequence)


def freshen_by_head(
    stored: Stored,
    head: ResponseHead,
    times: Times,
    policy: CachePolicy,
    *,
    purge_sequence: int = 0,
) -> Stored | None:
    """Return the stored response as an answer to HEAD updates it; its `length` must be known.

    None when that tells of another one: then it is stale from now on (RFC 9111 §4.3.5).
    """
    etag, modified = head.get(b"etag"), head.get(b"last-modified")
    same = (
        head.status == stored.status == 200
        and (etag is None or etag == stored.etag)
        and (modified is None or modified == stored.last_modified)
        and (not head.all(b"content-length") or parse_length(head) == stored.length)
    )
    return _updated(stored, head, times, policy, purge_sequence) if same else None


def _updated(
    stored: Stored, news: ResponseHead, times: Times, policy: CachePolicy, purge_sequence: int
) -> Stored | None:
    """Return the stored response with the fields of `news`; None when they forbid to keep it."""
    directives = response_directives(news, policy.ignored_directives)
    if b"no-store" in directives or directives.wholly(b"private"):
        return None
    merged = ResponseHead(stored.status, _merge(stored.fields, news.fields))
    if governed_vary(merged.fields, policy) != stored.vary:
        return None
    selecting = RequestHead(b"GET", b"", b"", b"")
    fresh = stored_response(selecting, merged, times, policy, purge_sequence=purge_sequence)
    return replace(fresh, variant=stored.variant)


def _selects(stored: Stored, not_modified: ResponseHead) -> bool:
    """Say whether the validators of a 304 name this stored response; without any, it does."""
    etag = not_modified.get(b"etag")
    if etag is not None and stored.etag is not None:
        return etag.removeprefix(b"W/") == stored.etag.removeprefix(b"W/")
    modified = not_modified.get(b"last-modified")
    return etag is None and (modified is None or modified == stored.last_modified)


def _merge(old: Fields, new: Fields) -> Fields:
    """Return the old fields with each field that the update brings in its place (RFC 9111 §3.2).

    Date and Age describe the arrival and so always give way.
    """
    update = tuple(line for line in end_to_end(new) if line[0] not in NOT_UPDATED)
    gone = {name for name, _ in update} | {b"age", b"date"}
    return tuple(line for line in old if line[0] not in gone) + update


def not_modified_fields(fields: Fields) -> Fields:
    """Return the fields of a 304: all but those that describe the body (RFC 9110 §15.4.5)."""
    return tuple(line for line in fields if line[0] not in _REPRESENTATION)


def evaluate(request: RequestHead, stored: Stored) -> Evaluation:
    """Return how a stored response answers a conditional request (RFC 9111 §4.3.2).

    If-Match and If-Unmodified-Since are for the origin; a cache passes over them.
    """
    if request.method not in (b"GET", b"HEAD") or not 200 <= stored.status < 300:
        return Evaluation.FULL
    wanted = request.get(b"if-none-match")
    if wanted is not None:
        met = not _matches(wanted, stored.etag, weak=True)
    else:
        met = _modified_since(request, stored.last_modified, stored.date_wall)
    return Evaluation.FULL if met else Evaluation.NOT_MODIFIED


def evaluate_at_origin(
    request: RequestHead, etag: bytes | None, last_modified: bytes | None, now_wall: float
) -> Evaluation:
    """Return how a representation answers a conditional request, in RFC 9110 §13.2.2's order.

    `etag` and `last_modified` are its validators; pass None for both when there is none.
    """
    modified_wall = parse_date(last_modified, now_wall)
    exists = etag is not None or last_modified is not None
    wanted = request.get(b"if-match")
    if wanted is not None:
        if not _matches(wanted, etag, weak=False, exists=exists):
            return Evaluation.PRECONDITION_FAILED
    elif (since := parse_date(request.get(b"if-unmodified-since"), now_wall)) is not None and (
        modified_wall is None or modified_wall > since
    ):
        return Evaluation.PRECONDITION_FAILED
    safe = request.method in (b"GET", b"HEAD")
    unwanted = request.get(b"if-none-match")
    if unwanted is not None:
        if not _matches(unwanted, etag, weak=True, exists=exists):
            return Evaluation.FULL
        return Evaluation.NOT_MODIFIED if safe else Evaluation.PRECONDITION_FAILED
    if safe and modified_wall is not None and not _modified_since(request, last_modified, now_wall):
        return Evaluation.NOT_MODIFIED
    return Evaluation.FULL


def _matches(wanted: bytes, etag: bytes | None, *, weak: bool, exists: bool = True) -> bool:
    """Say whether an If-Match or If-None-Match value names `etag` (RFC 9110 §8.8.3.2)."""
    if wanted == b"*":
        return exists
    if etag is None:
        return False
    if not weak:
        return not etag.startswith(b"W/") and etag in _ENTITY_TAG.findall(wanted)
    opaque = etag.removeprefix(b"W/")
    return wanted == etag or opaque in {
        tag.removeprefix(b"W/") for tag in _ENTITY_TAG.findall(wanted)
    }


def _modified_since(request: RequestHead, last_modified: bytes | None, date_wall: float) -> bool:
    """Say whether If-Modified-Since asks for the body; `date_wall` stands in for Last-Modified."""
    since_wall = parse_date(request.get(b"if-modified-since"), date_wall)
    if since_wall is None:
        return True
    modified_wall = parse_date(last_modified, date_wall)
    return (date_wall if modified_wall is None else modified_wall) > since_wall
