"""Signed paths through a worker: who gets in, and that nothing behind the door sees a token."""

import asyncio
import base64
import time
from pathlib import Path
from typing import Any

import pytest

from cache_policies.access import Grant, mint
from cache_policies.access_ring import parse_ring
from edge.purges import PurgeKind
from tests.support.edges import Asked, Edge, edge_and_origin, response, until
from tests.support.http2 import Http2Client
from tests.support.rules import rules
from tests.support.tls import EDGE

RING = f"key k1 {base64.b64encode(bytes(32)).decode()}\n"
FRESH = "Cache-Control: max-age=600"
RULES = rules("""
    rules:
    - {name: videos, match: {path: /v/*}, set: {access: signed, query: none}}
    - {name: posters, match: {path: "/v/*.jpg"}, set: {access: open}}
    - {name: live, match: {path: /v/abc/live/*}, set: {bypass: true}}
""")
OPEN = rules("rules: [{name: videos, match: {path: /v/*}, set: {ttl: 1h}}]")


def token(ring: str = RING, **bound: Any) -> str:
    grant = Grant(**{"prefix": b"/v/abc/", "expires_wall": int(time.time()) + 3_600, **bound})
    return mint(parse_ring(ring), grant, time.time()).decode()


def signed(target: str, **bound: Any) -> str:
    return f"/~{token(**bound)}{target}"


async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
    if asked.target.startswith(b"/v/abc/private"):
        writer.write(response(asked.target, "Cache-Control: private"))
    else:
        writer.write(response(asked.target, FRESH, 'ETag: "e"'))


@pytest.fixture
async def rig() -> Any:
    async with edge_and_origin(script, policies=RULES, ring=RING, region="north") as both:
        yield both


def refusals(edge: Edge) -> dict[str, int]:
    counted = edge.worker.counters.snapshot().items()
    rows = [(name.split(" "), count) for name, count in counted]
    return {row[3]: int(count) for row, count in rows if row[:2] == ["requests", "refused"]}


async def test_a_token_opens_its_prefix_and_goes_no_further(rig):
    edge, origin = rig
    client = await edge.client()
    for target in ("/v/abc/1.m4s", "/v/abc/private", "/v/abc/live/1", "/v/abc/1.m4s?CMCD=bl%3D1"):
        for _ in range(2):
            page = f"Referer: http://edge.test{signed('/v/abc/page.html')}"
            got = await client.get(signed(target), page)
            assert (got.status, got.body) == (200, target.partition("?")[0].encode())
    assert edge.worker.counters.hits == 3
    assert not [asked for asked in origin.asked if b"~" in repr(asked).encode()]
    assert [asked.target for asked in origin.asked].count(b"/v/abc/1.m4s") == 1
    assert {asked.get("referer") for asked in origin.asked} == {b"http://edge.test/v/abc/page.html"}


async def test_all_viewers_share_what_is_stored_whatever_their_tokens(rig):
    edge, origin = rig
    addresses = [{}, {"region": b"north"}, {"network": b"127.0.0.0/8"}]
    others = [{"expires_wall": int(time.time()) + number} for number in range(600, 620)]
    for bound in (*addresses, *others):
        got = await edge.get(signed("/v/abc/2.m4s", **bound))
        assert (got.status, got.body) == (200, b"/v/abc/2.m4s")
    assert len(origin.asked) == 1


@pytest.mark.parametrize("warm", [False, True])
async def test_who_is_not_let_in_is_told_why_and_counted(rig, warm):
    edge, origin = rig
    forged = "/~" + token()[:-1] + ("A" if token()[-1] != "A" else "B")
    other = RING.replace("k1", "k2")
    cases = {
        "token-missing": ["/v/abc/1.m4s", "/%76/abc/1.m4s", "/w/..%2fv/abc/1.m4s", "//v/abc/1.m4s"],
        "token-malformed": ["/~" + "A" * 80 + "/v/abc/1.m4s"],
        "token-key": [f"/~{token(other)}/v/abc/1.m4s"],
        "token-expired": [signed("/v/abc/1.m4s", expires_wall=int(time.time()) - 1)],
        "token-prefix": [signed("/v/abd/1.m4s"), signed("/v/abc"), signed("/")],
        "token-path": [
            signed("/v/abc/" + rest)
            for rest in ("../abd/1", "%2e%2e/abd/1", "..%2Fabd/1", "./1.m4s", "/1.m4s", "..;/abd")
        ],
        "token-region": [signed("/v/abc/1.m4s", region=b"south")],
        "token-client": [signed("/v/abc/1.m4s", network=b"192.0.2.0/24")],
    }
    client = await edge.client()
    if warm:
        for target in ("/v/abc/1.m4s", "/v/abc/2.m4s"):
            assert (await client.get(signed(target))).status == 200
    asked = len(origin.asked)
    for reason, targets in cases.items():
        for method in ("GET", "HEAD", "POST"):
            for target in targets:
                got = await client.get(target, method=method)
                assert (got.status, got.says) == (403, f"amaro-edge; fwd=request; detail={reason}")
                assert got.get("cache-control") == b"no-store"
                assert got.get("access-control-allow-origin") == b"*"
        assert refusals(edge)[reason] == 3 * len(targets)
    assert len(origin.asked) == asked
    for target in (forged + "/v/abc/1.m4s",):
        got = await client.get(target)
        assert got.status == 403
        assert got.says.endswith(("token-forged", "token-malformed"))
    assert (await client.get(signed("/v/abc/1.m4s"))).status == 200


async def test_what_is_open_needs_no_token_and_takes_a_good_one(rig):
    edge, origin = rig
    client = await edge.client()
    for target in ("/other", "/v/abc/poster.jpg", signed("/v/abc/poster.jpg"), "/~somebody/page"):
        for _ in range(2):
            assert (await client.get(target)).status == 200
    assert edge.worker.counters.hits == 5
    for target in (f"/%7E{token()}/other", f"/%7e{token()}/v/abc/poster.jpg", f"//~{token()}/x"):
        got = await client.get(target)
        assert (got.status, got.says.rpartition("=")[2]) == (403, "token-path")
    assert not [asked for asked in origin.asked if token()[:20].encode() in asked.target]
    got = await client.get(f"/~{token()[:-4]}AAAA/v/abc/poster.jpg")
    assert got.status == 403
    # the path that is open is stored, and asked for by a spelling that no token opens
    assert (await client.get("/v/abc//poster.jpg")).status == 200
    got = await client.get(signed("/v/abc//poster.jpg"))
    assert got.says.endswith("token-path")


async def test_what_only_some_have_asked_for_stays_shut_to_others_who_wait_for_it():
    gate = asyncio.Event()

    async def slow(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await gate.wait()
        await script(asked, writer)

    async with edge_and_origin(slow, policies=RULES, ring=RING) as (edge, origin):
        clients = [await edge.client() for _ in range(6)]
        asking = [
            asyncio.create_task(
                client.get(signed("/v/abc/1.m4s") if number % 2 else "/v/abc/1.m4s")
            )
            for number, client in enumerate(clients)
        ]
        await until(lambda: len(origin.asked) == 1)
        assert [(await each).status for each in asking[::2]] == [403, 403, 403]
        gate.set()
        assert [(await each).status for each in asking[1::2]] == [200, 200, 200]
        assert len(origin.asked) == 1


async def test_rules_that_shut_what_was_open_do_so_for_what_is_stored():
    async with edge_and_origin(script, policies=OPEN, ring=RING) as (edge, _):
        client = await edge.client()
        for target in ("/v/abc/1.m4s", "/v/abc//1.m4s", "/v/abc/../abc/2.m4s"):
            for _ in range(2):
                assert (await client.get(target)).status == 200
        assert edge.worker.counters.hits == 3
        for policies in (RULES, OPEN, RULES):
            edge.worker.in_force.prepare(policies)
            edge.page.switch(policies["epoch"])
            shut = policies is RULES
            for _ in range(2):
                got = await client.get("/v/abc/1.m4s")
                assert got.status == (403 if shut else 200)
                got = await client.get(signed("/v/abc/1.m4s"))
                assert (got.status, "hit" in got.says) == (200, True)
            assert (await client.get(signed("/v/abc//1.m4s"))).says.endswith("token-path")
            assert (await client.get(signed("/v/abc/../abc/2.m4s"))).status == 403


async def test_without_keys_a_token_is_taken_off_and_what_is_shut_stays_shut():
    async with edge_and_origin(script, policies=RULES) as (edge, origin):
        client = await edge.client()
        assert (await client.get(signed("/v/abc/1.m4s"))).says.endswith("token-key")
        assert (await client.get("/v/abc/1.m4s")).says.endswith("token-missing")
        for target in ("/a", signed("/a")):
            got = await client.get(target)
            assert (got.status, got.body) == (200, b"/a")
        assert [asked.target for asked in origin.asked] == [b"/a"]


async def test_other_keys_and_revocations_count_from_one_answer_to_the_next(rig):
    edge, _ = rig
    client = await edge.client()
    target = signed("/v/abc/1.m4s")
    for _ in range(3):
        assert (await client.get(target)).status == 200
    revoked = RING + "revoke 1 /v/abc/\n"
    await edge.worker.door.open_with(revoked)
    assert (await client.get(target)).says.endswith("token-revoked")
    fresh = f"/~{token(revoked)}/v/abc/1.m4s"
    assert (await client.get(fresh)).status == 200
    await edge.worker.door.open_with(RING.replace("k1", "k2"))
    assert (await client.get(fresh)).says.endswith("token-key")


async def test_a_purge_names_what_tokens_open(rig):
    edge, origin = rig
    client = await edge.client()
    target = signed("/v/abc/1.m4s")
    for value in (b"http://edge.test/v/abc/1.m4s", f"http://edge.test{target}".encode()):
        for _ in range(2):
            assert (await client.get(target)).status == 200
        asked = len(origin.asked)
        edge.purge(PurgeKind.URL, value)
        assert (await client.get(target)).says.endswith("detail=purged")
        assert len(origin.asked) == asked + 1


async def test_a_log_holds_no_token(tmp_path: Path):
    path = tmp_path / "log"
    options = {"policies": RULES, "ring": RING, "access_log": str(path)}
    async with edge_and_origin(script, **options) as (edge, _):
        for target in (signed("/v/abc/1.m4s"), signed("/v/abd/1.m4s"), "/a" + signed("/b")):
            for _ in range(2):
                await edge.get(target)
        assert len(edge.worker.door) == 1
    text = path.read_text()
    assert text.count('"path":"/v/abc/1.m4s"') == 2
    assert text.count('"reason":"token-prefix"') == 2
    assert text.count('"path":"/a/~-/b"') == 2
    assert text.count("\n") == 6
    assert token()[:20] not in text


async def test_players_of_http2_come_through_the_same_door():
    async with edge_and_origin(script, policies=RULES, ring=RING, tls=[EDGE]) as (edge, origin):
        client = await Http2Client.open(edge)
        for _ in range(3):
            got = await client.get(signed("/v/abc/1.m4s"))
            assert (got.status, got.body) == (200, b"/v/abc/1.m4s")
        assert edge.worker.counters.hits == 2
        for target, reason in {
            "/v/abc/1.m4s": "token-missing",
            signed("/v/abd/1.m4s"): "token-prefix",
            signed("/v/abc//1.m4s"): "token-path",
            signed("/v/abc/1.m4s", network=b"192.0.2.0/24"): "token-client",
        }.items():
            got = await client.get(target)
            assert (got.status, got.says.rpartition("=")[2]) == (403, reason)
        assert [asked.target for asked in origin.asked] == [b"/v/abc/1.m4s"]
        await client.close()
