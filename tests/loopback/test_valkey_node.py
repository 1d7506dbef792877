"""A real edge node with a Valkey: a worker, or a node, that begins anew finds there what it had."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

from tests.loopback.test_disk_node import HOST, get, have_on_disk, metrics
from tests.support.counting_origin import CountingOrigin, content, counting_origin
from tests.support.edge_node import RunningNode, edge_node, eventually
from tests.support.valkeys import RunningValkey, valkey

SIZE = 2_000
PATHS = [f"/v/{number}" for number in range(20)]


def have_in_valkey(node: RunningNode, server: RunningValkey) -> int:
    """Ask for all objects; return how many are there then: a busy machine takes time from some."""
    for path in PATHS:
        get(node, f"{path}?size={SIZE}", size=SIZE)

    def are_done() -> bool:
        counted = metrics(node)
        tried = [counted["valkey_writes_total", result] for result in ("written", "skipped")]
        return sum(tried) + counted["valkey_errors_total",] >= len(PATHS)

    eventually(are_done, "writing to Valkey")
    return len(server.names())


def kill_worker(node: RunningNode) -> None:
    """End the only worker, and wait for the next one."""
    (pid,) = node.worker_pids()
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: node.status()["workers"][0]["pid"] not in (None, pid), "a worker")


def look_again(node: RunningNode, origin: CountingOrigin) -> int:
    """Ask for all of them; return how many came from Valkey. The origin is asked for no others."""
    asked = sum(origin.asked.values())
    said = [get(node, f"{path}?size={SIZE}", size=SIZE) for path in PATHS]
    found = sum("detail=valkey" in each for each in said)
    assert sum(origin.asked.values()) - asked <= len(PATHS) - found
    return found


def purged(node: RunningNode, path: str) -> str:
    """Ask for what was purged, and has another version now; return what Cache-Status says."""
    got = node.get(f"{path}?size={SIZE}", headers={"host": HOST})
    assert got.content == content(path, 2, SIZE)
    return str(got.headers["cache-status"])


def test_a_worker_that_begins_anew_finds_what_the_node_had() -> None:
    with (
        valkey() as server,
        counting_origin() as origin,
        edge_node(origin.url, "--redis", server.url) as node,
    ):
        there = have_in_valkey(node, server)
        kill_worker(node)
        found = look_again(node, origin)
        counted = metrics(node)
        assert counted.get(("requests_total", "fresh", "hit-slow", "valkey"), 0) == found
        skipped = counted["valkey_reads_total", "skipped"] + counted["valkey_errors_total",]
        assert found >= there - skipped
        assert counted["valkey_up", server.place] == 1


def test_what_was_purged_is_not_served_by_a_worker_that_begins_anew() -> None:
    with (
        valkey() as server,
        counting_origin() as origin,
        edge_node(origin.url, "--redis", server.url) as node,
    ):
        have_in_valkey(node, server)
        node.purge(url=f"http://{HOST}{PATHS[0]}?size={SIZE}").raise_for_status()
        origin.version = 2
        kill_worker(node)
        assert "fwd=uri-miss" in purged(node, PATHS[0])


def test_a_node_with_a_disk_remembers_what_was_purged_of_both(tmp_path: Path) -> None:
    with valkey() as server, counting_origin() as origin:
        options = ("--redis", server.url, "--disk", str(tmp_path))
        with edge_node(origin.url, *options) as node:
            there = have_in_valkey(node, server)
            have_on_disk(node, tmp_path, (PATHS[0], SIZE))
            node.kill()
        shutil.rmtree(tmp_path / "objects")
        with edge_node(origin.url, *options) as node:
            found, counted = look_again(node, origin), metrics(node)
            skipped = counted["valkey_reads_total", "skipped"] + counted["valkey_errors_total",]
            assert found >= there - skipped
            node.purge(url=f"http://{HOST}{PATHS[1]}?size={SIZE}").raise_for_status()
            node.kill()
        shutil.rmtree(tmp_path / "objects")
        origin.version = 2
        with edge_node(origin.url, *options) as node:
            assert "fwd=uri-miss" in purged(node, PATHS[1])
