"""A node without file descriptors, and one whose wall clock is set while it serves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.support.edge_node import RunningNode, edge_node
from tests.support.edges import PATIENCE_S, Asked, Client, Origin, response, running_origin

LASTING = "Cache-Control: max-age=1, stale-if-error=600"
FRESH = "Cache-Control: max-age=3600"
CROWD = 80

STEPPED_TIME = """
import os, time
_path, _time = os.environ["TEST_CLOCK_STEP"], time.time
def stepped():
    with open(_path) as file:
        return _time() + float(file.read() or 0)
time.time = stepped
"""


async def connected(node: RunningNode) -> Client:
    host, port = node.settings.listen
    return Client(*await asyncio.open_connection(host, port))


@asynccontextmanager
async def node_of(origin: Origin) -> AsyncIterator[RunningNode]:
    with edge_node(origin.url) as node:
        yield node


@asynccontextmanager
async def client_of(node: RunningNode) -> AsyncIterator[Client]:
    client = await connected(node)
    try:
        yield client
    finally:
        await client.close()


async def test_no_descriptors_left_is_no_end() -> None:
    """Who is connected gets hits, and what is stale where a fill would need a socket."""

    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(response(b"of " + asked.target, FRESH if asked.target == b"/hit" else LASTING))
        writer.write_eof()  # so that no connection to us is kept for later

    async with (
        running_origin(script) as origin,
        node_of(origin) as node,
        client_of(node) as client,
    ):
        for target in ("/hit", "/stale"):
            assert (await client.get(target)).body == b"of " + target.encode()
        await asyncio.to_thread(node.purge, url="/stale", soft=True)
        worker = psutil.Process(node.worker_pids()[0])
        limits = worker.rlimit(psutil.RLIMIT_NOFILE)
        worker.rlimit(psutil.RLIMIT_NOFILE, (worker.num_fds() + 4, limits[1]))
        crowd = [await connected(node) for _ in range(CROWD)]
        await exhausted(client, origin)
        for _ in range(3):
            assert (await client.get("/hit")).body == b"of /hit"
            stale = await client.get("/stale")
            assert (stale.status, stale.body) == (200, b"of /stale"), stale
        for each in crowd:
            await each.close()
        await recovered(node)
        assert node.worker_pids() == [worker.pid]


async def exhausted(client: Client, origin: Origin) -> None:
    """Ask for something new until the worker has no socket to ask the origin with."""
    number = 0

    async def is_refused() -> bool:
        nonlocal number
        number += 1
        return (await client.get(f"/new{number}")).status == 502

    async with asyncio.timeout(PATIENCE_S):
        while not await is_refused():  # noqa: ASYNC110 what is waited for is not ours to signal
            await asyncio.sleep(0.01)
    assert number <= len(origin.asked) + 1


async def recovered(node: RunningNode) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                async with client_of(node) as late:
                    if (await late.get("/later")).status == 200:
                        return
            await asyncio.sleep(0.05)


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of seconds by which the wall clock of new processes is wrong."""
    (tmp_path / "sitecustomize.py").write_text(STEPPED_TIME)
    step = tmp_path / "step"
    step.write_text("0")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("TEST_CLOCK_STEP", str(step))
    return step


def step(clock: Path, step_s: float) -> None:
    clock.write_text(str(step_s))


async def test_setting_the_clock_makes_nothing_fresh(clock: Path) -> None:
    versions: dict[bytes, int] = {}

    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        versions[asked.target] = versions.get(asked.target, 0) + 1
        control = FRESH if asked.target.startswith(b"/long") else "Cache-Control: max-age=1"
        writer.write(response(b"%d" % versions[asked.target], control))

    async with (
        running_origin(script) as origin,
        node_of(origin) as node,
        client_of(node) as client,
    ):
        for number, step_s in enumerate((0, -86_400, 86_400, -3_600, 0)):
            step(clock, step_s)
            assert (await client.get("/long")).body == b"1"  # by the steady clock it is fresh
            age_s = int((await client.get("/long")).get("age") or b"-1")
            assert 0 <= age_s < 60
            before = (await client.get("/short")).body
            step(clock, -step_s)
            await until_renewed(client, before)
            assert (await client.get(f"/long{number}")).body == b"1"
            assert (await client.get(f"/long{number}")).says.startswith("amaro-edge; hit")


async def until_renewed(client: Client, before: bytes) -> None:
    """A second of life is a second, whatever the wall says."""
    async with asyncio.timeout(PATIENCE_S):
        while (await client.get("/short")).body == before:  # noqa: ASYNC110 as above
            await asyncio.sleep(0.05)
