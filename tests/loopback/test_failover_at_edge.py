"""An edge's admin listener that is another program's, or another release's, ends no member."""

import asyncio

import httpx
import pytest

from failover.at_edge import Edge
from failover.decision import Decision
from failover.model import Dependency, Model, Vantage

OWN = Dependency(provider="own")
VANTAGE = Vantage(name="m1", region="north", url="http://m1", needs=OWN, edge_admin="http://edge")


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
        edge.why_not = began = "a test"
        task = asyncio.create_task(edge.run())
        async with asyncio.timeout(30):
            while edge.why_not == began and not task.done():  # noqa: ASYNC110 it tells nobody
                await asyncio.sleep(0.01)
        assert not task.done()
        assert edge.why_not
        assert edge.players() == []
        task.cancel()
