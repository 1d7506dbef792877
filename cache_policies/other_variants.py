"""Other variants of what is asked for: a miss names them to the origin, a 304 may choose one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from cache_policies.message import Fields, RequestHead, ResponseHead, field_value, list_members
from cache_policies.partial import strong_etag
from cache_policies.policies import Policies
from cache_policies.stored import Stored, Times
from cache_policies.storing import NoStore, Store, judge_storing
from cache_policies.validation import freshen
from cache_policies.vary import accepted_encodings, variant_key
from cache_policies.why import Why

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


@dataclass(frozen=True, slots=True)
class Adopted:
    """The chosen variant as the answer to another request; `why` keeps it from all later ones."""

    stored: Stored
    why: Why | None

    @property
    def is_shared(self) -> bool:
        """Whether it also answers requests that came while the origin was asked."""
        return self.why is None and Store(self.stored).collapsible


def adopt(
    other: Stored,
    request: RequestHead,
    not_modified: ResponseHead,
    times: Times,
    policies: Policies,
) -> Adopted | None:
    """Return what a 304 to `request` makes of the variant it has chosen (RFC 9111 §4.3.4).

    That variant stays as it is: the fields of this 304 are for other selecting fields. None when
    they forbid to use it, or make other fields select.
    """
    policy = policies.for_response(request, ResponseHead(other.status, other.fields))
    fresh = freshen(other, not_modified, times, policy)
    if fresh is None:
        return None
    head = ResponseHead(fresh.status, fresh.fields)
    policy = policies.for_response(request, head)
    judged = judge_storing(request, head, times, policy)
    if isinstance(judged, NoStore):
        variant = variant_key(fresh.vary, request.fields)
        return Adopted(replace(fresh, variant=variant), judged.why)
    return Adopted(judged.stored, None) if judged.stored.vary == other.vary else None
