"""An independent RFC 9111 cache agrees on storing and lifetimes, or the RFC says why not."""

from collections.abc import Callable

from hishel import CacheMiss, CacheOptions, Headers, Request, Response, StoreAndUse
from hishel._core._spec import get_freshness_lifetime
from hypothesis import given, settings
from hypothesis import strategies as st

from cache_policies.directives import request_directives
from cache_policies.lifetime import lifetime_s
from cache_policies.message import RequestHead, ResponseHead
from cache_policies.storing import UNDERSTOOD, NoStore, judge_storing
from cache_policies.targeted import response_directives
from cache_policies.vary import vary_names
from cache_policies.why import Why
from tests.support.responses import NOW_WALL, POLICY, TIMES, http_date

DIRECTIVES = st.sampled_from(
    [
        *("max-age=60", "max-age=0", "max-age=x", "max-age=9999999999", "s-maxage=30"),
        *("s-maxage=-1", "no-store", "no-cache", "private", "private=set-cookie", "public"),
        *("must-revalidate", "proxy-revalidate", "must-understand", "x=1"),
        *("stale-while-revalidate=5", "stale-if-error=5"),
    ]
)
LINES = st.lists(DIRECTIVES, max_size=4, unique_by=lambda word: word.partition("=")[0]).map(
    ", ".join
)
RESPONSES = st.builds(
    lambda status, lines: ResponseHead(
        status,
        (
            (b"date", http_date(0).encode()),
            *((name, value.encode()) for name, value in lines.items() if value is not None),
        ),
    ),
    st.sampled_from([200, 203, 206, 299, 302, 304, 404, 500]),
    st.fixed_dictionaries(
        {
            b"cache-control": LINES | st.none(),
            b"expires": st.none() | st.sampled_from([http_date(50), http_date(-50), "0"]),
            b"etag": st.none() | st.just('"a"'),
            b"vary": st.sampled_from([None, "accept", "*"]),
        }
    ),
)
REQUESTS = st.builds(
    lambda fields: RequestHead(b"GET", b"http", b"h", b"/", tuple(fields)),
    st.lists(
        st.sampled_from([(b"authorization", b"x"), (b"cache-control", b"no-store")]), unique=True
    ),
)

Difference = Callable[[RequestHead, ResponseHead, Why | None], bool]


def malformed(response: ResponseHead) -> bool:
    """Whether a lifetime is named but not given: stale here, as if absent there."""
    words = (response.get(b"cache-control") or b"").split(b", ")
    return b"max-age=x" in words or b"s-maxage=-1" in words


WE_STORE: dict[str, Difference] = {
    "9111 §5.2.2.3: no-store does not count beside a must-understand that is understood": (
        lambda _, response, __: (
            b"must-understand" in response_directives(response) and response.status in UNDERSTOOD
        )
    ),
    "9111 §4.2.1: a malformed lifetime is a stale one, so the response may be validated": (
        lambda _, response, __: malformed(response)
    ),
}
THEY_STORE: dict[str, Difference] = {
    "9111 §5.2.1.5: a request's no-store forbids": (
        lambda request, _, why: (
            why is Why.REQUEST_NO_STORE and b"no-store" in request_directives(request)
        )
    ),
    "9111 §3: must-understand forbids statuses that are not understood": (
        lambda _, response, why: why is Why.STATUS and response.status not in UNDERSTOOD
    ),
    "9111 §5.2.2.7: to store all but the private fields is optional": (
        lambda _, response, why: (
            why is Why.PRIVATE and b"private=" in (response.get(b"cache-control") or b"")
        )
    ),
    "9111 §4.1: Vary: * is never reused, so storing it is of no use": (
        lambda _, response, why: why is Why.VARY_ANY and vary_names(response.fields) == (b"*",)
    ),
    "9111 §3 permits, but what is stale and has no validator is of no use": (
        lambda _, response, why: (
            why in (Why.NO_FRESHNESS, Why.NO_CACHE) and response.get(b"etag") is None
        )
    ),
}


def of_hishel(head: ResponseHead) -> Response:
    return Response(
        head.status, Headers({name.decode(): value.decode() for name, value in head.fields})
    )


@settings(max_examples=2000)
@given(REQUESTS, RESPONSES)
def test_storing(request, response):
    ours = judge_storing(request, response, TIMES, POLICY)
    why = ours.why if isinstance(ours, NoStore) else None
    asked = Request(
        "GET",
        "http://h/",
        Headers({name.decode(): value.decode() for name, value in request.fields}),
    )
    there = CacheMiss(options=CacheOptions(shared=True), request=asked).next(of_hishel(response))
    they_store = isinstance(there, StoreAndUse)
    if (why is None) != they_store:
        known = THEY_STORE if they_store else WE_STORE
        assert any(explains(request, response, why) for explains in known.values()), why


@settings(max_examples=1000)
@given(RESPONSES, st.integers(0, 100))
def test_freshness(response, age_s):
    ours_s = lifetime_s(response, response_directives(response), NOW_WALL, POLICY)
    theirs_s = get_freshness_lifetime(of_hishel(response), is_cache_shared=True)
    fresh_there = theirs_s is not None and age_s < theirs_s
    if (age_s < ours_s) != fresh_there:
        assert malformed(response), "9111 §4.2.1: only a malformed lifetime is read otherwise"
        assert fresh_there, "and then it is stale here"
