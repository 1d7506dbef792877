"""Two real edges and a Valkey: pages hear each other, and come back anywhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from edge.realtime.carriers import CHANNEL, STREAM
from tests.loopback.test_realtime import REALTIME, page, publish, worker_url
from tests.support.counting_origin import counting_origin
from tests.support.edge_node import RunningNode, edge_node, eventually
from tests.support.valkeys import RunningValkey, valkey, valkey_cluster


@pytest.fixture(scope="module")
def server() -> Iterator[RunningValkey]:
    with valkey() as running:
        yield running


@pytest.fixture(scope="module")
def edges(server: RunningValkey) -> Iterator[tuple[RunningNode, RunningNode]]:
    options = (*REALTIME, "--redis", server.url)
    with (
        counting_origin() as origin,
        edge_node(origin.url, *options) as north,
        edge_node(origin.url, *options) as south,
    ):
        yield north, south


def test_people_hear_each_other_on_all_edges(edges: tuple[RunningNode, RunningNode]) -> None:
    north, south = map(worker_url, edges)
    with page(north) as ada, page(south) as ben:
        ada.join("story:a")
        ben.join("story:a", "ben")
        while ada.hear("presence")["here"] != 2:  # so the edges hear each other by now
            pass
        ben.say(t="say", topic="story:a", kind="reaction", value="❤")
        assert ada.hear("signal")["from"] == "ben"
        assert ben.hear("signal")["from"] == "ben"


def test_a_mark_means_the_same_on_all_edges(edges: tuple[RunningNode, RunningNode]) -> None:
    north, south = edges
    with page(worker_url(north)) as ada:
        ada.join("story:b")
        publish(north, "b-1", "story:b")
        publish(south, "b-1", "story:b")  # both are told by the origin: it is one event
        publish(south, "b-2", "story:b")
        first, second = ada.hear("signal"), ada.hear("signal")
        assert [first["key"], second["key"]] == ["b-1", "b-2"]
    with page(worker_url(south)) as ada:
        assert not ada.join("story:b", after=first["mark"])["gap"]
        assert ada.hear("signal") == second


def test_what_is_no_signal_harms_nobody(
    server: RunningValkey, edges: tuple[RunningNode, RunningNode]
) -> None:
    north, south = edges
    pids = [edge.status()["realtime"]["pid"] for edge in edges]
    server.ask("XADD", STREAM, "*", b"\xff", b"\xff")
    server.ask("XADD", STREAM, "*", "topic", "story:d", "value", "7")
    server.ask("PUBLISH", CHANNEL, b"\xff")
    with page(worker_url(south)) as ada:
        ada.join("story:d")
        publish(north, "d-1", "story:d")
        assert ada.hear("signal")["key"] == "d-1"
    assert [edge.status()["realtime"]["pid"] for edge in edges] == pids


def test_without_valkey_an_edges_own_pages_are_told_and_later_all(
    server: RunningValkey, edges: tuple[RunningNode, RunningNode]
) -> None:
    north, south = edges
    signal = {"topic": "story:c", "kind": "watchable", "key": "c-1", "value": {}}

    def says(edge: RunningNode) -> bool:
        return edge.admin("POST", "/signals", json=signal).status_code == 200

    with page(worker_url(north)) as ada, page(worker_url(south)) as ben:
        ada.join("story:c")
        ben.join("story:c", "ben")
        server.kill()
        assert not says(north)
        early = ada.hear("signal")
        assert (early["key"], "mark" in early) == ("c-1", False)
        server.start_again()
        assert eventually(lambda: says(north))  # as the origin repeats it
        assert ben.hear("signal")["key"] == "c-1"
        while "mark" not in (again := ada.hear("signal")):
            pass
        assert again["key"] == "c-1"


def test_a_cluster_carries_signals_by_the_server_that_has_them() -> None:
    with valkey_cluster(servers=4) as nodes, counting_origin() as origin:
        names = ",".join(node.place for node in nodes[:2])
        options = (*REALTIME, "--redis", f"redis+cluster://{names}")
        with (
            edge_node(origin.url, *options) as north,
            edge_node(origin.url, *options) as south,
            page(worker_url(north)) as ada,
            page(worker_url(south)) as ben,
        ):
            ada.join("story:a")
            ben.join("story:a", "ben")
            while ada.hear("presence")["here"] != 2:
                pass
            ben.say(t="say", topic="story:a", kind="typing")
            assert ada.hear("signal")["kind"] == "typing"
            publish(north, "a-1", "story:a")
            assert [ben.hear("signal")["kind"] for _ in range(2)] == ["typing", "watchable"]
