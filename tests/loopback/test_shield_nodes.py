"""Real nodes of one region ask the origin once for all of them, and outlive each other."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.counting_origin import CountingOrigin, content, counting_origin
from tests.support.edge_node import DEADLINE_S, NO_TLS, RunningNode, decoded, edge_node, eventually
from tests.support.ports import own_ports
from tests.support.purge_log import served_log
from tests.support.region_nodes import (
    HOST,
    RunningRegion,
    asked_of,
    members_of,
    owners_by,
    running_nodes,
)
from tests.support.valkeys import valkey

SIZE = 3_000_000
N = 3


@pytest.fixture(scope="module")
def origin() -> Iterator[CountingOrigin]:
    with counting_origin() as running:
        yield running


@pytest.fixture(scope="module")
def region(origin: CountingOrigin, tmp_path_factory: pytest.TempPathFactory) -> RunningRegion:
    with running_nodes(
        origin.url, N, tmp_path_factory.mktemp("region"), workers=(1, 2, 1)
    ) as running:
        yield running


async def get(nodes: list[RunningNode], target: str, each: int = 3) -> list[bytes]:
    """What so many players of each node get, all at the same time."""
    async with httpx.AsyncClient(timeout=DEADLINE_S, trust_env=False, verify=NO_TLS) as client:
        asked = [
            client.get(node.url + target, headers={"host": HOST})
            for node in nodes
            for _ in range(each)
        ]
        got = await asyncio.gather(*asked)
    assert {each.status_code for each in got} == {200}
    return [each.content for each in got]


async def test_all_ask_for_one_cold_object_and_the_origin_is_asked_once(
    region: RunningRegion, origin: CountingOrigin
) -> None:
    path = f"/cold/1?size={SIZE}"
    bodies = await get(list(region.nodes.values()), path)
    assert set(bodies) == {content("/cold/1", 1, SIZE)}
    assert 1 <= origin.asked["GET /cold/1"] <= 1 + region.skipped()


async def test_a_purge_of_the_regions_log_leaves_nothing_from_before_it(
    region: RunningRegion, origin: CountingOrigin
) -> None:
    """Each node acknowledges by itself; the others may not have heard yet."""
    path, old = "/purged/1?size=1000", origin.version
    await get(list(region.nodes.values()), path)
    origin.version += 1
    number = region.log.tag("tag-purged")
    for node in region.nodes.values():
        message = region.log.message(number - 1)
        decoded(node.admin("POST", "/purge", json=message))
        bodies = await get([node], path, each=4)
        assert set(bodies) == {content("/purged/1", old + 1, 1_000)}
    assert origin.asked["GET /purged/1"] <= 2 + N + region.skipped()


def test_status_and_members_tell_who_there_is(region: RunningRegion) -> None:
    url, node = next(iter(region.nodes.items()))
    told = node.status()["shield"]
    assert told["edge"] == url
    assert told["owns_keys"]
    assert not told["announced"]
    assert [each["url"] for each in told["members"]] == sorted(region.nodes)
    assert all(each["up"] for each in told["members"])
    assert node.admin("GET", "/members", token=None).status_code == 401
    assert node.admin("PUT", "/members", json={"members": ["nothing"]}).status_code == 400


async def test_members_can_be_changed_while_they_serve(
    region: RunningRegion, origin: CountingOrigin
) -> None:
    first, *others = region.nodes
    node = region.nodes[first]
    told = decoded(node.admin("PUT", "/members", json={"members": [first]}))
    assert [each["url"] for each in told["members"]] == [first]
    try:
        fresh = itertools.count()

        def asks_nobody() -> bool:
            before = sum(asked_of(node).values())
            for _ in range(20):
                node.get(f"/alone/{next(fresh)}?size=10", headers={"host": HOST})
            return sum(asked_of(node).values()) == before

        await asyncio.to_thread(eventually, asks_nobody)
    finally:
        decoded(node.admin("PUT", "/members", json={"members": [first, *others]}))


async def test_one_killed_in_mid_fill_costs_one_more_request(
    region: RunningRegion, origin: CountingOrigin
) -> None:
    path = f"/killed/1?size={SIZE}&ranges=1"
    origin.middle = threading.Event()
    owner, *others = region.ranked(path)
    asking = asyncio.create_task(get(others, path, each=2))
    began = "amaro_edge_fill_bytes_total"

    def all_have_begun() -> bool:
        return all(f'{began}{{upstream="edge"}} 0.0' not in metrics(node) for node in others)

    before = region.skipped(but=owner)
    await asyncio.to_thread(eventually, lambda: origin.asked["GET /killed/1"] >= 1)
    await asyncio.to_thread(eventually, all_have_begun)
    owner.kill()
    origin.middle.set()
    origin.middle = None
    assert set(await asking) == {content("/killed/1", origin.version, SIZE)}
    skipped = region.skipped(but=owner) - before
    assert origin.asked["GET /killed/1"] <= 2 + skipped
    assert set(await get(others, "/after/1?size=1000")) == {
        content("/after/1", origin.version, 1000)
    }


def metrics(node: RunningNode) -> str:
    return node.admin("GET", "/metrics", token=None).text


def test_edges_announce_themselves_in_valkey_and_join_before_they_own(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("a-region-for-tests")
    one_port, other_port = own_ports()[:2]
    one, other = (f"http://127.0.0.1:{port}" for port in (one_port, other_port))
    with valkey() as server, counting_origin() as origin, served_log() as log:
        told = ["--redis", server.url, "--purge-log", log.url, "--region-token-file", str(token)]
        with edge_node(origin.url, "--peer", f"127.0.0.1:{one_port}", *told) as first:
            eventually(lambda: owners_by(first) == {one})
            with edge_node(origin.url, "--peer", f"127.0.0.1:{other_port}", *told) as second:
                seen = eventually(lambda: members_of(first)["members"][1:] and members_of(first))
                assert {each["url"] for each in seen["members"]} == {one, other}
                eventually(lambda: owners_by(first) == owners_by(second) == {one, other})
                fresh = itertools.count()

                def share() -> bool:
                    """Whether the origin is asked once for each of some new objects."""
                    before = sum(origin.asked.values())
                    for _ in range(20):
                        path = f"/v/{next(fresh)}?size=10"
                        for node in (first, second):
                            node.get(path, headers={"host": HOST})
                    return sum(origin.asked.values()) == before + 20

                eventually(share)
                asked = [asked_of(node).get("answered", 0) for node in (first, second)]
                assert sum(asked) > 0
                second.terminate()
            eventually(lambda: {each["url"] for each in members_of(first)["members"]} == {one})
