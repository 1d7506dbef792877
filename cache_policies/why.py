"""The named reasons of every decision: seen verbatim in Cache-Status details and metrics."""

from enum import Enum, unique


@unique
class Why(Enum):
    """Why a response is not stored, or a stored one not reused; the value is the public name."""

    # not stored (RFC 9111 §3)
    POLICY = "policy"  # rules say to pass it on
    METHOD = "method"  # only responses to GET, and to POST where they name themselves, are stored
    REQUEST_NO_STORE = "request-no-store"
    NO_STORE = "no-store"
    PRIVATE = "private"
    AUTHORIZATION = "authorization"  # without public, s-maxage or must-revalidate (§3.5)
    STATUS = "status"  # not final, or not understood where that matters
    PARTIAL = "partial"  # 206
    SET_COOKIE = "set-cookie"  # refused by policy
    VARY_ANY = "vary-any"  # Vary: * matches no later request
    NO_FRESHNESS = "no-freshness"  # neither lifetime nor validator: nothing could be reused
    # nothing stored that a request selects
    COMPULSORY = "compulsory"  # never stored, as far as is known
    CAPACITY = "capacity"  # evicted
    PURGED = "purged"  # or invalidated
    VARY = "vary"  # stored for other values of the selecting fields only
    UNCACHEABLE = "uncacheable"  # what was answered last could not be stored
    SLICE = "slice"  # a part is stored, other slices of it are needed
    PRECONDITION = "precondition"  # If-Match and If-Unmodified-Since are the origin's (§4.3.2)
    # how a stored response stands (RFC 9111 §4)
    FRESH = "fresh"
    TTL = "ttl"  # stale
    NO_CACHE = "no-cache"
    STALE_WHILE_REVALIDATE = "stale-while-revalidate"
    STALE_IF_ERROR = "stale-if-error"
    REQUEST_NO_CACHE = "request-no-cache"
    REQUEST_MAX_AGE = "request-max-age"
    REQUEST_MIN_FRESH = "request-min-fresh"
    REQUEST_MAX_STALE = "request-max-stale"


@unique
class Reuse(Enum):
    """How a stored response may answer a request now."""

    FRESH = "fresh"
    STALE_WHILE_REVALIDATE = "stale-while-revalidate"  # serve, and revalidate beside it
    STALE_ALLOWED = "stale-allowed"  # serve: the request's max-stale accepts it
    EXPIRED = "expired"  # validate before it is served
