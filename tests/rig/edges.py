"""Edges of a region, each on a host of its own: started, asked, ended, and ended badly."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from prometheus_client.parser import text_string_to_metric_families

from tests.rig.asking import ask
from tests.rig.network import Host
from tests.support.edge_node import DEADLINE_S, TOKEN, await_end
from tests.support.soak_player import LOST, Streams, Target

PORT, ADMIN_PORT, PEER_PORT = 8080, 9080, 8090
REGION_TOKEN = "a-token-of-the-region"
READY_S = DEADLINE_S  # on a busy machine


@dataclass
class Way(Target):
    """How players on one host reach an edge on another."""

    player: Host | None = None
    edge: Host | None = None

    async def connect(self) -> Streams:
        assert self.player is not None
        assert self.edge is not None
        return await self.player.connect(self.edge, self.port)


@dataclass
class RigEdge:
    """One edge: `options` are its own beside those that each has."""

    host: Host
    operator: Host
    origin_url: str
    log: Path
    options: Sequence[str] = ()
    way: Way = field(default_factory=Way)
    _process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.way = Way(player=self.operator, edge=self.host)

    @property
    def name(self) -> str:
        return self.host.name

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    async def start(self) -> None:
        """Start it, and wait until it says that it is ready."""
        address = self.host.address
        argv = ["--listen", f"{address}:{PORT}", "--admin", f"{address}:{ADMIN_PORT}"]
        argv += ["--origin", self.origin_url, "--region", "rig", "--workers", "1", *self.options]
        with self.log.open("ab") as log:
            self._process = self.host.spawn(
                [sys.executable, "-m", "amaro", "edge", "serve", *argv],
                output=log,
                AMARO_ADMIN_TOKEN=TOKEN,
                AMARO_REGION_TOKEN=REGION_TOKEN,
            )
        deadline_mono = time.monotonic() + READY_S
        while not await self._is_ready():
            assert self._process.poll() is None, self.log.read_text()[-4000:]
            said = f"{self.name} is not ready: {self.log.read_text()[-4000:]}"
            assert time.monotonic() < deadline_mono, said
            await asyncio.sleep(0.05)
        self.way.port = PORT

    async def _is_ready(self) -> bool:
        try:
            return (await self.admin("/.amaro/ready"))[0] == 200
        except LOST:
            return False

    async def terminate(self) -> None:
        """End it as an operator would."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """End it as a crash would."""
        await self._end(signal.SIGKILL)

    async def _end(self, number: int) -> None:
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(number)
        await asyncio.to_thread(self.process.wait, READY_S)
        self.way.port = 0
        await asyncio.to_thread(await_end, children)

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Let none of its processes do anything for a while."""
        supervisor = psutil.Process(self.process.pid)
        stopped = [supervisor, *supervisor.children(recursive=True)]
        for process in stopped:
            process.suspend()
        try:
            yield
        finally:
            for process in stopped:
                process.resume()

    def destroy(self) -> None:
        """Leave no process behind, whatever happened."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    # the admin listener

    async def admin(self, target: str, order: dict[str, Any] | None = None) -> tuple[int, bytes]:
        """Ask the admin listener; raises what `LOST` lists when that is not to be had."""
        return await ask(self.operator, self.host, ADMIN_PORT, target, order)

    async def metrics(self) -> dict[tuple[str, ...], float]:
        text = (await self.admin("/metrics"))[1].decode()
        return {
            (sample.name.removeprefix("amaro_edge_"), *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
