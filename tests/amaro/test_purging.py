"""What is said of a purge when an origin does not: nothing that is not known."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from amaro.purging import Outcome, PurgeError, UnansweredError, Wish, _at_listeners

WISH = Wish(kind="tag", values=("a",))
EDGE = {"sequence": 1, "workers": 2, "took_ms": 0.1}


def asked(*urls: str, origin: Exception | int, then: Exception | None = None) -> Outcome:
    """Ask listeners, of which those called origin do so much when it comes to an order."""

    faults = [origin, then or origin]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host != "origin":
            return httpx.Response(404 if request.method == "GET" else 200, json=EDGE)
        if request.method == "GET":
            return httpx.Response(200, json={"log": "l"})
        fault = faults.pop(0)
        if isinstance(fault, Exception):
            raise fault
        return httpx.Response(fault, json={"error": "why"})

    async def ask() -> Outcome:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            return await _at_listeners(http, urls, WISH)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (httpx.ConnectError("refused"), PurgeError),
        (httpx.ConnectTimeout(""), PurgeError),
        (503, PurgeError),
        (httpx.ReadTimeout(""), UnansweredError),
        (httpx.ReadError("reset"), UnansweredError),
        (httpx.RemoteProtocolError("cut"), UnansweredError),
    ],
    ids=repr,
)
def test_what_is_known_when_an_origin_gives_no_receipt(
    fault: Exception | int, error: type[PurgeError]
) -> None:
    with pytest.raises(PurgeError) as raised:
        asked("http://origin", origin=fault)
    assert type(raised.value) is error
    assert ("nothing was purged" in raised.value.said) is (error is PurgeError)


def test_an_order_that_was_sent_once_may_be_logged() -> None:
    with pytest.raises(UnansweredError):
        asked("http://origin", origin=httpx.ReadError("cut"), then=httpx.ConnectError("refused"))


def test_an_origin_that_fails_hides_no_edge_that_has_purged() -> None:
    outcome = asked("http://origin", "http://edge", origin=503)
    assert [row.acknowledged for row in outcome.edges] == [False, True]
    assert outcome.edges[0].error == "nothing was purged: http://origin: why"
