"""Limits of a node of two workers: one count for both, and nobody goes short for another."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from edge.settings import Limits
from tests.support.edge_node import (
    RunningNode,
    decoded,
    edge_node,
    eventually,
    settings_for,
    toy_node,
)
from tests.support.edges import Asked, Client, Got, response, running_origin, until

BURST = 64
POLICY = f"""
limits:
  - name: everyone
    rate: 1/h
    burst: {BURST}
  - name: few
    match: {{path: /held/*}}
    concurrency: 4
"""
FLOOD, QUIET = "192.0.2.1", "192.0.2.2"


class Script:
    """An origin that answers some only when it is let go."""

    def __init__(self) -> None:
        self.held = 0
        self.go = asyncio.Event()

    async def __call__(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.target.startswith(b"/held/"):
            self.held += 1
            await self.go.wait()
        writer.write(response(b"body", "Cache-Control: max-age=600"))


async def ask(node: RunningNode, target: str, *lines: str) -> Got:
    """Ask on a connection of its own; a status of 0 is none."""
    try:
        reader, writer = await asyncio.open_connection(*node.settings.listen)
    except OSError:
        return Got(0, [], b"")
    try:
        return await Client(reader, writer).get(target, *lines)
    except (OSError, asyncio.IncompleteReadError):  # its worker died
        return Got(0, [], b"")
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def statuses(node: RunningNode, number: int, client: str) -> Counter[int]:
    """How so many requests for something stored were answered, one after the other."""
    return Counter(
        [(await ask(node, "/a", f"X-Forwarded-For: {client}")).status for _ in range(number)]
    )


@contextmanager
def limited_node(origin: str, tmp_path: Path) -> Iterator[RunningNode]:
    policy = tmp_path / "limits.yaml"
    policy.write_text(POLICY)
    options = ("--trusted-proxy", "127.0.0.0/8", "--policies", str(policy))
    with edge_node(origin, *options, workers=2) as node:
        yield node


def refusals(node: RunningNode) -> dict[str, float]:
    text = node.admin("GET", "/metrics").text
    return {
        sample.labels["reason"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "amaro_edge_requests_total" and sample.labels["result"] == "refused"
        if sample.value
    }


async def test_two_workers_count_together(tmp_path: Path) -> None:
    script = Script()
    async with running_origin(script) as origin:
        with limited_node(origin.url, tmp_path) as node:
            await check_rates(node)
            await check_places(node, script)
            await asyncio.to_thread(check_what_is_told, node)


async def check_rates(node: RunningNode) -> None:
    said = await statuses(node, BURST + 40, FLOOD)
    # what the workers took in advance and did not give out is an eighth of the burst at most
    assert BURST * 7 // 8 <= said[200] <= BURST * 9 // 8, said
    assert said[200] + said[429] == BURST + 40
    assert await statuses(node, 10, QUIET) == {200: 10}  # another's flood is none of theirs


async def check_places(node: RunningNode, script: Script) -> None:
    """Four at once of one client, wherever they arrive; what a dead worker held is free again."""

    async def hold(first: int) -> list[asyncio.Task[Got]]:
        """Ask until four are held, and two more were refused."""
        asking = [
            asyncio.create_task(ask(node, f"/held/{first + number}", "X-Forwarded-For: 192.0.2.3"))
            for number in range(6)
        ]
        await until(lambda: sum(task.done() for task in asking) >= 2)
        return asking

    waiting = await hold(0)
    assert [task.result().status for task in waiting if task.done()] == [429, 429]
    before = await asyncio.to_thread(node.worker_pids)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    await asyncio.gather(*waiting)

    def serves_again() -> bool:
        workers = node.status()["workers"]
        return all(each["pid"] not in before and each["state"] == "serving" for each in workers)

    await asyncio.to_thread(eventually, serves_again, "new workers")
    again = await hold(10)
    assert [task.result().status for task in again if task.done()] == [429, 429]
    script.go.set()
    ended = [(await task).status for task in again]
    assert sorted(ended) == [200, 200, 200, 200, 429, 429]
    # and what was spent before they died is spent
    said = await statuses(node, 30, FLOOD)
    assert said[200] <= BURST // 8, said
    assert await statuses(node, 3, QUIET) == {200: 3}


def check_what_is_told(node: RunningNode) -> None:
    assert {"client-rate", "client-concurrency"} >= set(refusals(node)) > set()
    limits = decoded(node.admin("GET", "/status"))["limits"]
    assert [each["name"] for each in limits] == ["everyone", "few"]
    assert limits[1]["concurrency"] == 4


async def test_a_flood_on_one_title_starves_nobody() -> None:
    """Far more cold requests of one title than may hang at the origin; another is as if alone."""
    script = Script()
    async with running_origin(script) as origin:
        limits = Limits(fills_max=60)
        with toy_node(settings_for(origin.url, workers=2, limits=limits), "real") as node:
            flood = [asyncio.create_task(ask(node, f"/held/{n}.ts")) for n in range(150)]
            await until(lambda: script.held + sum(task.done() for task in flood) >= 150)
            quiet = [(await ask(node, f"/quiet/{number}.ts")).status for number in range(60)]
            assert Counter(quiet) == {200: 60}
            assert len([each for each in origin.asked if b"quiet" in each.target]) == 60
            script.go.set()
            ended = Counter([(await task).status for task in flood])
    assert set(ended) == {200, 503}
    assert 20 <= ended[200] <= 40, ended  # its own share, two thirds of each worker's fills
