"""A stored response's head: the facts that every later decision about it reads."""

from dataclasses import dataclass

from cache_policies.dates import parse_date
from cache_policies.directives import Directives, parse_delta
from cache_policies.lifetime import lifetime_s
from cache_policies.message import Fields, RequestHead, ResponseHead, end_to_end, without
from cache_policies.policy import CachePolicy
from cache_policies.targeted import response_directives
from cache_policies.vary import governed_vary, variant_key

NEVER_STALE = (b"must-revalidate", b"proxy-revalidate", b"s-maxage")  # RFC 9111 §4.2.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """When a response head arrived, on both clocks, and how long after the request was sent."""

    response_wall: float
    response_mono: float
    response_delay_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One stored response without its body; safe to share, since nothing in it changes."""

    status: int
    fields: Fields  # end-to-end fields as received, without those that are withheld
    date_wall: float  # Date, or the arrival where there is none
    age_s: float  # Age as received
    response_wall: float
    response_mono: float
    response_delay_s: float
    lifetime_s: float
    no_cache: bool = False  # never reused without validation
    must_revalidate: bool = False  # never served stale (proxy-revalidate and s-maxage included)
    immutable: bool = False  # while fresh, validating it would be of no use
    swr_s: float = 0.0  # stale-while-revalidate window after the lifetime
    sie_s: float = 0.0  # stale-if-error window after the lifetime
    etag: bytes | None = None
    last_modified: bytes | None = None
    vary: tuple[bytes, ...] = ()  # lower-cased, sorted, without duplicates
    variant: bytes = b""  # vary.variant_key of the request that this response answered
    length: int | None = None  # Content-Length
    tags: tuple[bytes, ...] = ()  # of Surrogate-Key
    purge_sequence: int = 0  # the purge log's end when the fill began
    policy_epoch: int = 0
    stripped: frozenset[bytes] = frozenset()  # names of fields that players do not get
    signed: bool = False  # no player gets it without a token

    @property
    def head(self) -> ResponseHead:
        """What policies are chosen by."""
        return ResponseHead(self.status, self.fields)


def stored_response(
    request: RequestHead,
    response: ResponseHead,
    times: Times,
    policy: CachePolicy,
    *,
    purge_sequence: int = 0,
) -> Stored:
    """Return the stored form of a response; whether it may be stored is judge_storing's matter."""
    directives = response_directives(response, policy.ignored_directives)
    date_wall = parse_date(response.get(b"date"), times.response_wall)
    if date_wall is None:
        date_wall = times.response_wall
    vary = governed_vary(response.fields, policy)
    unsure = policy.unsynced and b"immutable" not in directives
    return Stored(
        status=response.status,
        fields=without(end_to_end(response.fields), withheld(directives)),
        date_wall=date_wall,
        age_s=float(received_age_s(response)),
        response_wall=times.response_wall,
        response_mono=times.response_mono,
        response_delay_s=times.response_delay_s,
        lifetime_s=lifetime_s(response, directives, date_wall, policy),
        no_cache=unsure or directives.wholly(b"no-cache"),
        must_revalidate=unsure or any(name in directives for name in NEVER_STALE),
        immutable=b"immutable" in directives,
        swr_s=stale_while_revalidate_s(directives, policy),
        sie_s=stale_if_error_s(directives, policy),
        etag=response.get(b"etag"),
        last_modified=response.get(b"last-modified"),
        vary=vary,
        variant=variant_key(vary, request.fields),
        length=parse_length(response),
        tags=purge_tags(response, policy),
        purge_sequence=purge_sequence,
        policy_epoch=policy.epoch,
        stripped=policy.stripped_response,
        signed=policy.signed,
    )


def withheld(directives: Directives) -> frozenset[bytes]:
    """Return the fields that are not stored: private's list, and no-cache's (RFC 9111 §5.2.2).

    Those of no-cache might be stored; without them the rest needs no validation.
    """
    return directives.fields(b"private") | directives.fields(b"no-cache")


def stale_while_revalidate_s(directives: Directives, policy: CachePolicy) -> float:
    """Return for how long after its lifetime it is served while it is validated (RFC 5861 §3)."""
    if policy.stale_while_revalidate_s is not None:
        return policy.stale_while_revalidate_s
    said_s = directives.seconds(b"stale-while-revalidate")
    return policy.stale_while_revalidate_default_s if said_s is None else float(said_s)


def stale_if_error_s(directives: Directives, policy: CachePolicy) -> float:
    """Return for how long after its lifetime it is served in place of an error (RFC 5861 §4)."""
    if policy.stale_if_error_s is not None:
        return policy.stale_if_error_s
    said_s = directives.seconds(b"stale-if-error")
    return policy.stale_if_error_default_s if said_s is None else float(said_s)


def purge_tags(response: ResponseHead, policy: CachePolicy) -> tuple[bytes, ...]:
    """Return the tags that purge it: policy's own, then those of Surrogate-Key up to the limit."""
    named = b" ".join(response.all(b"surrogate-key")).split()[: policy.tags_max]
    return tuple(dict.fromkeys((*policy.tags, *named))) if policy.tags else tuple(named)


def received_age_s(response: ResponseHead) -> int:
    """Return the Age field in seconds, its first member if several, 0 if junk (RFC 9111 §5.1)."""
    value = response.get(b"age")
    return 0 if value is None else parse_delta(value.partition(b",")[0].strip(b" \t")) or 0


def parse_length(response: ResponseHead) -> int | None:
    """Return Content-Length; None when absent, malformed or contradicting itself."""
    values = set(response.all(b"content-length"))
    if len(values) != 1:
        return None
    value = values.pop()
    return int(value) if value.isdigit() and len(value) <= 19 else None
