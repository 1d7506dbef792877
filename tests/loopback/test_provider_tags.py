"""Purge tags are told to named providers, and to nobody else."""

import asyncio
import json
from pathlib import Path

import pytest

from edge.clients import TrustedProxies
from edge.purges import PurgeKind
from tests.support.edges import Asked, Got, edge_and_origin, response
from tests.support.http2 import Http2Client
from tests.support.rules import rules
from tests.support.table import table
from tests.support.tls import EDGE

CLOUDFLARE, FASTLY, PLAYER = "127.0.0.2", "127.0.0.3", "127.0.0.1"
PROXIES = ("cloudflare=127.0.0.2", "fastly=127.0.0.3/32", "127.0.0.4")
NAMES = {"cache-tag", "surrogate-key"}
BIG = bytes(range(256)) * 4096 * 2 + b"the rest"
TAGS = ("Surrogate-Key: a b,c", "Cache-Tag: of the origin's own")


async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
    fresh = "Cache-Control: max-age=600"
    match asked.target.partition(b"?")[0]:
        case b"/big":
            writer.write(response(BIG, fresh, 'ETag: "b"', "Accept-Ranges: bytes", *TAGS))
        case b"/pass":
            writer.write(response(b"passed", "Cache-Control: no-store", *TAGS))
        case b"/bare":
            writer.write(response(b"bare", fresh))
        case b"/empty":
            writer.write(response(b"", fresh, "Surrogate-Key: a", status="204 No Content"))
        case _:
            writer.write(response(b"body", fresh, 'ETag: "a"', *TAGS))


def told(got: Got) -> dict[str, str]:
    return {name: value.decode() for name, value in got.fields if name in NAMES}


def rest(got: Got) -> tuple[object, ...]:
    changing = NAMES | {"age", "cache-status", "date"}
    return got.status, sorted(line for line in got.fields if line[0] not in changing), got.body


ASKED = """
    target      lines                               method  tags
    /x          -                                   GET     yes
    /x          -                                   HEAD    yes
    /x          If-None-Match: "a"                  GET     yes
    /x          Range: bytes=1-2                    GET     yes
    /x          Range: bytes=9-                     GET     yes
    /big        -                                   GET     yes
    /big        Range: bytes=1000000-1100000        GET     yes
    /big        Cache-Control: max-age=5            GET     yes
    /bare       -                                   GET     no
    /pass       -                                   GET     yes
    /empty      -                                   GET     one
"""


@pytest.mark.parametrize("case", table(ASKED), ids=str)
async def test_a_provider_gets_what_a_player_gets_and_the_tags(case) -> None:
    lines = [case["lines"]] if case["lines"] else []
    expected = {
        "yes": [{"cache-tag": "a,b%2cc"}, {"surrogate-key": "a b,c"}, {}, {}],
        "one": [{"cache-tag": "a"}, {"surrogate-key": "a"}, {}, {}],
        "no": [{}, {}, {}, {}],
    }
    async with edge_and_origin(script, trusted_proxies=PROXIES) as (edge, _):
        for _round in ("of the origin", "from memory"):
            found = []
            for source in (CLOUDFLARE, FASTLY, PLAYER, "127.0.0.4"):
                client = await edge.client(source)
                got = await client.get(case["target"], *lines, method=case["method"])
                again = await client.get(case["target"], *lines, method=case["method"])
                assert (rest(again), told(again)) == (rest(got), told(got))
                found.append(got)
            assert [told(got) for got in found] == expected[case["tags"]]
            assert len({str(rest(got)) for got in found}) == 1


async def test_whoever_asks_first_fills_for_all() -> None:
    async with edge_and_origin(script, trusted_proxies=PROXIES) as (edge, origin):
        provider, player = await edge.client(CLOUDFLARE), await edge.client()
        assert "uri-miss" in (await provider.get("/x")).says
        assert "hit" in (await player.get("/x")).says
        assert "uri-miss" in (await player.get("/y")).says
        assert "hit" in (await provider.get("/y")).says
        assert len(origin.asked) == 2
        assert edge.worker.counters.hits == 2
        edge.purge(PurgeKind.TAG, b"a")
        assert "purged" in (await provider.get("/x")).says


async def test_a_connection_goes_on_after_a_hit() -> None:
    async with edge_and_origin(script, trusted_proxies=PROXIES) as (edge, _):
        provider = await edge.client(FASTLY)
        await provider.get("/x")
        head = b"GET /x HTTP/1.1\r\nHost: edge.test\r\n\r\n"
        provider.send(head * 50)
        for _number in range(50):
            got = await provider.read()
            assert (got.body, told(got)) == (b"body", {"surrogate-key": "a b,c"})
        assert edge.worker.counters.hits == 50


async def test_tags_that_policy_gives_are_told_too() -> None:
    policies = rules("rules: [{name: all, set: {tags: everything}}]")
    async with edge_and_origin(script, trusted_proxies=PROXIES, policies=policies) as (edge, _):
        provider = await edge.client(FASTLY)
        for _round in range(2):
            assert told(await provider.get("/x")) == {"surrogate-key": "everything a b,c"}


async def test_several_parts_are_of_one_response() -> None:
    async with edge_and_origin(script, trusted_proxies=PROXIES) as (edge, _):
        provider = await edge.client(CLOUDFLARE)
        for _round in range(3):
            got = await provider.get("/big", "Range: bytes=0-0,9-9")
            assert (got.status, told(got)) == (206, {"cache-tag": "a,b%2cc"})


async def test_over_http2() -> None:
    async with edge_and_origin(script, tls=[EDGE], trusted_proxies=("fastly=127.0.0.0/8",)) as (
        edge,
        _,
    ):
        client = await Http2Client.open(edge)
        for _round in range(2):
            got = await client.get("/x")
            assert (got.body, got.get("surrogate-key")) == (b"body", b"a b,c")
        http1 = await edge.client()
        for _round in range(2):
            assert told(await http1.get("/x")) == {"surrogate-key": "a b,c"}


async def test_provider_hits_are_logged_as_others_are(tmp_path: Path) -> None:
    log = tmp_path / "log"
    async with edge_and_origin(script, trusted_proxies=PROXIES, access_log=str(log)) as (edge, _):
        for source in (CLOUDFLARE, CLOUDFLARE, PLAYER):
            await (await edge.client(source)).get("/x")
    said = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(each["status"], each["bytes"]) for each in said] == [(200, 4)] * 3
    assert said[1].keys() == said[2].keys()


def test_a_network_may_be_a_provider() -> None:
    proxies = TrustedProxies(["10.0.0.0/8", "cloudflare=2400:cb00::/32", "fastly=10.1.0.0/16"])
    assert proxies.provider(b"10.0.0.1") is None
    assert proxies.provider(b"10.1.0.1") == "fastly"
    assert proxies.provider(b"2400:cb00::1") == "cloudflare"
    assert proxies.provider(b"unknown") is None
    assert proxies.trusts(b"10.1.0.1")
    assert proxies.trusts(b"2400:cb00::1")
    assert not TrustedProxies(["10.0.0.0/8"]).has_providers
    for wrong in ("akamai=10.0.0.0/8", "=10.0.0.0/8", "cloudflare=here"):
        with pytest.raises(ValueError, match=r"want CIDR|does not appear"):
            TrustedProxies([wrong])
