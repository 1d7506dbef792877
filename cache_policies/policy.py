"""What an operator may bend in RFC 9111; the defaults are a plain, correct shared cache."""

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True, kw_only=True)
class CachePolicy:
    """The knobs of storing and reuse, for one kind of request or response.

    Built when a policy is compiled, then never changed, and shared by all that it applies to: a
    policy with the same knobs is the same object. `None` leaves a matter to the response.
    """

    epoch: int = 0  # of the set of rules that it comes from; 0 is no rules
    # whether
    bypass: bool = False  # answered by the origin; nothing stored is looked at, nothing is stored
    store: bool = True  # False: responses are passed on, not stored
    unsynced: bool = False  # of what is not immutable, nothing is reused without validation
    refuse_set_cookie: bool = False  # a response that sets a cookie is passed on, not stored
    request_directives: bool = True  # honour Cache-Control of requests
    ignored_directives: frozenset[bytes] = frozenset()  # of the response's, as if never sent
    stripped_request: frozenset[bytes] = frozenset()  # fields neither judged nor forwarded
    stripped_response: frozenset[bytes] = frozenset()  # fields that players do not get
    signed: bool = False  # a player needs a token for it
    # how long fresh
    ttl_s: float | None = None  # instead of what the response says; it must be storable anyway
    ttl_default_s: float | None = None  # where it says nothing, before any heuristic
    ttl_min_s: float = 0.0  # a lifetime below it, stated or guessed, becomes it
    ttl_max_s: float = inf  # a lifetime above it becomes it; wins over the minimum
    heuristic_fraction: float = 0.1  # share of (Date - Last-Modified); 0 turns heuristics off
    heuristic_max_s: float = 86_400.0
    # how long stale: never against must-revalidate, unless that is ignored
    stale_while_revalidate_s: float | None = None  # instead of what the response says
    stale_while_revalidate_default_s: float = 0.0  # where it says nothing
    stale_if_error_s: float | None = None
    stale_if_error_default_s: float = 0.0
    request_max_stale_s: float = inf  # how far a request's max-stale is honoured
    # what it is called
    vary_added: frozenset[bytes] = frozenset()  # field names, as if the response's Vary had them
    vary_ignored: frozenset[bytes] = frozenset()  # as if it had not
    tags: tuple[bytes, ...] = ()  # purge tags beside those of Surrogate-Key
    tags_max: int = 256  # purge tags of one response; further ones are not read
    # where it is kept and comes from
    memory: bool = True  # may be kept in memory
    disk: bool = True  # may be kept on disk
    disk_after: int = 2  # requests for it until it is written to disk
    prewarm: bool = True  # may be fetched before anybody asks, by an edge that does so
    slices: bool = True  # a part may be fetched and kept by itself, in slices
    origin: str = ""  # the group of origins to ask; "" is the node's own
    priority: str = ""  # one of `limits.PRIORITIES`; "" is what its method is worth
