"""The control line and the handover over real socket pairs."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from edge.control import ControlLine, serve_control
from edge.handover import Handover, hand_over
from edge.purges import PurgePage
from edge.settings import Address, EdgeSettings

SETTINGS = EdgeSettings(listen=Address("127.0.0.1", 0), origin="http://127.0.0.1:1", token="hush")


@asynccontextmanager
async def line_to(answers: dict[str, Callable[[], Any]]) -> AsyncIterator[ControlLine]:
    ours, theirs = socket.socketpair()
    worker = asyncio.create_task(serve_control(theirs, answers))
    line = await ControlLine.open(ours)
    yield line
    line.close()
    await worker


async def test_questions_are_answered_in_turn() -> None:
    count = iter(range(100))
    async with line_to({"sync": lambda: next(count), "counters": lambda: {"hits": 3}}) as line:
        asked = [line.ask("sync", limit_s=20.0) for _ in range(20)]
        assert await asyncio.gather(*asked) == list(range(20))
        assert await line.ask("counters", limit_s=20.0) == {"hits": 3}


async def test_a_late_answer_is_not_taken_for_the_next_one() -> None:
    ours, theirs = socket.socketpair()
    line = await ControlLine.open(ours)
    with pytest.raises(TimeoutError):
        await line.ask("sync", limit_s=0.01)
    replies = iter(["late", "right"])
    worker = asyncio.create_task(serve_control(theirs, {"sync": lambda: next(replies)}))
    assert await line.ask("sync", limit_s=20.0) == "right"
    line.close()
    await worker


async def test_a_worker_that_is_gone_is_a_connection_error() -> None:
    ours, theirs = socket.socketpair()
    line = await ControlLine.open(ours)
    theirs.close()
    with pytest.raises(ConnectionError):
        await line.ask("sync", limit_s=20.0)
    line.close()


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
