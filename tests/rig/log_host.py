"""The host of a region's purge log: `amaro origin serve`, which tells edges what is purged."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.rig.asking import ask
from tests.rig.edges import ADMIN_PORT, READY_S
from tests.rig.network import Host
from tests.support.edge_node import TOKEN
from tests.support.soak_player import LOST

PORT = 8084


@dataclass
class LogHost:
    host: Host
    operator: Host
    edges: Sequence[Host]
    root: Path  # its data, and what it says
    options: Sequence[str] = ()
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host.address}:{PORT}/purges"

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        told = [f"--edge-admin=http://{edge.address}:{ADMIN_PORT}" for edge in self.edges]
        argv = ["--listen", f"{self.host.address}:{PORT}", "--data", str(self.root), *told]
        with (self.root / "origin.log").open("ab") as log:
            self._process = self.host.spawn(
                [sys.executable, "-m", "amaro", "origin", "serve", *argv, *self.options],
                output=log,
                AMARO_ADMIN_TOKEN=TOKEN,
            )
        deadline_mono = time.monotonic() + READY_S
        while not await self._answers():
            assert self._process.poll() is None, (self.root / "origin.log").read_text()[-4000:]
            assert time.monotonic() < deadline_mono, "the purge log does not answer"
            await asyncio.sleep(0.05)

    async def _answers(self) -> bool:
        try:
            return (await ask(self.operator, self.host, PORT, "/purges?after=0"))[0] == 200
        except LOST:
            return False

    async def order(self, **order: Any) -> dict[str, Any] | None:
        """The receipt of an order; None when it is not in the log."""
        status, body = await ask(self.operator, self.host, PORT, "/purges", order)
        assert status in (200, 503), body
        return json.loads(body) if status == 200 else None

    def destroy(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
