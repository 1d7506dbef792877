"""Edges of a region ask the origin once for all of them, whatever becomes of any of them."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from math import inf
from pathlib import Path

import pytest

from edge.asking import SILENT_MAX
from edge.errors import UpstreamError
from edge.peer import PeerUpstreams, peer_socket, ranking
from edge.purges import PurgeKind
from edge.region_ranking import Member
from edge.routes import Upstream
from failover.health import Signal
from tests.support.edges import (
    Asked,
    Client,
    Edge,
    PromptServer,
    Script,
    response,
    running_origin,
    until,
)
from tests.support.region import LOG, REGION_TOKEN, Region, cut_off, reached, running_region

KEPT = ("Cache-Control: max-age=600", 'ETag: "1"', "Surrogate-Key: tag-a")
BODY = bytes(range(256)) * 4_096  # 1 MiB
SEQUENCE = f"Amaro-Sequence: {LOG.hex()};0"
TOKEN = f"Amaro-Region: {REGION_TOKEN}"


def ranged(body: bytes = BODY, *lines: str, gate: asyncio.Event | None = None) -> Script:
    """An origin that knows ranges; bodies wait for `gate` in their middle."""

    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        said = asked.get("range")
        if said is None:
            half = len(body) // 2
            writer.write(response(body[:half], *(lines or KEPT), length=len(body)))
            await writer.drain()
            if gate is not None:
                await gate.wait()
            writer.write(body[half:])
            return
        first, _, last = said.decode().removeprefix("bytes=").partition("-")
        part = body[int(first) : int(last or len(body) - 1) + 1]
        where = f"Content-Range: bytes {first}-{int(first) + len(part) - 1}/{len(body)}"
        head = response(part, *(lines or KEPT), where, status="206 Partial Content")
        writer.write(head)

    return script


async def short(asked: Asked, writer: asyncio.StreamWriter) -> None:
    body = b"of " + asked.target
    writer.write(response(body, *KEPT))


def counted(region: Region, row: str) -> Counter[str]:
    """What all edges say of a row that ends with its result."""
    found: Counter[str] = Counter()
    for edge in region.edges.values():
        for name, value in edge.worker.snapshot().items():
            words = name.split(" ")
            if words[0] == row:
                found[words[-1]] += int(value)
    return found


async def everywhere(region: Region, target: str, *lines: str) -> list[bytes]:
    got = await asyncio.gather(*(edge.get(target, *lines) for edge in region.edges.values()))
    assert all(each.whole for each in got)
    return [each.body for each in got]


@pytest.mark.parametrize("outside", [0, 4])
async def test_the_origin_is_asked_once_however_many_edges_ask(outside: int) -> None:
    async with running_region(ranged(), 5, outside=outside) as region:
        assert await everywhere(region, "/v/1") == [BODY] * 5
        assert [asked.target for asked in region.origin.asked] == [b"/v/1"]
        assert counted(region, "edge_asked") == {"answered": 4}
        assert sum(edge.worker.counters.edge_bytes for edge in region.edges.values()) == 4 * len(
            BODY
        )
        assert await everywhere(region, "/v/1") == [BODY] * 5
        assert len(region.origin.asked) == 1


async def test_ranges_are_asked_for_once_too() -> None:
    async with running_region(ranged(BODY * 3), 4) as region:
        got = await asyncio.gather(
            *(
                edge.get("/v/1", f"Range: bytes={1_500_000 + place}-1500100")
                for place, edge in enumerate(region.edges.values())
            )
        )
        assert [each.status for each in got] == [206] * 4
        whole = BODY * 3
        assert [each.body for each in got] == [whole[1_500_000 + n : 1_500_101] for n in range(4)]
        assert [asked.get("range") for asked in region.origin.asked] == [b"bytes=1048576-2097151"]


async def test_the_first_bytes_pass_on_before_the_last_have_come() -> None:
    gate = asyncio.Event()
    async with running_region(ranged(gate=gate), 3) as region:
        *_, last = region.ranked("/v/1")
        client = await last.client()
        client.send(b"GET /v/1 HTTP/1.1\r\nHost: edge.test\r\n\r\n")
        async with asyncio.timeout(60):
            head = await client.reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            begun = await client.reader.readexactly(len(BODY) // 2)
        gate.set()
        assert begun + await client.reader.readexactly(len(BODY) - len(begun)) == BODY
        assert len(region.origin.asked) == 1


async def test_an_edge_that_is_gone_is_passed_over_and_soon_not_asked() -> None:
    async with running_region(short, 3) as region:
        owner, second, third = region.ranked("/v/1")
        cut_off(owner)
        assert (await third.get("/v/1")).body == b"of /v/1"
        assert (await second.get("/v/1")).body == b"of /v/1"
        assert len(region.origin.asked) == 1
        failed = counted(region, "edge_asked")
        assert failed["connect-refused"] >= 1
        gone = f"edge_up {region.url_of(owner)}"
        for number in range(40):
            await third.get(f"/w/{number}")
        told = third.worker.snapshot()
        assert (told[gone], told[f"edge_up {region.url_of(second)}"]) == (0.0, 1.0)
        asked = third.worker.snapshot()
        await third.get("/v/another")
        refused = f"edge_asked {region.url_of(owner)} connect-refused"
        assert third.worker.snapshot()[refused] == asked[refused] == 3


async def test_one_that_dies_in_mid_fill_costs_one_more_request_for_the_rest() -> None:
    gate = asyncio.Event()
    async with running_region(ranged(gate=gate), 4) as region:
        owner, *others = region.ranked("/v/1")
        asking = [asyncio.create_task(edge.get("/v/1")) for edge in others]
        mean = [edge.worker.counters for edge in others]
        await until(lambda: all(each.edge_bytes >= len(BODY) // 2 for each in mean))
        cut_off(owner)
        got = await asyncio.gather(*asking)
        gate.set()
        assert [(each.whole, each.body) for each in got] == [(True, BODY)] * 3
        first, *rest = [asked.get("range") for asked in region.origin.asked]
        assert first is None
        assert len(rest) == 1
        assert rest[0].startswith(b"bytes=524288-")


async def test_a_silent_edge_is_not_waited_for() -> None:
    over = asyncio.Event()

    async def silent(_asked: Asked, _writer: asyncio.StreamWriter) -> None:
        await over.wait()

    async with (
        running_origin(silent) as hanging,
        running_region(short, 1, outside=1, edge_silent_s=0.2) as region,
    ):
        (edge,) = region.edges.values()
        edge.worker.neighbours.shield.follow({hanging.url: 0.0})
        assert (await edge.get("/v/1")).body == b"of /v/1"
        assert counted(region, "edge_asked") == {"first-byte-timeout": 1}
        assert len(region.origin.asked) == 1
        over.set()


async def test_where_all_are_silent_only_two_are_waited_for() -> None:
    over = asyncio.Event()

    async def silent(_asked: Asked, _writer: asyncio.StreamWriter) -> None:
        await over.wait()

    async with AsyncExitStack() as stack:
        hanging = [await stack.enter_async_context(running_origin(silent)) for _ in range(5)]
        region = await stack.enter_async_context(
            running_region(short, 1, outside=1, edge_silent_s=0.1)
        )
        (edge,) = region.edges.values()
        edge.worker.neighbours.shield.follow({each.url: 0.0 for each in hanging})
        assert (await edge.get("/v/1")).body == b"of /v/1"
        assert counted(region, "edge_asked") == {"first-byte-timeout": SILENT_MAX}
        over.set()


async def test_a_name_that_can_be_nobodys_is_passed_over() -> None:
    async with running_region(short, 1, outside=1) as region:
        (edge,) = region.edges.values()
        edge.worker.neighbours.shield.follow({"http://a..b:80": 0.0})
        assert (await edge.get("/v/1")).body == b"of /v/1"
        assert counted(region, "edge_asked") == {"connect-refused": 1}


async def test_a_slow_origin_is_waited_for_by_all() -> None:
    """Signs of life of the owner keep the others from asking the origin themselves."""
    begun, answer = asyncio.Event(), asyncio.Event()

    async def slow(asked: Asked, writer: asyncio.StreamWriter) -> None:
        begun.set()
        await answer.wait()
        await short(asked, writer)

    async with running_region(slow, 3, edge_silent_s=5.0) as region:
        asking = [asyncio.create_task(edge.get("/v/1")) for edge in region.edges.values()]
        await begun.wait()
        owner, *_ = region.ranked("/v/1")
        client = await asyncio.open_connection(*place_of(region, owner))
        client[1].write(b"\r\n".join(question("/v/1", TOKEN, SEQUENCE)))
        async with asyncio.timeout(60):
            for _ in range(2):
                sign = await client[0].readuntil(b"\r\n\r\n")
                assert sign == b"HTTP/1.1 102 Processing\r\n\r\n"
        answer.set()
        assert [each.body for each in await asyncio.gather(*asking)] == [b"of /v/1"] * 3
        assert len(region.origin.asked) == 1
        client[1].close()


def place_of(region: Region, edge: Edge) -> tuple[str, int]:
    host, _, port = region.url_of(edge).removeprefix("http://").rpartition(":")
    return host, int(port)


def question(target: str, *lines: str, method: str = "GET") -> list[bytes]:
    head = [f"{method} {target} HTTP/1.1", "Host: edge.test", *lines, "", ""]
    return [line.encode() for line in head]


@pytest.mark.parametrize(
    ("lines", "method", "status", "result"),
    [
        ([TOKEN, SEQUENCE], "GET", 200, "answered"),
        ([TOKEN, SEQUENCE], "HEAD", 200, "answered"),
        ([SEQUENCE], "GET", 403, "forbidden"),
        (["Amaro-Region: another", SEQUENCE], "GET", 403, "forbidden"),
        ([TOKEN, TOKEN, SEQUENCE], "GET", 403, "forbidden"),
        ([TOKEN, SEQUENCE], "POST", 405, "method"),
        ([TOKEN], "GET", 421, "other-log"),
        ([TOKEN, f"Amaro-Sequence: {'ff' * 8};0"], "GET", 421, "other-log"),
    ],
)
async def test_who_may_ask(lines: list[str], method: str, status: int, result: str) -> None:
    async with running_region(short, 1) as region:
        (edge,) = region.edges.values()
        client = Client(*await asyncio.open_connection(*place_of(region, edge)))
        got = await client.get("/v/1", *lines, method=method)
        assert got.status == status
        assert counted(region, "edge_answered") == {result: 1}
        assert len(region.origin.asked) == (status == 200)
        if status == 200:
            assert got.get("amaro-sequence") == f"{LOG.hex()};0".encode()
            assert got.get("surrogate-key") == b"tag-a"
        assert (await edge.get("/v/1")).get("amaro-sequence") is None
        await client.close()


@pytest.mark.parametrize(("owns", "hop"), [(True, b"0;up"), (False, b"0")])
async def test_a_worker_tells_another_whom_it_may_ask(
    owns: bool, hop: bytes, tmp_path: Path
) -> None:
    """An edge may wait for one that owns keys; nobody waits for another until it has its answer."""
    gate = asyncio.Event()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(peer_socket(tmp_path, 1)))
    async with running_region(short, 1) as region, running_origin(ranged(gate=gate)) as worker:
        (edge,) = region.edges.values()
        workers = await asyncio.start_unix_server(worker._serve, sock=listener)
        upstreams = edge.worker.app._exchange.filler.asker.upstreams
        key = next(key for key in map(b"http://edge.test/%d".__mod__, range(99)) if ranks(key))
        edge.worker.app._exchange.filler.asker.upstreams = PeerUpstreams(
            origins=upstreams.origins, worker_no=0, workers=2, peer_dir=tmp_path
        )
        shield = edge.worker.neighbours.shield
        shield.follow({region.url_of(edge): 0.0 if owns else inf})
        target = key.removeprefix(b"http://edge.test").decode()
        asking = asyncio.create_task(edge.get(target))
        await until(lambda: edge.worker.counters.peer_bytes > 0)
        shield.follow({region.url_of(edge): 0.0})
        answer = shield.answer(key, 0.0)
        assert (answer is not None) is owns
        gate.set()
        assert (await asking).body == BODY
        assert shield.answer(key, 0.0) is not None
        assert worker.asked[0].get("amaro-hop") == hop
        workers.close()


def ranks(key: bytes) -> bool:
    """Whether the first of two workers asks the second for it."""
    return ranking(key, 2)[0] == 1


async def test_a_worker_that_asks_below_lets_no_edge_wait_for_it_through_another_worker() -> None:
    """It passes the question on to the origin, and follows no fill that waits for others."""
    gate = asyncio.Event()
    async with (
        running_origin(ranged(BODY, *KEPT, SEQUENCE, gate=gate)) as below,
        running_region(short, 1) as region,
    ):
        (edge,) = region.edges.values()
        own, shield = region.url_of(edge), edge.worker.neighbours.shield
        weigh = partial(Member.weight, Member(own))
        target = next(
            target
            for target in map("/v/{}".format, range(99))
            if weigh(key_of(target)) > Member(below.url).weight(key_of(target))
        )
        shield.follow({own: inf, below.url: 0.0})
        waiting = asyncio.create_task(edge.get(target))
        await until(lambda: edge.worker.counters.edge_bytes > 0)
        listener = socket.create_server(("127.0.0.1", 0))
        server = PromptServer(edge.worker, peers=True)
        serving = asyncio.create_task(server.run_on([listener]))
        await server.serving.wait()
        client = Client(*await asyncio.open_connection(*listener.getsockname()))
        got = await client.get(target, "Amaro-Hop: 0;up")
        assert got.body == b"of " + target.encode()
        await client.close()
        gate.set()
        await waiting
        server.should_exit = True
        await serving


def key_of(target: str) -> bytes:
    return f"http://edge.test{target}".encode()


async def test_one_that_owns_nothing_is_not_to_be_asked() -> None:
    async with running_region(short, 2) as region:
        one, other = region.ranked("/v/1")
        one.worker.neighbours.shield.follow({region.url_of(other): 0.0})
        assert (await other.get("/v/1")).body == b"of /v/1"
        assert counted(region, "edge_asked") == {"edge-refused": 1}
        assert counted(region, "edge_answered") == {"not-owner": 1}
        assert (await one.get("/v/1")).body == b"of /v/1"
        assert len(region.origin.asked) == 1


@pytest.mark.parametrize(
    "line",
    ["Authorization: Bearer secret", "Cookie: session=secret"],
)
async def test_what_may_be_one_users_alone_goes_past_the_others(line: str) -> None:
    async with running_region(short, 3) as region:
        *_, last = region.ranked("/v/1")
        assert (await last.get("/v/1", line)).status == 200
        assert counted(region, "edge_asked") == {}
        assert len(region.origin.asked) == 1


async def test_nothing_of_a_player_reaches_another_edge() -> None:
    async with running_origin(short) as other, running_region(short, 1, outside=1) as region:
        (edge,) = region.edges.values()
        edge.worker.neighbours.shield.follow({other.url: 0.0})
        said = ["CMCD-Session: sid=secret", "X-Forwarded-For: 192.0.2.1", "Accept: text/html"]
        await edge.get("/v/1?CMCD=sid%3Dsecret", *said, "Amaro-Region: guessed", "Amaro-Hop: 1")
    (asked,) = other.asked
    assert (asked.method, asked.target) == ("GET", b"/v/1")
    assert asked.fields == [
        ("host", b"edge.test"),
        ("accept", b"text/html"),
        ("amaro-region", REGION_TOKEN.encode()),
        ("amaro-sequence", f"{LOG.hex()};0".encode()),
        ("x-forwarded-proto", b"http"),
    ]


@pytest.mark.parametrize("soft", [False, True])
async def test_what_was_purged_where_it_is_asked_for_comes_from_the_origin(soft: bool) -> None:
    """The owner hears of a purge later than who asks it: it reads on, or passes the question on."""
    versions = iter([b"old", b"new", b"newer"])

    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(response(next(versions), *KEPT))

    async with running_region(script, 2) as region:
        owner, other = region.ranked("/v/1")
        assert await everywhere(region, "/v/1") == [b"old"] * 2
        region.purge(PurgeKind.TAG, b"tag-a", soft=soft, at=[other])
        assert (await other.get("/v/1")).body == b"new"
        assert counted(region, "edge_answered") == {"answered": 1, "behind": 1}
        assert (await owner.get("/v/1")).body == b"old"
        assert len(region.origin.asked) == 2


async def test_who_is_behind_asks_nobody_who_may_be_behind_too() -> None:
    """Not even for a head: what it is told by others may be from before the purge, too."""
    lengths = iter([3, 5])

    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        length = next(lengths)
        body = b"" if asked.method == "HEAD" else bytes(length)
        writer.write(response(body, *KEPT, length=length))

    async with running_region(script, 3) as region:
        first, second, third = region.ranked("/v/1")
        await first.get("/v/1")
        region.purge(PurgeKind.TAG, b"tag-a", at=[third])
        urls = map(region.url_of, (second, third))
        third.worker.neighbours.shield.follow(dict.fromkeys(urls, 0.0))
        got = await third.get("/v/1", method="HEAD")
        assert got.get("content-length") == b"5"
        assert counted(region, "edge_answered") == {"behind": 1}


async def test_an_owner_that_is_behind_reads_on_in_time() -> None:
    versions = iter([b"old", b"new"])

    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(response(next(versions), *KEPT))

    async with running_region(script, 2) as region:
        owner, other = region.ranked("/v/1")
        await everywhere(region, "/v/1")
        region.purge(PurgeKind.ALL, at=[other])

        async def read_on() -> None:
            owner.purge(PurgeKind.ALL)
            reached(owner, 1)

        owner.worker.region_app.entrance.read_on = read_on
        assert (await other.get("/v/1")).body == b"new"
        assert (await owner.get("/v/1")).body == b"new"
        assert counted(region, "edge_answered") == {"answered": 2}
        assert len(region.origin.asked) == 2


async def test_an_order_given_at_one_edge_alone_holds_there() -> None:
    """What others have may be from before it; nobody but the origin can tell."""
    versions = iter([b"old", b"new"])

    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(response(next(versions), *KEPT))

    async with running_region(script, 3) as region:
        owner, second, third = region.ranked("/v/1")
        assert (await owner.get("/v/1")).body == b"old"
        assert (await second.get("/v/1")).body == b"old"
        third.purge(PurgeKind.URL, b"http://edge.test/v/1")
        assert (await third.get("/v/1")).body == b"new"
        assert counted(region, "edge_asked") == {"answered": 1, "edge-outdated": 1}
        assert (await second.get("/v/1")).body == b"old"


async def test_what_came_from_others_is_as_old_as_they_say() -> None:
    """An order of one edge's own holds against what went through two others meanwhile."""
    versions = iter([b"old", b"new"])

    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(response(next(versions), *KEPT))

    async with running_region(script, 3) as region:
        owner, second, third = region.ranked("/v/1")
        assert (await owner.get("/v/1")).body == b"old"
        third.purge(PurgeKind.URL, b"http://edge.test/v/1")
        region.purge(PurgeKind.TAG, b"another")
        assert (await second.get("/v/1")).body == b"old"
        cut_off(owner)
        assert (await third.get("/v/1")).body == b"new"


async def test_errors_of_an_edge_are_nobody_elses() -> None:
    """One that cannot reach the origin says so, and who asked it tries for itself."""
    async with running_region(short, 2, retry_burst=99.0) as region:
        owner, other = region.ranked("/v/1")

        async def broken(*_: object, **__: object) -> None:
            raise UpstreamError("connect-refused")

        owner.worker.client.fetch = broken
        assert (await other.get("/v/1")).body == b"of /v/1"
        assert counted(region, "edge_asked") == {"connect-refused": 1}
        assert other.worker.snapshot()[f"edge_up {region.url_of(owner)}"] == 1.0


async def test_one_that_alone_reaches_no_origin_is_soon_not_asked() -> None:
    async with running_region(short, 3, retry_burst=99.0) as region:
        owner, second, third = region.ranked("/v/1")

        async def broken(*_: object, **__: object) -> None:
            raise UpstreamError("connect-timeout")

        owner.worker.client.fetch = broken
        paths = (f"/v/{n}" for n in itertools.count())
        owned = (path for path in paths if region.ranked(path)[0] is owner)
        for _ in range(6):
            await third.get(next(owned))
        told = third.worker.snapshot()
        failed = f"edge_asked {region.url_of(owner)} connect-timeout"
        assert told[failed] == 3
        assert told[f"edge_up {region.url_of(owner)}"] == 0.0
        assert told[f"edge_up {region.url_of(second)}"] == 1.0


async def test_where_nobody_reaches_the_origin_nobody_is_left_out() -> None:
    async with running_region(short, 3, retry_burst=99.0) as region:
        owner, *_ = region.ranked("/v/1")

        async def broken(*_: object, **__: object) -> None:
            raise UpstreamError("connect-refused")

        for edge in region.edges.values():
            edge.worker.client.fetch = broken
        for number in range(9):
            assert (await owner.get(f"/v/{number}")).status == 502
        told = owner.worker.snapshot()
        assert {told[f"edge_up {url}"] for url in region.edges if f"edge_up {url}" in told} == {1.0}


@pytest.mark.parametrize("token", [REGION_TOKEN, "another-region's"])
async def test_only_an_edge_of_this_region_is_well_again(token: str) -> None:
    """Nor is another server that says that it is ready: a player's listener does, too."""
    async with running_region(short, 2) as region:
        one, other = region.edges.values()
        other.worker.region_app.entrance.token = token.encode()
        shield, url = one.worker.neighbours.shield, region.url_of(other)
        players = f"http://127.0.0.1:{other.port}"
        shield.follow({region.url_of(one): 0.0, url: 0.0, players: 0.0})
        for upstream in (Upstream(url), Upstream(players)):
            for _ in range(3):
                shield.saw(upstream, Signal.FAIL)
            await one.worker.neighbours._probe(upstream)
        told = one.worker.snapshot()
        assert told[f"edge_up {url}"] == float(token == REGION_TOKEN)
        assert told[f"edge_up {players}"] == 0.0


@pytest.mark.parametrize("method", ["HEAD", "GET"])
async def test_what_another_passes_on_is_as_old_as_it_was_told(method: str) -> None:
    """A head, and what is too large for it: an order of one edge's own holds against it, too."""
    bodies = iter([b"old", b"newer"])

    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        body = next(bodies)
        writer.write(response(b"" if asked.method == "HEAD" else body, *KEPT, length=len(body)))

    async with running_region(script, 3) as region:
        owner, second, third = region.ranked("/v/1")
        await owner.get("/v/1")
        third.purge(PurgeKind.URL, b"http://edge.test/v/1")
        region.purge(PurgeKind.TAG, b"another")
        filler = second.worker.app._exchange.filler
        filler.limits = replace(filler.limits, object_max_bytes=2)
        third.worker.neighbours.shield.follow({region.url_of(second): 0.0})
        got = await third.get("/v/1", method=method)
        assert got.get("content-length") == b"5"
        assert counted(region, "edge_asked") == {"answered": 1, "edge-outdated": 1}


async def test_what_was_counted_of_one_that_left_is_dropped_when_the_list_changes_again() -> None:
    async with running_region(short, 2) as region:
        owner, other = region.ranked("/v/1")
        await other.get("/v/1")
        neighbours, asked = other.worker.neighbours, f"edge_asked {region.url_of(owner)} answered"
        await neighbours.follow({region.url_of(other): 0.0})
        assert other.worker.snapshot()[asked] == 1
        await neighbours.follow({region.url_of(other): 0.0, "http://10.0.0.9:1": 0.0})
        assert asked not in other.worker.snapshot()


async def test_without_a_log_nothing_is_shared() -> None:
    async with running_region(short, 3) as region:
        for edge in region.edges.values():
            edge.worker.opened.region.forget()
        assert await everywhere(region, "/v/1") == [b"of /v/1"] * 3
        assert len(region.origin.asked) == 3
        assert counted(region, "edge_asked") == {}
