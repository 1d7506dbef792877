"""Edges that share a Valkey to which everything happens: no wrong byte, no purge that was lost."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Callable
from functools import partial

from edge.purges import PurgeKind
from tests.support.edges import PATIENCE_S, Asked, Edge, response, running_edge, running_origin
from tests.support.valkeys import RunningValkey, valkey

SIZES = (100, 5_000, 200_000, 300_000, 1_500_000, 2_500_000)
PATHS = [f"/{size}/{number}" for size in SIZES for number in range(3)]
LIMITS = {
    "redis_wait_s": 0.05,
    "redis_write_s": 0.5,
    "redis_probe_s": 0.05,
    "redis_failures_within_s": 5.0,
}
PLAYERS = 3  # of each edge
STEPS = 25  # of what happens to Valkey


def content(path: str, version: int) -> bytes:
    size = int(path.split("/")[1])
    line = b"%b of version %d\n" % (path.encode(), version)
    return (line * (size // len(line) + 1))[:size]


class Storm:
    """The origin's versions, what was acknowledged as purged, and what players got."""

    def __init__(self, seed: int, server: RunningValkey) -> None:
        self.draw = random.Random(seed)
        self.server = server
        self.version = dict.fromkeys(PATHS, 1)
        self.purged = dict.fromkeys(PATHS, 1)  # nothing older may begin to be sent
        self.over = asyncio.Event()
        self.mend: Callable[[], None] = _nothing

    async def origin(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        path = asked.target.decode()
        version = self.version[path]
        lines = ["Cache-Control: max-age=600"]
        if not path.endswith("/0"):  # slices of these are of one response, or of none
            lines.append(f'ETag: "{version}"')
        writer.write(response(content(path, version), *lines))
        await writer.drain()

    async def ask(self, edge: Edge) -> str:
        """Ask for something, and see that it is right; return what Cache-Status says."""
        path = self.draw.choice(PATHS)
        oldest = self.purged[path]
        got = await edge.get(path)
        versions = range(oldest, self.version[path] + 1)
        may_break = len(versions) > 1  # where the origin has another one by now, in the middle
        assert (got.status, got.whole or may_break) == (200, True), (path, got.status, got.says)
        bodies = [content(path, each) for each in versions]
        said = [got.body == each if got.whole else each.startswith(got.body) for each in bodies]
        assert any(said), (path, oldest, got.body[:40], got.says)
        return got.says

    async def play(self, edge: Edge) -> None:
        while not self.over.is_set():
            await self.ask(edge)

    async def calm(self, edges: list[Edge]) -> None:
        """Ask until Valkey has answered once more: memory cannot hold all of this."""
        async with asyncio.timeout(PATIENCE_S):
            while "detail=valkey" not in await self.ask(self.draw.choice(edges)):
                pass

    async def purge(self, edges: list[Edge]) -> None:
        while not self.over.is_set():
            path = self.draw.choice(PATHS)
            self.version[path] += 1
            await asyncio.sleep(self.draw.random() / 50)
            for edge in edges:
                edge.purge(PurgeKind.URL, path.encode())
            self.purged[path] = self.version[path]

    async def break_things(self) -> None:
        faults = [self._pause, self._kill, self._flush, self._damage, self._swap, _nothing]
        for _ in range(STEPS):
            self.draw.choice(faults)()
            await asyncio.sleep(self.draw.random() / 10)
            self.mend()
            self.mend = _nothing
            await asyncio.sleep(self.draw.random() / 10)
        self.over.set()

    def _pause(self) -> None:
        self.server.process.send_signal(signal.SIGSTOP)
        self.mend = partial(self.server.process.send_signal, signal.SIGCONT)

    def _kill(self) -> None:
        self.server.kill()
        self.mend = self.server.start_again

    def _flush(self) -> None:
        self.server.ask("FLUSHALL")

    def _damage(self) -> None:
        for name in self.server.names():
            at = self.draw.randrange(1 + self.server.ask("STRLEN", name))
            self.server.ask("SETRANGE", name, at, b"\x00damage")

    def _swap(self) -> None:
        """Have values under the names of others, as no accident would."""
        names = self.server.names()
        others = self.draw.sample(names, len(names))
        values = [self.server.ask("GET", name) for name in names]
        for name, value in zip(others, values, strict=True):
            self.server.ask("SET", name, value or b"")


def _nothing() -> None:
    """All is well for a while."""


async def test_nothing_that_happens_to_valkey_shows() -> None:
    with valkey() as server:
        storm = Storm(20261121, server)
        shared = {"redis": server.url, "memory_bytes": 6 << 20, **LIMITS}
        async with (
            running_origin(storm.origin) as origin,
            running_edge(origin.url, **shared) as one,  # type: ignore[arg-type]
            running_edge(origin.url, **shared) as other,  # type: ignore[arg-type]
        ):
            edges = [one, other]
            async with asyncio.TaskGroup() as group:
                for edge in edges:
                    for _ in range(PLAYERS):
                        group.create_task(storm.play(edge))
                group.create_task(storm.purge(edges))
                group.create_task(storm.break_things())
            await storm.calm(edges)
