"""An independent RFC 9111 cache agrees on storing and lifetimes, or the RFC says why not."""

from collections.abc import Callable
from uuid import UUID

from hishel import (
    CacheMiss,
    CacheOptions,
    Entry,
    Headers,
    NeedRevalidation,
    NeedToBeUpdated,
    Request,
    Response,
    StoreAndUse,
)
from hishel._core._spec import exclude_unstorable_headers, get_freshness_lifetime
from hypothesis import given, settings
from hypothesis import strategies as st

from cache_policies.directives import request_directives
from cache_policies.lifetime import lifetime_s
from cache_policies.message import RequestHead, ResponseHead
from cache_policies.stored import stored_response
from cache_policies.storing import UNDERSTOOD, NoStore, judge_storing
from cache_policies.targeted import response_directives
from cache_policies.validation import freshen
from cache_policies.vary import vary_names
from cache_policies.why import Why
from tests.support.responses import NOW_WALL, POLICY, TIMES, http_date

DIRECTIVES = st.sampled_from(
    [
        *("max-age=60", "max-age=0", "max-age=x", "max-age=9999999999", "s-maxage=30"),
        *("s-maxage=-1", "no-store", "no-cache", "private", 'private="set-cookie"', "public"),
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

GET = RequestHead(b"GET", b"http", b"h", b"/")
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


FIELDS = st.lists(
    st.sampled_from(
        [
            ("x", "1"),
            ("set-cookie", "a=1"),
            ("connection", "x"),
            ("te", "trailers"),
            ("proxy-authenticate", "Basic"),
            ("cache-control", 'max-age=9, private="X"'),
            ("cache-control", 'max-age=9, no-cache="set-cookie, x"'),
            ("cache-control", 'max-age=9, no-cache="x"'),
        ]
    ),
    unique_by=lambda field: field[0],
)


@given(FIELDS)
def test_stored_fields(fields):
    """9111 §3.1: what Connection names is not stored; of that alone they know nothing."""
    head = ResponseHead(200, tuple((name.encode(), value.encode()) for name, value in fields))
    ours = {name for name, _ in stored_response(GET, head, TIMES, POLICY).fields}
    theirs = {name.encode() for name in exclude_unstorable_headers(of_hishel(head), True).headers}
    listed = {b"x"} if ("connection", "x") in fields else set()
    assert ours == theirs - listed


VALIDATORS = st.fixed_dictionaries(
    {
        "etag": st.sampled_from([None, '"a"', 'W/"a"', '"b"', 'W/"b"']),
        "last-modified": st.sampled_from([None, http_date(-60), http_date(-30)]),
    }
).map(lambda told: {name: value for name, value in told.items() if value is not None})


Told = dict[str, str]
WE_UPDATE: dict[str, Callable[[Told, Told], bool]] = {
    "9111 §4.3.4: a weak tag that corresponds to what is stored decides, not the date": (
        lambda stored, told: opaque(told) == opaque(stored) != ""
    ),
}
THEY_UPDATE: dict[str, Callable[[Told, Told], bool]] = {
    "9111 §4.3.4: a weak tag that corresponds to nothing stored updates nothing": (
        lambda stored, told: (
            told.get("etag", "").startswith("W/") and opaque(told) != opaque(stored)
        )
    ),
}


def opaque(told: Told) -> str:
    return told.get("etag", "").removeprefix("W/")


@given(VALIDATORS, VALIDATORS)
def test_freshening(stored, told):
    """Which stored response a 304 updates."""
    kept = ResponseHead(
        200, tuple((name.encode(), value.encode()) for name, value in stored.items())
    )
    news = ResponseHead(304, tuple((name.encode(), value.encode()) for name, value in told.items()))
    entry = Entry(
        id=UUID(int=1),
        request=Request("GET", "http://h/"),
        response=of_hishel(kept),
    )
    asked = Request("GET", "http://h/")
    state = NeedRevalidation(
        request=asked,
        original_request=asked,
        revalidating_entries=[entry],
        options=CacheOptions(shared=True),
    )
    ours = freshen(stored_response(GET, kept, TIMES, POLICY), news, TIMES, POLICY) is not None
    theirs = isinstance(state.next(of_hishel(news)), NeedToBeUpdated)
    if ours != theirs:
        known = THEY_UPDATE if theirs else WE_UPDATE
        assert any(explains(stored, told) for explains in known.values())
