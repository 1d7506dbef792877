"""The supervisor over toy workers: start, restart, purge, drain, death."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from functools import partial

import pytest

from edge.settings import Address, Limits
from tests.support.edge_node import (
    DEADLINE_S,
    RunningNode,
    await_end,
    decoded,
    eventually,
    settings_for,
    spawn_toy,
    toy_node,
)
from tests.support.ports import own_port

FAST = Limits(purge_ack_s=30.0, drain_s=1.0, restart_backoff_max_s=0.5)
IMPATIENT = Limits(purge_ack_s=0.5)


@pytest.fixture(params=[1, 2], ids=["1-worker", "2-workers"])
def node(request: pytest.FixtureRequest) -> Iterator[RunningNode]:
    listen = Address("127.0.0.1", own_port())  # for who comes there later
    with toy_node(settings_for(listen=listen, workers=request.param, limits=FAST)) as running:
        yield running


def worker_of(node: RunningNode, number: int, path: str = "/") -> None:
    """Ask until the kernel has sent us to this worker."""
    eventually(lambda: decoded(node.get(path))["worker"] == number, f"worker {number} answers")


def seen_by_all(node: RunningNode) -> dict[int, dict[str, object]]:
    seen: dict[int, dict[str, object]] = {}

    def all_answered() -> bool:
        facts = decoded(node.get())
        seen[facts["worker"]] = facts
        return len(seen) == node.settings.workers

    eventually(all_answered, "every worker answers")
    return seen


def is_so(node: RunningNode, expected: dict[str, object]) -> bool:
    return node.status()["workers"][0].items() >= expected.items()


def test_every_worker_gets_players(node: RunningNode) -> None:
    facts = seen_by_all(node)
    assert sorted(facts) == list(range(node.settings.workers))
    assert [facts[no]["pid"] for no in sorted(facts)] == node.worker_pids()


def test_a_purge_is_acknowledged_once_every_worker_applied_it(node: RunningNode) -> None:
    for sequence, tag in enumerate(["asset-1", "asset-2", "asset-3"], start=1):
        receipt = decoded(node.purge(tag=tag))
        assert receipt.pop("took_ms") >= 0
        assert receipt == {"sequence": sequence, "workers": node.settings.workers}
        for worker in range(node.settings.workers):
            assert node.status()["sequence"] == sequence
            assert worker < node.settings.workers
    for facts in seen_by_all(node).values():
        assert facts["seen"] == ["asset-1", "asset-2", "asset-3"]


def test_a_worker_can_invalidate_in_all_of_them(node: RunningNode) -> None:
    assert decoded(node.get("/invalidate"))["applied"] == 2
    for facts in seen_by_all(node).values():
        assert facts["seen"] == ["http://a/1", "http://a/2"]


def test_many_tags_are_one_order(node: RunningNode) -> None:
    assert decoded(node.purge(tags=["a", "b", "c"], soft=True))["sequence"] == 3


def test_a_dead_worker_is_replaced_and_holds_up_no_purge(node: RunningNode) -> None:
    decoded(node.purge(tag="before"))
    before = node.worker_pids()
    os.kill(before[0], signal.SIGKILL)
    assert decoded(node.purge(tag="meanwhile"))["workers"] == node.settings.workers
    eventually(lambda: node.status()["workers"][0]["restarts"] == 1, "a restart")
    facts = seen_by_all(node)
    assert facts[0]["pid"] != before[0]
    assert facts[0]["applied"] == 2  # the page's present, though it applied nothing
    if node.settings.workers == 2:
        assert facts[1]["pid"] == before[1]
        assert facts[1]["seen"] == ["before", "meanwhile"]


def test_a_connection_that_waited_for_a_dead_worker_is_served_by_the_next_one() -> None:
    with toy_node(settings_for(limits=FAST)) as node:
        (pid,) = node.worker_pids()
        os.kill(pid, signal.SIGSTOP)
        with socket.create_connection(node.settings.listen, DEADLINE_S) as player:
            player.sendall(b"GET / HTTP/1.1\r\n\r\n")
            os.kill(pid, signal.SIGKILL)
            assert b"200 OK" in player.recv(4096)


def test_a_hanging_worker_is_named() -> None:
    with toy_node(settings_for(workers=2, limits=IMPATIENT)) as node:
        victim = node.worker_pids()[1]
        os.kill(victim, signal.SIGSTOP)
        answer = node.purge(tag="x")
        assert answer.status_code == 503
        assert 1 in answer.json()["hanging"]
        assert "worker" in answer.json()["error"]
        os.kill(victim, signal.SIGCONT)
        eventually(lambda: node.purge(tag="y").status_code == 200, "both workers in time")


def test_a_worker_that_hangs_for_long_is_replaced() -> None:
    limits = Limits(watch_s=0.05, hang_s=2.0, purge_ack_s=30.0)
    with toy_node(settings_for(limits=limits)) as node:
        (pid,) = node.worker_pids()
        with socket.create_connection(node.settings.listen, DEADLINE_S) as player:
            player.sendall(b"GET /hang HTTP/1.1\r\n\r\n")
            eventually(lambda: node.worker_pids() != [pid], "another worker")
        assert decoded(node.get())["pid"] != pid
        assert decoded(node.purge(tag="x"))["workers"] == 1


def test_a_worker_that_dies_again_and_again_is_backed_off() -> None:
    with toy_node(settings_for(limits=FAST)) as node:
        for restarts in range(1, 4):
            os.kill(node.worker_pids()[0], signal.SIGKILL)
            expected = {"restarts": restarts, "state": "serving"}
            eventually(partial(is_so, node, expected), f"restart {restarts}")
        assert decoded(node.get())["worker"] == 0


def test_a_worker_that_never_serves_ends_the_node() -> None:
    process = spawn_toy(settings_for(), "stillborn")
    _, complaint = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1
    assert "worker 0 ended with exit status 4" in complaint


def test_a_taken_port_is_named_with_its_option() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        for option in ("listen", "admin"):
            taken = settings_for(**{option: Address("127.0.0.1", port)})
            process = spawn_toy(taken)
            _, complaint = process.communicate(timeout=DEADLINE_S)
            assert process.returncode == 1
            assert f"127.0.0.1:{port} is taken" in complaint
            assert f"--{option}" in complaint


def test_two_nodes_do_not_share_a_port_by_accident(node: RunningNode) -> None:
    process = spawn_toy(settings_for(listen=node.settings.listen))
    _, complaint = process.communicate(timeout=DEADLINE_S)
    assert "is taken" in complaint


def test_sigterm_drains_and_leaves_nothing(node: RunningNode) -> None:
    processes = node.processes()
    assert len(processes) == 1 + node.settings.workers
    assert node.terminate() == 0
    await_end(processes)
    with toy_node(settings_for(listen=node.settings.listen, workers=2)) as again:
        assert len(seen_by_all(again)) == 2


def test_sigkill_of_the_supervisor_leaves_no_process_and_frees_the_port(node: RunningNode) -> None:
    processes = node.processes()
    node.process.kill()
    await_end(processes)
    with toy_node(settings_for(listen=node.settings.listen)) as again:
        assert decoded(again.get())["applied"] == 0


@pytest.mark.parametrize("token", [None, "wrong", "a-token-for-test", "a-token-for-testss"])
def test_purge_and_status_need_the_token(token: str | None) -> None:
    with toy_node() as node:
        for method, path in (("POST", "/purge"), ("GET", "/status")):
            answer = node.admin(method, path, token=token)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
        assert node.admin("GET", "/metrics", token=token).status_code == 200
        assert node.admin("GET", "/.amaro/live", token=token).text == "live\n"
        assert node.admin("GET", "/.amaro/ready", token=token).text == "ready\n"
        assert node.status()["sequence"] == 0
