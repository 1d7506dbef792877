"""Limits of policy files at a worker: what is refused, what is held, what is paced."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from time import monotonic

import pytest

from edge.shedding import Load
from tests.support.edges import Asked, Edge, Got, edge_and_origin, response, until
from tests.support.http2 import Http2Client
from tests.support.rules import rules
from tests.support.tls import EDGE

PROXY = ("127.0.0.0/8",)
ONE, OTHER = "X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 192.0.2.2"
RATE = rules("limits: [{name: a, rate: 1/h, burst: 3}]")
STEPS = rules("limits: [{name: a, rate: 1/h, burst: 3, hits: false}]")
OTHERS = rules("limits: [{name: b, rate: 1/h, burst: 3, hits: false}]")
HELD = rules("limits: [{name: a, concurrency: 2}]")
PREFIX = rules("limits: [{name: a, per: prefix, match: {path: /films/*}, rate: 1/h, burst: 2}]")
SLOW = rules("limits: [{name: a, match: {path: /big}, bandwidth: 400kB/s}]")
BIG = b"B" * 600_000


class Script:
    """An origin that keeps some waiting until it is let go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def __call__(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        if b"held" in asked.target:
            await self.go.wait()
        body = BIG if asked.target == b"/big" else asked.body or b"body"
        writer.write(response(body, "Cache-Control: max-age=600"))


async def several(
    edge: Edge, number: int, target: str, *lines: str, method: str = "GET"
) -> list[int]:
    client = await edge.client()
    return [(await client.get(target, *lines, method=method)).status for _ in range(number)]


def is_refused(got: Got, status: int, reason: str) -> bool:
    said = f"amaro-edge; fwd=request; detail={reason}"
    return (got.status, got.says) == (status, said) and tells_pages(got)


def tells_pages(got: Got) -> bool:
    """Whether a page elsewhere may read that it should come again, and when."""
    shown = got.get("access-control-expose-headers") or b""
    return (
        got.get("access-control-allow-origin") == b"*"
        and b"retry-after" in shown
        and int(got.get("retry-after") or 0) > 0
    )


@pytest.mark.parametrize("target", ["/a", "/a?x", "/a/../a"])
async def test_a_rate_is_each_clients_own(target: str) -> None:
    async with edge_and_origin(Script(), policies=RATE, trusted_proxies=PROXY) as (edge, _):
        assert await several(edge, 4, target, ONE) == [200, 200, 200, 429]
        assert await several(edge, 4, target, OTHER) == [200, 200, 200, 429]
        refused = await edge.get(target, ONE)
        assert is_refused(refused, 429, "client-rate")
        assert 3_500 < int(refused.get("retry-after") or 0) <= 3_600
        assert (await edge.get("/.amaro/ready", ONE)).status == 200
        assert await several(edge, 20, target) == [200] * 20  # the proxy's own
        assert edge.results()["refused"] == 3


async def test_whatever_way_it_is_answered_a_request_counts_once() -> None:
    ways = [
        ("/a", [], "GET"),  # a miss that follows a fill
        ("/a", [], "GET"),  # a hit
        ("/a", ["Range: bytes=0-1"], "GET"),
        ("/a", [], "HEAD"),
        ("/b", [], "HEAD"),
        ("/a", ["Cache-Control: max-age=5"], "GET"),  # one for the app
        ("/a", ["Content-Length: 0"], "POST"),
        ("/c", ["Range: bytes=0-1"], "GET"),
    ]
    several_ways = rules(f"limits: [{{name: a, rate: 1/h, burst: {len(ways)}}}]")
    async with edge_and_origin(Script(), policies=several_ways) as (edge, _):
        client = await edge.client()
        for target, lines, method in ways:
            assert (await client.get(target, *lines, method=method)).status in (200, 206)
        for target, lines, method in ways:
            got = await client.get(target, *lines, method=method)
            assert is_refused(got, 429, "client-rate"), (target, lines, method)
            assert got.body == b"" if method == "HEAD" else got.body


async def test_an_upload_that_is_refused_is_not_read() -> None:
    async with edge_and_origin(Script(), policies=RATE) as (edge, origin):
        await several(edge, 3, "/a")
        client = await edge.client()
        client.send(b"POST /a HTTP/1.1\r\nHost: edge.test\r\nContent-Length: 50000\r\n\r\nx")
        assert (await client.read()).status == 429
        assert [asked.method for asked in origin.asked] == ["GET"]


async def test_hits_may_be_free() -> None:
    async with edge_and_origin(Script(), policies=STEPS) as (edge, _):
        assert await several(edge, 30, "/a") == [200] * 30
        assert await several(edge, 1, "/b") + await several(edge, 2, "/c") == [200] * 3
        assert await several(edge, 1, "/d") == [429]
        assert await several(edge, 3, "/a") == [200] * 3


async def test_all_share_what_is_a_prefixs() -> None:
    async with edge_and_origin(Script(), policies=PREFIX, trusted_proxies=PROXY) as (edge, _):
        assert await several(edge, 1, "/films/1", ONE) == [200]
        assert await several(edge, 2, "/films/2", OTHER) == [200, 503]
        got = await edge.get("/%66ilms/3", ONE)
        assert is_refused(got, 503, "prefix-rate")
        assert await several(edge, 5, "/other", ONE) == [200] * 5


async def test_so_many_at_once_and_no_more() -> None:
    script = Script()
    async with edge_and_origin(script, policies=HELD, trusted_proxies=PROXY) as (edge, origin):
        waiting = [asyncio.create_task(edge.get(f"/held/{number}", ONE)) for number in range(2)]
        await until(lambda: len(origin.asked) == 2)
        assert is_refused(await edge.get("/held/3", ONE), 429, "client-concurrency")
        assert is_refused(await edge.get("/b", ONE, method="HEAD"), 429, "client-concurrency")
        assert (await edge.get("/a", OTHER)).status == 200
        assert (await edge.get("/a", ONE)).status == 200  # a plain hit
        leaving = await edge.client()
        leaving.send(f"GET /held/4 HTTP/1.1\r\nHost: edge.test\r\n{OTHER}\r\n\r\n".encode())
        await until(lambda: len(origin.asked) == 4)
        await leaving.close()
        script.go.set()
        assert [(await task).status for task in waiting] == [200, 200]
        held = edge.worker.limiting._page.table  # type: ignore[attr-defined]
        rows = range(0, len(held.words), 4)
        await until(lambda: not any(held.held(row) for row in rows))


async def test_a_body_beyond_the_bandwidth_takes_its_time() -> None:
    async with edge_and_origin(Script(), policies=SLOW) as (edge, _):
        began = monotonic()
        for turn in range(2):  # from the origin, and from memory
            assert (await edge.get("/big")).body == BIG
            # 600 kB each at 400 kB/s, of which one second's may leave at once
            assert monotonic() - began >= (0.4 if turn == 0 else 1.9)
        part = await edge.get("/big", "Range: bytes=0-9")
        assert (part.status, part.body) == (206, BIG[:10])


async def test_what_has_not_changed_costs_no_bandwidth() -> None:
    async with edge_and_origin(Script(), policies=SLOW) as (edge, _):
        client = await edge.client()
        assert (await client.get("/big")).status == 200
        hits = edge.worker.counters.hits
        for _ in range(5):
            same = await client.get("/big", "If-None-Match: *")
            assert (same.status, same.body) == (304, b"")
            assert (await client.get("/big", method="HEAD")).status == 200
        assert edge.worker.counters.hits == hits + 10  # none had to wait for its turn


async def test_limits_change_while_players_ask() -> None:
    async with edge_and_origin(Script()) as (edge, _):
        client = await edge.client()

        async def statuses(number: int) -> list[int]:
            return [(await client.get("/a")).status for _ in range(number)]

        assert await statuses(9) == [200] * 9
        edge.page.switch(edge.worker.in_force.prepare(RATE))
        # the request that finds other policies in force is answered by them
        assert await statuses(4) == [200, 200, 200, 429]
        edge.page.switch(edge.worker.in_force.prepare(STEPS))
        assert await statuses(1) == [429]  # a limit of this name is used up, and this is no hit
        edge.page.switch(edge.worker.in_force.prepare(OTHERS))
        assert await statuses(5) == [200] * 5
        edge.page.switch(edge.worker.in_force.prepare(None))
        assert await statuses(5) == [200] * 5


async def test_streams_of_http2_count_like_requests() -> None:
    async with edge_and_origin(Script(), policies=RATE, tls=[EDGE]) as (edge, _):
        client = await Http2Client.open(edge)
        got = [await client.get("/a") for _ in range(4)]
        assert [each.status for each in got] == [200, 200, 200, 429]
        assert got[3].says == "amaro-edge; fwd=request; detail=client-rate"
        assert 3_500 < int(got[3].get("retry-after") or 0) <= 3_600
        assert got[3].body == b"client-rate\n"
        assert tells_pages(got[3])
        assert (await client.get("/b")).status == 429
        other = await Http2Client.open(edge)
        assert (await other.get("/a")).status == 429
        await client.close()
        await other.close()


async def test_places_and_bodies_over_http2() -> None:
    both = rules("limits: [{name: a, concurrency: 1, bandwidth: 400kB/s, match: {path: /big}}]")
    async with edge_and_origin(Script(), policies=both, tls=[EDGE]) as (edge, _):
        client = await Http2Client.open(edge)
        began = monotonic()
        got = await client.get("/big")
        assert bytes(got.body) == BIG
        got = await client.get("/big")
        assert bytes(got.body) == BIG
        assert monotonic() - began >= 1.8
        await client.close()


async def test_refusals_are_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    async with edge_and_origin(Script(), policies=RATE, access_log=str(log)) as (edge, _):
        assert (await several(edge, 4, "/a"))[3] == 429
        await several(edge, 1, "/b", "Cache-Control: no-cache")
        await until(lambda: log.exists() and len(log.read_text().splitlines()) == 5)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    said = [(each["path"], each["status"], each["result"], each["reason"]) for each in lines[3:]]
    assert said == [
        ("/a", 429, "refused", "client-rate"),
        ("/b", 429, "refused", "client-rate"),
    ]


async def test_a_flood_on_one_title_leaves_room_for_another() -> None:
    """Of 64 cold requests for one title some are told to come again; of the other's, none."""
    script = Script()
    async with edge_and_origin(script, fills_max=24) as (edge, origin):
        flood = [asyncio.create_task(edge.get(f"/flood/held{n}.ts")) for n in range(64)]
        await until(lambda: len(origin.asked) >= 16)
        quiet = [await edge.get(f"/quiet/{number}.ts") for number in range(20)]
        assert [got.status for got in quiet] == [200] * 20
        assert len([asked for asked in origin.asked if b"flood" in asked.target]) == 16
        script.go.set()
        ended = [await task for task in flood]
    refused = [got for got in ended if got.status == 503]
    assert len(refused) == 48
    assert {got.says for got in refused} == {"amaro-edge; fwd=uri-miss; detail=title-fills"}
    assert {got.get("retry-after") for got in refused} == {b"1"}
    assert all(map(tells_pages, refused))


async def test_so_do_requests_that_are_passed_on() -> None:
    script = Script()
    limits = {"upstream_requests_max": 24, "upstream_wait_s": 0.3}
    async with edge_and_origin(script, **limits) as (edge, origin):
        lines = ["Content-Length: 0"]
        flood = [
            asyncio.create_task(edge.get(f"/flood/held{n}", *lines, method="POST"))
            for n in range(40)
        ]
        await until(lambda: len(origin.asked) == 16)
        quiet = [await edge.get(f"/quiet/{n}", *lines, method="POST") for n in range(10)]
        assert [got.status for got in quiet] == [200] * 10
        await until(lambda: sum(task.done() for task in flood) == 24)
        script.go.set()
        ended = [await task for task in flood]
    refused = [got for got in ended if got.status == 503]
    assert len(refused) == 24
    assert {got.says.rpartition("=")[2] for got in refused} == {"title-share"}
    assert all(map(tells_pages, refused))


async def test_whoever_waits_for_a_place_gets_it_when_one_is_left() -> None:
    script = Script()
    async with edge_and_origin(script, upstream_requests_max=3, upstream_wait_s=30.0) as (edge, _):
        asking = [asyncio.create_task(edge.get(f"/held{n}.ts")) for n in range(12)]
        await until(lambda: len(edge.worker.places) == 10)
        gone = asking.pop()
        gone.cancel()
        script.go.set()
        assert [(await task).status for task in asking] == [200] * 11
        await until(lambda: edge.worker.places.share.taken == 0)
        assert len(edge.worker.places) == 0


async def test_what_is_worth_least_is_refused_first() -> None:
    worth = rules("""
        rules:
          - {name: all, set: {stale_if_error: 1h, ttl: 1ms}}
          - {name: feed, match: {path: /feed/*}, set: {priority: feed}}
          - {name: warm, match: {path: /warm/*}, set: {priority: prewarming}}
    """)
    async with edge_and_origin(Script(), policies=worth) as (edge, _):
        shedder = edge.worker.admission.shedder
        edge.worker.admission.stop()
        assert await several(edge, 1, "/feed/stored") == [200]
        now = monotonic()
        for tick in range(40):  # until no more than playback is left
            shedder.see(Load(late_s=0.3, busy=1.0, fills=0.5), now + tick * 0.1)
            if shedder.openness <= 1.0:
                break
        shedder.openness = 1.0
        assert await several(edge, 3, "/v/1.ts") == [200] * 3
        for target, method, reason in (
            ("/feed/1", "GET", "shed-feed"),
            ("/x", "POST", "shed-uploads"),
            ("/warm/1", "GET", "shed-prewarming"),
            ("/warm/1", "HEAD", "shed-prewarming"),
        ):
            got = await edge.get(target, "Content-Length: 0", method=method)
            assert (got.status, got.says.rpartition("=")[2]) == (503, reason)
            assert tells_pages(got)
            assert int(got.get("retry-after") or 0) >= 5
        stale = await edge.get("/feed/stored")
        assert (stale.status, stale.says.rpartition("=")[2]) == (200, "stale-if-error")
        said = edge.worker.snapshot()
        assert said["requests refused none shed-feed"] == 1
        assert said["openness"] == 1.0


async def test_clients_behind_a_provider_are_limited_as_others() -> None:
    proxies = ("cloudflare=127.0.0.0/8",)
    async with edge_and_origin(Script(), policies=RATE, trusted_proxies=proxies) as (edge, _):
        assert await several(edge, 4, "/a", ONE) == [200, 200, 200, 429]
        assert is_refused(await edge.get("/a", ONE), 429, "client-rate")
        assert await several(edge, 4, "/a", OTHER) == [200, 200, 200, 429]
        assert edge.results()["refused"] == 3
