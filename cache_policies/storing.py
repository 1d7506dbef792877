"""Whether a response may be stored (RFC 9111 §3), and if not, why."""

from dataclasses import dataclass

from cache_policies.directives import Directives, request_directives
from cache_policies.freshness import initial_age_s
from cache_policies.invalidation import names_target
from cache_policies.lifetime import HEURISTICALLY_CACHEABLE, explicit_lifetime_s
from cache_policies.message import RequestHead, ResponseHead
from cache_policies.policy import CachePolicy
from cache_policies.stored import Stored, Times, stored_response
from cache_policies.targeted import response_directives
from cache_policies.vary import ANY, governed_vary
from cache_policies.why import Why

UNDERSTOOD = frozenset(
    {200, 201, 202, 203, 204, 205, *range(300, 304), 305, 307, 308}
    | {*range(400, 418), 421, 422, 426, *range(500, 506)}
)
"""Status codes whose caching rules are implemented: RFC 9110 §15 without 206 and 304."""

SHARES_AUTHORIZED = (b"must-revalidate", b"public", b"s-maxage")  # RFC 9111 §3.5


@dataclass(frozen=True, slots=True)
class Store:
    """The response may be stored, as `stored`."""

    stored: Stored

    @property
    def collapsible(self) -> bool:
        """Whether it may also answer requests that came while it was fetched (RFC 9111 §4)."""
        stored = self.stored
        return not stored.no_cache and initial_age_s(stored) < stored.lifetime_s


@dataclass(frozen=True, slots=True)
class NoStore:
    """The response may not be stored."""

    why: Why


def judge_storing(
    request: RequestHead,
    response: ResponseHead,
    times: Times,
    policy: CachePolicy,
    *,
    purge_sequence: int = 0,
) -> Store | NoStore:
    """Decide whether a shared cache stores this response; `Store` brings it in its stored form."""
    directives = response_directives(response, policy.ignored_directives)
    why = (
        _unstorable(request, response)
        or _forbidden_by_request(request, directives, policy)
        or _forbidden_by_response(response, directives, policy)
        or _forbidden_by_policy(response, policy)
    )
    if why is not None:
        return NoStore(why)
    stored = stored_response(request, response, times, policy, purge_sequence=purge_sequence)
    why = _useless(stored, request, response, directives, policy)
    return Store(stored) if why is None else NoStore(why)


def _unstorable(request: RequestHead, response: ResponseHead) -> Why | None:
    """Return what keeps any cache from storing it: its method, or its status (RFC 9111 §3)."""
    if request.method != b"GET" and not names_its_target(request, response):
        return Why.METHOD
    if response.status == 206:  # elsewhere Content-Range means nothing (RFC 9110 §14.4)
        return Why.PARTIAL
    return Why.STATUS if response.status < 200 or response.status == 304 else None


def names_its_target(request: RequestHead, response: ResponseHead) -> bool:
    """Say whether it answers a POST and says that a GET would be answered alike.

    Its Content-Location is the target of the request then (RFC 9110 §9.3.3).
    """
    if request.method != b"POST":
        return False
    locations = response.all(b"content-location")
    return len(locations) == 1 and names_target(request, locations[0])


def _forbidden_by_request(
    request: RequestHead, directives: Directives, policy: CachePolicy
) -> Why | None:
    """Return what in the request forbids to store the answer (RFC 9111 §3.5, §5.2.1.5)."""
    if policy.request_directives and b"no-store" in request_directives(request):
        return Why.REQUEST_NO_STORE
    shares = any(name in directives for name in SHARES_AUTHORIZED)
    return Why.AUTHORIZATION if is_authorized(request) and not shares else None


def is_for_others(request: RequestHead, response: ResponseHead, policy: CachePolicy) -> bool:
    """Say whether what was sent to `request` may serve other requests, as far as that goes."""
    directives = response_directives(response, policy.ignored_directives)
    return _forbidden_by_request(request, directives, policy) is None


def is_authorized(request: RequestHead) -> bool:
    """Say whether the request has credentials: its answer may be its user's alone."""
    return request.get(b"authorization") is not None


def _forbidden_by_response(
    response: ResponseHead, directives: Directives, policy: CachePolicy
) -> Why | None:
    """Return what in the response forbids to store it (RFC 9111 §3, §4.1)."""
    if b"must-understand" in directives:  # wins over no-store (RFC 9111 §5.2.2.3)
        if response.status not in UNDERSTOOD:
            return Why.STATUS
    elif b"no-store" in directives:
        return Why.NO_STORE
    if directives.wholly(b"private"):
        return Why.PRIVATE
    return Why.VARY_ANY if ANY in governed_vary(response.fields, policy) else None


def _forbidden_by_policy(response: ResponseHead, policy: CachePolicy) -> Why | None:
    """Return what an operator forbids."""
    if policy.bypass or not policy.store:
        return Why.POLICY
    if not policy.refuse_set_cookie or b"set-cookie" in policy.stripped_response:
        return None
    return Why.SET_COOKIE if response.get(b"set-cookie") is not None else None


def _useless(
    stored: Stored,
    request: RequestHead,
    response: ResponseHead,
    directives: Directives,
    policy: CachePolicy,
) -> Why | None:
    """Return why a storable response could never be reused, or validated; None when it could."""
    explicit = (
        policy.ttl_s is not None
        or explicit_lifetime_s(response, directives, stored.date_wall) is not None
    )
    if request.method == b"POST" and not explicit:  # RFC 9110 §9.3.3
        return Why.NO_FRESHNESS
    stated = explicit or b"public" in directives
    if not stated and stored.status not in HEURISTICALLY_CACHEABLE:
        return Why.NO_FRESHNESS
    if stored.etag is not None or stored.last_modified is not None:
        return None
    if stored.no_cache:
        return Why.NO_CACHE
    stale_s = 0.0 if stored.must_revalidate else max(stored.swr_s, stored.sie_s)
    return None if initial_age_s(stored) < stored.lifetime_s + stale_s else Why.NO_FRESHNESS
