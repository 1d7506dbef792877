"""Other policies while players ask: in all workers or none, for what is stored and what comes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from amaro.cli import app
from edge.purges import PurgeKind
from tests.support.counting_origin import counting_origin
from tests.support.edge_node import TOKEN, RunningNode, edge_node, eventually
from tests.support.edges import Asked, Edge, Got, edge_and_origin, response, until
from tests.support.rules import rules

TAGGED = "rules: [{name: a, set: {tags: new, strip_response: server}}]"
SHORT = "rules: [{name: a, set: {ttl: 90s}}]"
BYPASS = "rules: [{name: a, match: {path: /a*}, set: {bypass: true}}]"
REDUCED = "rules: [{name: a, set: {query: none}}]"
MEMBERS = "rules: [{name: a, match: {request_fields: {cookie: true}}, set: {bypass: true}}]"


async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(response(asked.target, "Cache-Control: max-age=600", "Server: s"))


def ttl_of(got: Got) -> int:
    return int(got.says.partition("ttl=")[2].partition(";")[0])


def switch(edge: Edge, text: str) -> None:
    """Switch as the supervisor does; the worker learns of it with its next request."""
    edge.page.switch(edge.worker.in_force.prepare(rules(text)))


async def test_what_is_stored_is_judged_anew_at_its_next_use():
    async with edge_and_origin(script) as (edge, origin):
        client = await edge.client()
        assert (await client.get("/a")).get("server") == b"s"
        assert "ttl=" in (await client.get("/a")).says
        switch(edge, TAGGED)
        again = await client.get("/a")
        assert again.says.startswith("amaro-edge; hit")
        assert again.get("server") is None
        switch(edge, SHORT)
        assert ttl_of(await client.get("/a")) <= 90
        switch(edge, BYPASS)
        assert (
            await client.get("/a")
        ).says == "amaro-edge; fwd=bypass; fwd-status=200; detail=policy"
        assert edge.worker.counters.hits == 1  # the rest was looked at more closely
        assert len(origin.asked) == 2


async def test_a_tag_that_rules_add_purges_what_was_stored_before():
    async with edge_and_origin(script) as (edge, origin):
        await edge.get("/a")
        switch(edge, TAGGED)
        assert "hit" in (await edge.get("/a")).says
        edge.purge(PurgeKind.TAG, b"new")
        assert "uri-miss" in (await edge.get("/a")).says
        assert len(origin.asked) == 2


@pytest.mark.parametrize("soft", [False, True])
async def test_it_does_so_though_nobody_has_asked_for_it_since(soft: bool):
    async with edge_and_origin(script) as (edge, origin):
        await edge.get("/a")
        await edge.get("/b")
        switch(edge, TAGGED)
        assert "hit" in (await edge.get("/b")).says  # the worker has followed
        edge.purge(PurgeKind.TAG, b"new", soft=soft)
        for target in ("/a", "/b"):
            assert "hit" not in (await edge.get(target)).says
        assert len(origin.asked) == 4


async def test_keys_that_rules_no_longer_make_are_given_up():
    async with edge_and_origin(script) as (edge, origin):
        client = await edge.client()
        for target in ("/a?x=1", "/b"):
            await client.get(target)
        switch(edge, REDUCED)
        assert (await client.get("/b")).says.startswith("amaro-edge; hit")
        assert (await client.get("/a?x=1")).body == b"/a"
        assert (await client.get("/a?x=2")).says.startswith("amaro-edge; hit")
        edge.worker.memory.index.settle(10_000)
        assert len(edge.worker.memory) == 2
        assert len(origin.asked) == 3


async def test_a_warm_connection_reads_its_lines_anew():
    async with edge_and_origin(script) as (edge, origin):
        client = await edge.client()
        for _ in range(3):
            await client.get("/a", "Cookie: x")
        switch(edge, MEMBERS)
        for _ in range(2):
            assert "fwd=bypass" in (await client.get("/a", "Cookie: x")).says
        assert "hit" in (await client.get("/a")).says
        assert "fwd=bypass" in (await client.get("/a", "Cookie: y")).says
        assert len(origin.asked) == 4


async def test_a_fill_that_ends_under_other_policies_is_stored_by_those():
    go_on = asyncio.Event()

    async def slow(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(response(b"", "Cache-Control: max-age=600", length=3))
        await writer.drain()
        await go_on.wait()
        writer.write(b"abc")

    async with edge_and_origin(slow) as (edge, origin):
        first = asyncio.create_task(edge.get("/b"))
        await until(lambda: len(origin.asked) == 1)
        switch(edge, SHORT)
        second = asyncio.create_task(edge.get("/b"))  # it does not share what began before
        await until(lambda: len(origin.asked) == 2)
        go_on.set()
        assert "stored" in (await first).says
        assert ttl_of(await second) <= 90
        entry = edge.worker.memory.find(b"http://edge.test/b", ())
        assert entry is not None
        assert entry.stored.lifetime_s == 90.0


@pytest.mark.parametrize("validates", [False, True])
async def test_a_tag_that_rules_add_purges_what_is_still_on_its_way(validates: bool):
    go_on = asyncio.Event()

    async def slow(asked: Asked, writer: asyncio.StreamWriter) -> None:
        lines = ("Cache-Control: max-age=600", 'ETag: "1"')
        if asked.get("if-none-match"):
            await go_on.wait()
            writer.write(response(b"", *lines, status="304 Not Modified"))
            return
        writer.write(response(b"", *lines, length=3))
        if asked.target == b"/b" and not validates:
            await writer.drain()
            await go_on.wait()
        writer.write(b"abc")

    async with edge_and_origin(slow) as (edge, origin):
        if validates:
            await edge.get("/b")
            edge.purge(PurgeKind.ALL, soft=True)
        asked = len(origin.asked)
        first = asyncio.create_task(edge.get("/b"))
        await until(lambda: len(origin.asked) == asked + 1)
        switch(edge, TAGGED)
        assert (await edge.get("/a")).body == b"abc"  # the worker has followed
        edge.purge(PurgeKind.TAG, b"new")
        go_on.set()
        assert (await first).body == b"abc"
        assert "hit" not in (await edge.get("/b")).says
        assert "hit" in (await edge.get("/b")).says


async def test_a_switch_back_finds_what_is_stored_and_judges_it_once_more():
    async with edge_and_origin(script) as (edge, origin):
        client = await edge.client()
        await client.get("/b")
        for rule in (SHORT, TAGGED, SHORT):
            switch(edge, rule)
            await client.get("/a")
        assert ttl_of(await client.get("/b")) <= 90
        before = edge.worker.counters.hits
        assert ttl_of(await client.get("/b")) <= 90
        assert edge.worker.counters.hits == before + 1  # and is a plain hit again
        assert [each.target for each in origin.asked] == [b"/b", b"/a"]


# a node


@pytest.fixture(params=[1, 2], ids=["1-worker", "2-workers"])
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[RunningNode, Path]]:
    file = tmp_path / "rules.yaml"
    file.write_text(SHORT)
    with (
        counting_origin() as origin,
        edge_node(origin.url, "--policies", str(file), workers=request.param) as running,
    ):
        yield running, file


def ttls(node: RunningNode, times: int = 12) -> list[int]:
    """For how long one object is fresh, by every worker: all of them are asked, surely enough."""
    answers = [node.get("/x?size=5") for _ in range(times)]
    says = [each.headers["cache-status"].partition("ttl=")[2] for each in answers]
    return [int(each.partition(";")[0]) for each in says]


def epoch_of(node: RunningNode) -> int:
    return node.status()["policy_epoch"]


def test_a_signal_has_all_workers_follow_the_file(node: tuple[RunningNode, Path]) -> None:
    running, file = node
    before = epoch_of(running)
    assert before == rules(SHORT)["epoch"]
    assert max(ttls(running)) <= 90
    file.write_text(SHORT.replace("90s", "9000s"))
    running.process.send_signal(signal.SIGHUP)
    eventually(lambda: epoch_of(running) != before, "new policies")
    assert min(ttls(running)) > 8000
    file.write_text("rules: [{name: a, set: {tlt: 1s}}]")
    running.process.send_signal(signal.SIGHUP)

    def refused() -> bool:
        text = running.admin("GET", "/metrics", token=None).text
        return 'policies_total{result="refused"} 1.0' in text

    eventually(refused, "a refusal")
    assert min(ttls(running)) > 8000


def test_the_admin_listener_takes_policies_whole_or_not_at_all(
    node: tuple[RunningNode, Path],
) -> None:
    running, _ = node
    workers = running.settings.workers
    taken = running.admin("PUT", "/policies?name=new.yaml", content=SHORT.replace("90s", "9000s"))
    assert taken.status_code == 200
    said = taken.json()
    assert (said["changed"], said["workers"], said["rules"]) == (True, workers, 1)
    assert min(ttls(running)) > 8000
    shown = running.admin("GET", "/policies").json()
    assert (shown["name"], shown["epoch"]) == ("new.yaml", said["epoch"])
    again = running.admin("PUT", "/policies", content=SHORT.replace("90s", "9000s"))
    assert not again.json()["changed"]
    wrong = running.admin("POST", "/policies?name=w", content="rules:\n- {name: a, set: {tlt: 1s}}")
    assert wrong.status_code == 400
    assert wrong.json()["errors"] == [
        {"line": 2, "column": 19, "message": "unknown key `tlt`; did you mean `ttl`?"}
    ]
    assert running.admin("PUT", "/policies", content=SHORT, token="wrong").status_code == 401
    assert epoch_of(running) == said["epoch"]


def test_policies_that_were_in_force_before_are_taken_again(
    node: tuple[RunningNode, Path],
) -> None:
    running, _ = node
    pids = running.worker_pids()
    for ttl_s in (9000, 90, 9000, 90):
        text = SHORT.replace("90s", f"{ttl_s}s")
        running.admin("PUT", "/policies", content=text).raise_for_status()
        assert {each > 90 for each in ttls(running)} == {ttl_s > 90}
    assert running.worker_pids() == pids


def test_what_is_in_force_can_be_explained_from_outside(node: tuple[RunningNode, Path]) -> None:
    running, file = node
    asked = ("policy", "explain", "http://x/a", "--admin", running.admin_url, "--json")
    done = CliRunner().invoke(app, asked, env={"AMARO_ADMIN_TOKEN": TOKEN})
    said = json.loads(done.stdout)
    assert (said["edges"], said["epoch"]) == ([running.admin_url], epoch_of(running))
    assert said["rules"] == [{"name": "a", "file": str(file), "line": 1}]


def test_an_origin_that_the_edge_lacks_changes_nothing(node: tuple[RunningNode, Path]) -> None:
    running, _ = node
    before = epoch_of(running)
    refused = running.admin("PUT", "/policies", content="rules: [{name: a, set: {origin: far}}]")
    assert refused.status_code == 400
    assert "no group `far`; this edge has none" in refused.json()["error"]
    assert epoch_of(running) == before


def test_a_worker_that_comes_later_follows_what_is_in_force(
    node: tuple[RunningNode, Path],
) -> None:
    running, _ = node
    running.admin("PUT", "/policies", content=SHORT.replace("90s", "9000s")).raise_for_status()
    (pid, *_) = pids = running.worker_pids()
    os.kill(pid, signal.SIGKILL)

    def all_new() -> bool:
        workers = running.status()["workers"]
        return pid not in [each["pid"] for each in workers] and all(
            each["state"] == "serving" for each in workers
        )

    eventually(all_new, f"a worker in the place of one of {pids}")
    assert min(ttls(running)) > 8000
