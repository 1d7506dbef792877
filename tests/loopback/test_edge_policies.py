"""What rules change of an edge's answers, on the hit path and off it."""

import asyncio
from typing import Any

import pytest

from tests.support.edges import Asked, Client, Edge, Origin, edge_and_origin, response
from tests.support.rules import rules

RULES = rules("""
    hosts: {edge.test: [www.edge.test]}
    rules:
    - {name: server, set: {strip_response: [Server, X-Trace]}}
    - {name: query, match: {path: /q/*}, set: {query: {keep: [a, b], sort: true}}}
    - {name: live, match: {path: /live/*}, set: {bypass: true}}
    - {name: members, match: {request_fields: {cookie: '*sid=*'}}, set: {bypass: true}}
    - {name: anonymous, match: {path: /anon/*}, set: {strip_request: [Cookie, Accept-Language]}}
    - {name: tagged, match: {path: /t/*}, set: {tags: [of-rule]}}
    - {name: disk, match: {path: /disk/*}, set: {tiers: disk}}
""")


async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
    body = b"%b %b" % (asked.target, asked.get("accept-language") or b"-")
    lines = ["Cache-Control: max-age=60", "Server: secret", "X-Trace: 7"]
    if asked.target.startswith(b"/anon/"):
        lines.append("Vary: Accept-Language")
    writer.write(response(body, *lines))


@pytest.fixture
async def rig() -> Any:
    async with edge_and_origin(script, policies=RULES) as (edge, origin):
        yield edge, origin


async def targets(rig: tuple[Edge, Origin], *asked: str) -> tuple[list[str], list[bytes]]:
    """Ask on one connection; return what each answer says and what the origin was asked."""
    edge, origin = rig
    before = len(origin.asked)
    client = await edge.client()
    says = []
    for target in asked:
        got = await client.get(target)
        assert got.status == 200
        says.append(got.says.partition(";")[2].strip().partition(";")[0])
    return says, [each.target for each in origin.asked[before:]]


async def test_a_query_is_keyed_and_forwarded_as_rules_leave_it(rig):
    says, asked = await targets(rig, "/q/1?b=2&utm=x&a=1", "/q/1?a=1&b=2", "/q/1?utm=y&a=1&b=2")
    assert (says, asked) == (["fwd=uri-miss", "hit", "hit"], [b"/q/1?a=1&b=2"])
    assert rig[0].results()["hit-slow"] == 0
    says, asked = await targets(rig, "/q/1?CMCD=x&b=2&a=1", "/q/1?a=2", "/other?b=2&utm=x")
    assert (says, asked) == (
        ["hit", "fwd=uri-miss", "fwd=uri-miss"],
        [b"/q/1?a=2", b"/other?b=2&utm=x"],
    )


async def test_many_who_ask_in_many_ways_share_one_fill(rig):
    edge, origin = rig
    before = len(origin.asked)
    clients = [await edge.client() for _ in range(8)]
    answers = await asyncio.gather(
        *(client.get(f"/q/many?x={no}&a=1") for no, client in enumerate(clients))
    )
    assert {got.body for got in answers} == {b"/q/many?a=1 -"}
    assert len(origin.asked) - before == 1


async def test_what_bypasses_is_asked_each_time(rig):
    says, asked = await targets(rig, "/live/1", "/live/1", "/%6cive//1")
    assert says == ["fwd=bypass"] * 3
    assert asked == [b"/live/1", b"/live/1", b"/%6cive//1"]


async def test_a_field_that_bypasses_does_so_on_a_warm_connection_too(rig):
    edge, origin = rig
    client = await edge.client()
    assert "uri-miss" in (await client.get("/members")).says
    assert "hit" in (await client.get("/members")).says
    assert "hit" in (await client.get("/members", "Cookie: theme=dark")).says
    before = len(origin.asked)
    for _ in range(2):
        got = await client.get("/members", "Cookie: theme=dark; sid=1")
        assert got.says == "amaro-edge; fwd=bypass; fwd-status=200; detail=policy"
    assert len(origin.asked) - before == 2
    assert "hit" in (await client.get("/members")).says


async def test_players_do_not_get_what_is_stripped(rig):
    edge, _ = rig
    for target, *lines in (
        ["/s"],
        ["/s"],
        ["/s", "Range: bytes=0-0"],
        ["/s", "Cache-Control: max-age=50"],
        ["/live/s"],
    ):
        got = await edge.get(target, *lines)
        assert got.get("server") is got.get("x-trace") is None
        assert got.get("cache-control") == b"max-age=60"


async def test_what_is_stripped_of_requests_reaches_no_origin_and_no_variant(rig):
    edge, origin = rig
    first = await edge.get("/anon/1", "Cookie: theme=dark", "Accept-Language: de")
    again = await edge.get("/anon/1", "Accept-Language: tr")
    assert first.body == again.body == b"/anon/1 -"
    assert again.says.startswith("amaro-edge; hit")
    assert origin.asked[-1].get("cookie") is None


async def test_an_alias_is_the_same_host(rig):
    edge, origin = rig
    await edge.get("/alias")
    before = len(origin.asked)
    for target in ("/alias", "/alias?new"):
        client: Client = await edge.client()
        client.send(f"GET {target} HTTP/1.1\r\nHost: WWW.edge.test\r\n\r\n".encode())
        assert (await client.read()).status == 200
    assert [each.get("host") for each in origin.asked[before:]] == [b"edge.test"]


async def test_what_is_not_for_memory_is_not_kept_there(rig):
    says, _ = await targets(rig, "/disk/1", "/disk/1")
    assert says == ["fwd=uri-miss", "fwd=uri-miss"]
