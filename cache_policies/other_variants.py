"""Other variants of what is asked for: a miss names them to the origin, a 304 may choose one."""

from collections.abc import Iterable, Sequence

from cache_policies.message import Fields, RequestHead, ResponseHead, field_value, list_members
from cache_policies.partial import strong_etag
from cache_policies.stored import Stored
from cache_policies.vary import accepted_encodings

TAGS_MAX = 8  # sent with one request
TAG_BYTES_MAX = 256  # of one of them

_WHO_ASKS = frozenset({b"authorization", b"cookie", b"origin"})
_FOR_WHO_ASKED = (b"access-control-", b"set-cookie")


def may_answer(stored: Stored, request: RequestHead) -> bool:
    """Say whether a 304 could make this the answer to a request that does not select it.

    A strong tag must name its bytes, and they be in a coding that the request takes: some servers
    give one tag to all codings. What the origin has for one user or site alone goes to no other,
    even where its 304 does not say its fields anew.
    """
    etag = strong_etag(ResponseHead(stored.status, stored.fields))
    return (
        stored.status == 200
        and etag is not None
        and len(etag) <= TAG_BYTES_MAX
        and _WHO_ASKS.isdisjoint(stored.vary)
        and not any(name.startswith(_FOR_WHO_ASKED) for name, _ in stored.fields)
        and _takes_coding(request, stored.fields)
    )


def _takes_coding(request: RequestHead, fields: Fields) -> bool:
    codings = set(list_members((field_value(fields, b"content-encoding") or b"").lower()))
    return codings <= {b"identity"} | accepted_encodings(request.get(b"accept-encoding") or b"")


def tag_fields(others: Iterable[Stored]) -> Fields:
    """Return what asks the origin whether one of them answers as well (RFC 9111 §4.3.1)."""
    tags = dict.fromkeys(stored.etag for stored in others if stored.etag is not None)
    return ((b"if-none-match", b", ".join(tags)),) if tags else ()


def chosen(others: Sequence[Stored], not_modified: ResponseHead) -> int | None:
    """Return which of them a 304 names by its strong tag, None for none (RFC 9111 §4.3.4)."""
    etag = strong_etag(not_modified)
    named = [number for number, stored in enumerate(others) if stored.etag == etag]
    return named[0] if etag is not None and named else None
