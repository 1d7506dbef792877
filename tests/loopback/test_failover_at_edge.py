"""An edge's admin listener that is another program's, or another release's, ends no member."""

import asyncio
import json

import httpx
import pytest

from failover.at_edge import Edge
from failover.decision import Decision
from failover.model import Dependency, Model, Vantage

OWN = Dependency(provider="own")
VANTAGE = Vantage(name="m1", region="north", url="http://m1", needs=OWN, edge_admin="http://edge")


@pytest.mark.parametrize(
    ("stands", "above"), [([57, 3], (57, 3)), ([1, 1], (1, 2)), ([1, 7], (1, 7))]
)
async def test_an_edge_that_has_a_later_order_says_what_it_would_take(stands, above):
    """Its order outlasts the member's disk, and the lease's store."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(409, json={"error": "another one stands", "version": stands})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        edge = Edge(Model(services=(), vantages=(VANTAGE,)), VANTAGE, client)
        edge.act_on(Decision(epoch=1, number=1, choices=()))
        task = asyncio.create_task(edge.run())
        async with asyncio.timeout(30):
            while edge.above == (0, 0):  # noqa: ASYNC110 it tells nobody
                await asyncio.sleep(0.01)
        assert edge.above == above
        task.cancel()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[]", 200),
        (b"[]", 409),
        (b"<html>", 200),
        (b"<html>", 500),
        (b'{"version": 7, "evidence": [{"service": "media"}]}', 200),
        (b'{"evidence": [{"service": "m", "told": "a", "on": [], "count": 1e999}]}', 200),
        (b"[" * 100_000, 200),
    ],
)
async def test_what_no_edge_says_is_told(body, status):
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, content=body)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        edge = Edge(Model(services=(), vantages=(VANTAGE,)), VANTAGE, client)
        edge.act_on(Decision(epoch=1, number=1, choices=()))
        began = edge.why_not
        task = asyncio.create_task(edge.run())
        async with asyncio.timeout(30):
            while edge.why_not == began and not task.done():  # noqa: ASYNC110 it tells nobody
                await asyncio.sleep(0.01)
        assert not task.done()
        assert edge.why_not
        assert edge.players() == []
        task.cancel()


async def test_an_edge_that_is_slow_to_say_what_it_does_is_told_what_to_do_all_the_same():
    is_asked, told = asyncio.Event(), asyncio.Event()
    ordered: list[list[int]] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            is_asked.set()
            await asyncio.Event().wait()
        ordered.append(json.loads(request.content)["version"])
        if len(ordered) == 4:
            told.set()
        return httpx.Response(200, json={})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        edge = Edge(Model(services=(), vantages=(VANTAGE,)), VANTAGE, client)
        task = asyncio.create_task(edge.run())
        async with asyncio.timeout(30):
            await is_asked.wait()
            edge.act_on(Decision(epoch=1, number=1, choices=()))
            while len(ordered) < 2:  # noqa: ASYNC110 it tells nobody
                await asyncio.sleep(0.01)
            edge.act_on(Decision(epoch=1, number=2, choices=()))
            await told.wait()
        task.cancel()
    assert ordered == [[1, 1], [1, 1], [1, 2], [1, 2]]


async def test_an_edge_that_begins_anew_is_told_again():
    stands = {"/steering": [0, 0], "/routes": [0, 0]}
    told: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if request.method == "PUT":
            told.append(path)
            stands[path] = json.loads(request.content)["version"]
        return httpx.Response(200, json={"version": stands[path]})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        edge = Edge(Model(services=(), vantages=(VANTAGE,)), VANTAGE, client)
        edge.act_on(Decision(epoch=1, number=1, choices=()))
        task = asyncio.create_task(edge.run())
        async with asyncio.timeout(30):
            while edge.why_not or not edge.observed or len(told) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            stands["/routes"] = [0, 0]
            while told[2:] != ["/routes"]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        task.cancel()
    assert stands["/routes"] == [1, 1]
