"""An edge whose processes are killed in mid-work: nothing wrong is served, nothing is left over."""

from __future__ import annotations

import asyncio
import os
import signal
from functools import partial

import psutil
import pytest

from edge.settings import Address
from tests.support.counting_origin import counting_origin
from tests.support.edge_hammer import KEYS, Hammer, Rig
from tests.support.edge_node import RunningNode, await_end, decoded, edge_node, eventually
from tests.support.ports import own_port

KILLS = 3


def restarts(node: RunningNode) -> int:
    return sum(worker["restarts"] for worker in node.status()["workers"])


def is_whole(node: RunningNode, after_restarts: int) -> bool:
    serving = all(worker["state"] == "serving" for worker in node.status()["workers"])
    return serving and restarts(node) == after_restarts


@pytest.mark.parametrize("workers", [1, 2])
async def test_workers_are_killed_under_players_and_purges(workers: int) -> None:
    with counting_origin() as origin, edge_node(origin.url, workers=workers) as node:
        hammer = Hammer(Rig(origin, node), seed=workers, deaths=True)

        async def kill() -> None:
            for number in range(KILLS):
                victim = node.worker_pids()[number % workers]
                os.kill(victim, signal.SIGKILL)
                await asyncio.to_thread(eventually, partial(is_whole, node, number + 1), "restart")

        async with asyncio.TaskGroup() as tasks:
            for number in range(8):
                tasks.create_task(hammer.play(number))
            killing = tasks.create_task(kill())
            while not killing.done() or hammer.responses < 40:
                await hammer.operate(5)
            hammer.done = True
        assert restarts(node) == KILLS

        # the restarted worker and the others agree, and everything is cached again
        origin.version += 1
        assert decoded(node.purge(all=True))["workers"] == workers
        for key in KEYS:
            assert await hammer.rig.versions(key, times=6) == {origin.version}
        asked = sum(origin.asked.values())
        for key in KEYS:
            await hammer.rig.versions(key, times=6)
        assert sum(origin.asked.values()) == asked


async def test_a_killed_worker_costs_the_other_nothing() -> None:
    with counting_origin() as origin, edge_node(origin.url, workers=2) as node:
        rig = Rig(origin, node)
        for key in KEYS:
            await rig.versions(key, times=6)
        asked = sum(origin.asked.values())
        first, second = node.worker_pids()
        os.kill(first, signal.SIGSTOP)  # so that only the second can answer from here on
        os.kill(first, signal.SIGKILL)
        eventually(partial(is_whole, node, 1), "a restart")
        assert node.worker_pids()[1] == second
        for key in KEYS:
            assert await rig.versions(key, times=6) == {1}
        assert sum(origin.asked.values()) <= asked + len(KEYS)


@pytest.mark.parametrize("workers", [1, 2])
async def test_the_supervisor_is_killed_under_players_and_started_again(workers: int) -> None:
    with counting_origin() as origin:
        listen = Address("127.0.0.1", own_port())
        with edge_node(origin.url, workers=workers, listen=listen) as node:
            hammer = Hammer(Rig(origin, node), seed=7, deaths=True)
            processes = [psutil.Process(node.process.pid), *map(psutil.Process, node.worker_pids())]
            async with asyncio.TaskGroup() as tasks:
                for number in range(8):
                    tasks.create_task(hammer.play(number))
                while hammer.responses < 40:
                    await hammer.operate(10)
                node.process.kill()  # while they play
                hammer.done = True
            await_end(processes)

        origin.version += 1  # while nobody was there to hear of a purge
        with edge_node(origin.url, workers=workers, listen=listen) as again:
            rig = Rig(origin, again)
            for key in KEYS:
                assert await rig.versions(key, times=6) == {origin.version}
            assert decoded(again.purge(all=True))["workers"] == workers
