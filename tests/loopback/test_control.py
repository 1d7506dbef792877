"""The control line and the handover over real socket pairs."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from edge.control import Answers, ControlLine
from edge.handover import Handover, hand_over
from edge.purges import PurgePage
from edge.settings import Address, EdgeSettings

SETTINGS = EdgeSettings(listen=Address("127.0.0.1", 0), origin="http://127.0.0.1:1", token="hush")


@asynccontextmanager
async def two_ends(
    ours: Answers, theirs: Answers
) -> AsyncIterator[tuple[ControlLine, ControlLine]]:
    sockets = socket.socketpair()
    supervisor = await ControlLine.open(sockets[0], ours)
    worker = await ControlLine.open(sockets[1], theirs)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(supervisor.run())
        tasks.create_task(worker.run())
        yield supervisor, worker
        worker.close()


async def echo(detail: Any) -> Any:
    return detail


async def test_both_ends_ask_at_once() -> None:
    async with two_ends({"invalidate": echo}, {"sync": echo}) as (supervisor, worker):
        asked = [supervisor.ask("sync", number, limit_s=30.0) for number in range(50)]
        told = [worker.ask("invalidate", [str(number)], limit_s=30.0) for number in range(50)]
        assert await asyncio.gather(*asked) == list(range(50))
        assert await asyncio.gather(*told) == [[str(number)] for number in range(50)]


async def test_a_question_may_be_answered_by_asking_back() -> None:
    lines: list[ControlLine] = []

    async def invalidate(detail: Any) -> Any:
        return [detail, await lines[0].ask("sync", limit_s=30.0)]

    async def sync(_detail: Any) -> int:
        return 7

    async with two_ends({"invalidate": invalidate}, {"sync": sync}) as (supervisor, worker):
        lines.append(supervisor)
        assert await worker.ask("invalidate", "k", limit_s=30.0) == ["k", 7]


async def test_a_late_answer_is_not_taken_for_the_next_one() -> None:
    gate = asyncio.Event()

    async def slow(detail: Any) -> Any:
        await gate.wait()
        return detail

    async with two_ends({}, {"sync": slow}) as (supervisor, _):
        with pytest.raises(TimeoutError):
            await supervisor.ask("sync", "late", limit_s=0.01)
        gate.set()
        assert await supervisor.ask("sync", "right", limit_s=30.0) == "right"


async def test_whoever_waits_for_an_end_that_is_gone_is_told() -> None:
    sockets = socket.socketpair()
    line = await ControlLine.open(sockets[0], {})
    talk = asyncio.create_task(line.run())
    asked = asyncio.create_task(line.ask("sync", limit_s=30.0))
    sockets[1].setblocking(False)
    assert await asyncio.get_running_loop().sock_recv(sockets[1], 1)
    sockets[1].close()
    for question in (asked, line.ask("sync", limit_s=30.0)):
        with pytest.raises(ConnectionError):
            await question
    await talk


CHILD = """
from edge.handover import adopt
given, control = adopt()
print(given.worker_no, given.settings.token, given.page.epoch(), given.listener.getsockname()[1])
"""


def test_a_child_gets_all_it_needs() -> None:
    ours, theirs = socket.socketpair()
    page = PurgePage.create(workers=3, sequence=7)
    listener = socket.create_server(("127.0.0.1", 0))
    with (
        ours,
        listener,
        subprocess.Popen(
            [sys.executable, "-c", CHILD], stdin=theirs, stdout=subprocess.PIPE, text=True
        ) as child,
    ):
        theirs.close()
        given = Handover(
            settings=SETTINGS, worker_no=2, page=page, listener=listener, peer_dir=None
        )
        hand_over(ours, given)
        said, _ = child.communicate(timeout=30)
        assert said.split() == ["2", "hush", "7", str(listener.getsockname()[1])]
    page.close()


@pytest.mark.parametrize("reason", ["by hand", "gone"])
def test_a_child_without_a_supervisor_ends(reason: str) -> None:
    ours, theirs = socket.socketpair()
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        theirs.close()
        if reason == "gone":
            page = PurgePage.create(workers=1)
            listener = socket.create_server(("127.0.0.1", 0))
            message = b'{"supervisor": 1, "peer_dir": null, "worker_no": 0}\n'
            socket.send_fds(ours, [message], [page.fd, listener.fileno()])
            listener.close()
            page.close()
        ours.close()
        said, why = child.communicate(timeout=30)
        assert (said, child.returncode) == (b"", 1)
        assert b"supervisor is gone" in why or b"not by hand" in why
