"""`/popular.json`: asks the edge that is named, with the token of who asks."""

from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from console.popular import ANSWER_BYTES_MAX, popular

ADMINS = {"north": "http://10.0.0.1:9081"}


async def asked(path, answer=None, **headers):
    """The console's answer, and what it asked the edge."""
    seen = []

    def edge(request):
        seen.append(request)
        if answer is None:
            raise httpx.ConnectError("refused")
        return answer

    async def endpoint(request):
        return await popular(request, ADMINS, httpx.MockTransport(edge))

    app = Starlette(routes=[Route("/popular.json", endpoint)])
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://console") as client:
        return await client.get(path, headers=headers), seen


async def test_the_edge_is_asked_with_the_token_of_who_asks():
    path = "/popular.json?edge=north&region=d%26e&limit=5&counts=1"
    said = httpx.Response(200, json={"top": []})
    answer, [seen] = await asked(path, said, authorization=b"x \xe9")
    assert (answer.status_code, answer.json()) == (200, {"top": []})
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"
    assert str(seen.url) == "http://10.0.0.1:9081/popular?region=d%26e&limit=5"
    assert dict(seen.headers.raw)[b"authorization"] == b"x \xe9"


async def test_the_edge_s_refusal_is_passed_on():
    answer, [seen] = await asked(
        "/popular.json?edge=north", httpx.Response(401, json={"error": "x"})
    )
    assert (answer.status_code, answer.json()) == (401, {"error": "x"})
    assert seen.headers["authorization"] == ""


@pytest.mark.parametrize("path", ["/popular.json", "/popular.json?edge=south"])
async def test_only_edges_that_were_named_are_asked(path):
    answer, seen = await asked(path, httpx.Response(200))
    assert (answer.status_code, seen) == (404, [])
    assert "--edge-admin" in answer.json()["error"]


@pytest.mark.parametrize("said", [None, httpx.Response(200, content=b"x" * (ANSWER_BYTES_MAX + 1))])
async def test_an_edge_that_does_not_answer_as_it_should_is_502(said):
    answer, _ = await asked("/popular.json?edge=north", said)
    assert answer.status_code == 502
