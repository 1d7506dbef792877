"""A stored response's head: the facts that every later decision about it reads."""

from dataclasses import dataclass

from cache_policies.message import Fields


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
    fields: Fields  # end-to-end fields as received
    date_wall: float  # Date, or the arrival where there is none
    age_s: float  # Age as received
    response_wall: float
    response_mono: float
    response_delay_s: float
    lifetime_s: float
    no_cache: bool = False  # never reused without validation
    must_revalidate: bool = False  # never served stale (proxy-revalidate and s-maxage included)
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
