"""A real edge node, one worker or two: it is one cache, whichever worker a player meets."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from edge.settings import Address
from tests.support.counting_origin import counting_origin
from tests.support.edge_hammer import HOST, Hammer, Rig, version_of
from tests.support.edge_node import (
    DEADLINE_S,
    NO_TLS,
    RunningNode,
    await_end,
    decoded,
    edge_node,
    eventually,
)
from tests.support.ports import own_port


@pytest.fixture(scope="module", params=[1, 2], ids=["1-worker", "2-workers"])
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    with counting_origin() as origin, edge_node(origin.url, workers=request.param) as node:
        yield Rig(origin, node)


@pytest.mark.parametrize(
    "order",
    [
        {"url": f"http://{HOST}/purged/a?size=9"},
        {"url": "/purged/a?size=9"},
        {"prefix": f"http://{HOST}/purged/"},
        {"prefix": "/purged/"},
        {"tag": "tag-purged"},
        {"tags": ["other", "every"]},
        {"all": True},
        {"tag": "tag-purged", "soft": True},
    ],
    ids=str,
)
async def test_a_purge_reaches_every_worker(rig: Rig, order: dict[str, object]) -> None:
    await rig.versions("/purged/a?size=9")
    old = rig.origin.version
    rig.origin.version += 1
    assert await rig.versions("/purged/a?size=9") <= {old}
    receipt = decoded(await asyncio.to_thread(rig.node.purge, **order))
    assert receipt["workers"] == rig.node.settings.workers
    assert await rig.versions("/purged/a?size=9") == {rig.origin.version}


async def test_a_purge_of_something_else_leaves_the_rest(rig: Rig) -> None:
    before = await rig.versions("/kept/a?size=9")
    rig.origin.version += 1
    for order in ({"url": f"http://{HOST}/kept/a"}, {"tag": "kept"}, {"prefix": "/kept/b"}):
        decoded(await asyncio.to_thread(rig.node.purge, **order))
    assert await rig.versions("/kept/a?size=9") == before


async def test_an_unsafe_request_invalidates_in_every_worker(rig: Rig) -> None:
    await rig.versions("/posted?size=9")
    rig.origin.version += 1
    client = await rig.client()
    assert (await client.get("/posted?size=9", "Content-Length: 0", method="POST")).status == 200
    await client.close()
    assert await rig.versions("/posted?size=9") == {rig.origin.version}


@pytest.mark.parametrize(
    ("path", "method", "line"),
    [
        ("/named/{}?size=9&named=1", "POST", "Content-Length: 0"),
        ("/shared/{}?size=9&cc=cache-control:+public,+max-age=60", "GET", "Authorization: me"),
    ],
    ids=["POST", "Authorization"],
)
async def test_what_one_worker_may_keep_the_node_has(
    rig: Rig, path: str, method: str, line: str
) -> None:
    for number in range(6):  # some keys are owned by each worker
        client = await rig.client()
        target = path.format(number)
        got = await client.get(target, line, method=method)
        assert version_of(target, got.body) == rig.origin.version
        await client.close()
        rig.origin.asked.clear()
        assert await rig.versions(target) == {rig.origin.version}
        assert not rig.origin.asked


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_nothing_starts_with_content_from_before_an_acknowledged_purge(
    rig: Rig, seed: int
) -> None:
    await Hammer(rig, seed).run()


async def test_a_hundred_players_of_a_cold_object_are_one_origin_request(rig: Rig) -> None:
    path = "/cold/film?size=3000000&pause=0.002"
    rig.origin.gate = threading.Event()
    clients = [await rig.client() for _ in range(100)]
    try:
        for client in clients:
            client.send(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        await asyncio.to_thread(
            eventually, lambda: rig.origin.asked["GET /cold/film"], "an origin request"
        )
    finally:
        rig.origin.gate.set()
    for got in await asyncio.gather(*(client.read() for client in clients)):
        assert got.status == 200
        assert version_of(path, got.body) == rig.origin.version
        assert len(got.body) == 3_000_000
    assert rig.origin.asked["GET /cold/film"] == 1
    for client in clients:
        await client.close()


async def test_every_player_gets_bytes_while_the_origin_still_sends(rig: Rig) -> None:
    """Through an owner or not, the first bytes do not wait for the last ones."""
    for number in range(6):  # some keys are owned by each worker
        path = f"/streamed/{number}?size=655360"
        rig.origin.middle = threading.Event()
        client = await rig.client()
        client.send(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        try:
            async with asyncio.timeout(DEADLINE_S):
                head = await client.reader.readuntil(b"\r\n\r\n")
                assert b" 200 OK" in head, head
                first = await client.reader.readexactly(65_536)
        finally:
            rig.origin.middle.set()
        rest = await asyncio.wait_for(client.reader.readexactly(655_360 - 65_536), DEADLINE_S)
        assert version_of(path, first + rest) == rig.origin.version
        await client.close()


async def test_a_player_cannot_pass_for_a_peer(rig: Rig) -> None:
    for number in range(6):
        client = await rig.client()
        spoofed = ("Amaro-Hop: 99", "X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https")
        got = await client.get(f"/spoofed/{number}?size=9", *spoofed)
        await client.close()
        assert got.status == 200
        assert got.get("surrogate-key") is None
        assert got.get("amaro-hop") is None
        lines = rig.origin.last_head.lower().split(b"\r\n")
        assert b"x-forwarded-for: 127.0.0.1" in lines
        assert b"x-forwarded-proto: http" in lines
        assert not any(line.startswith(b"amaro-hop") for line in lines)
        assert lines.count(b"via: 1.1 amaro-edge") == 1


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_dead_origin_has_one_name_in_every_worker(workers: int) -> None:
    with edge_node("http://127.0.0.1:1", workers=workers) as node:
        for number in range(12):
            got = node.get(f"/lost/{number}")
            assert got.status_code == 502
            assert got.headers["cache-status"] == (
                "amaro-edge; fwd=uri-miss; detail=connect-refused"
            )
            assert "amaro-hop" not in got.headers
        lost = ("requests_total", "connect-refused", "error", "none")
        said = eventually(lambda: counted(node, 12), "what every worker counted")
        assert (said[lost], said["fills_failed_total",]) == (12, 12)


def metrics(node: RunningNode) -> dict[tuple[str, ...], float]:
    text = node.admin("GET", "/metrics", token=None).text
    return {
        (sample.name.removeprefix("amaro_edge_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def results_of(said: dict[tuple[str, ...], float]) -> Counter[str]:
    """How many requests were answered in which way."""
    results = Counter[str]()
    for key, value in said.items():
        if key[0] == "requests_total":
            results[key[2]] += int(value)
    return results


def counted(node: RunningNode, requests: int) -> dict[tuple[str, ...], float] | None:
    """The metrics, once so many requests are in them: a worker that is slow is asked again."""
    said = metrics(node)
    return said if results_of(said).total() == requests else None


@pytest.mark.parametrize("workers", [1, 2])
async def test_metrics_are_what_players_did(workers: int) -> None:
    with counting_origin() as origin, edge_node(origin.url, workers=workers) as node:
        rig = Rig(origin, node)
        paths = [f"/m/{number}?size=1000" for number in range(20)]
        for path in [*paths, *paths, *paths]:
            await rig.versions(path, times=1)
        for _ in range(7):
            client = await rig.client()
            got = await client.get("/private?cc=cache-control:+no-store")
            assert got.status == 200
            await client.close()
        for _ in range(3):
            assert node.get("/.amaro/ready").text == "ready\n"
        decoded(node.purge(tag="every"))
        said = eventually(lambda: counted(node, 70), "what every worker counted")
        results = results_of(said)
        assert results["miss"] + results["hit"] + results["bypass"] == 67
        assert results["own"] == 3
        assert sum(results.values()) == 70
        assert said["fills_total", "origin"] == sum(origin.asked.values()) == 27
        assert said["fill_bytes_total", "origin"] == 20_000
        assert said["purges_total",] == 1
        assert said["memory_objects",] == 0
        assert said["workers",] == workers
        assert said["worker_restarts_total",] == 0
        budget = said["memory_budget_bytes",]
        assert budget == 64 * 1024 * 1024


@pytest.mark.parametrize("workers", [1, 2])
def test_a_drain_finishes_what_runs_and_says_so(workers: int) -> None:
    path = "/slow?size=1310720"
    listen = Address("127.0.0.1", own_port())
    with counting_origin() as origin, edge_node(origin.url, workers=workers, listen=listen) as node:
        processes = node.processes()
        origin.middle = threading.Event()  # it says no more before the node has said that it ends
        with (
            httpx.Client(
                base_url=node.url, trust_env=False, timeout=DEADLINE_S, verify=NO_TLS
            ) as player,
            player.stream("GET", path) as response,
        ):
            body = response.iter_raw(65_536)
            parts = [next(body)]
            node.process.terminate()
            eventually(lambda: node.admin("GET", "/.amaro/ready").status_code == 503, "not ready")
            origin.middle.set()
            parts += body
        assert version_of(path, b"".join(parts)) == 1
        assert node.process.wait(DEADLINE_S) == 0
        await_end(processes)
        with socket.socket() as probe:
            assert probe.connect_ex(listen) != 0


async def test_what_is_one_user_s_goes_by_the_owner_once() -> None:
    with counting_origin() as origin, edge_node(origin.url, workers=2) as node:
        rig = Rig(origin, node)
        for number in range(6):  # some keys are owned by each worker
            for _ in range(10):
                client = await rig.client()
                await client.get(f"/mine/{number}?size=9", "Authorization: me")
                await client.close()
            assert origin.asked[f"GET /mine/{number}"] == 10

        said = await asyncio.to_thread(
            eventually, lambda: counted(node, 60), "what every worker counted"
        )
        assert said.get(("fills_total", "peer"), 0) <= 6
