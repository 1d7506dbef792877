"""The node of a soak: it is started, killed, started again on the same disk, and looked after."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from tests.support.edge_node import DEADLINE_S, NO_TLS, TOKEN, await_end, first_line
from tests.support.soak_player import Target
from tests.support.tls import EDGE, RENEWED

WORKERS = 2
MEMORY_BYTES = 24 << 20
DISK_BYTES = 40 << 20
BAD_LINE = re.compile(r"Traceback|never retrieved|Task exception|\[(error|critical) +\]")
EXPECTED_LINE = re.compile(  # and files of which one was new when they were read
    r"all origins are down|certificates stay as they are: .*the key is not this"
)


def options(root: Path, origin_port: int, *, tls: bool) -> list[str]:
    sizes = ["--memory", f"{MEMORY_BYTES >> 20}MiB", "--disk-size", f"{DISK_BYTES >> 20}MiB"]
    certificates = ["--tls-cert", str(root / "edge.pem"), "--tls-key", str(root / "edge.key")]
    return [
        *("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--workers", str(WORKERS), *sizes),
        *("--disk", str(root / "disk"), "--policies", str(root / "rules.yaml")),
        *("--origin", f"http://127.0.0.1:{origin_port}", "--access-log", str(root / "access.log")),
        *(certificates if tls else []),
    ]


@dataclass
class Watched:
    """What one process had when it was new."""

    process: psutil.Process
    descriptors: int
    rss_bytes: int

    @classmethod
    def of(cls, pid: int) -> Watched:
        process = psutil.Process(pid)
        return cls(process, process.num_fds(), process.memory_info().rss)


@dataclass
class SoakNode:
    """One edge; `target` tells players where it is."""

    root: Path
    origin_port: int
    target: Target
    lives: int = 0
    kills: int = 0  # of workers, in this life
    watched: dict[int, Watched] = field(default_factory=dict)
    _process: subprocess.Popen[str] | None = None
    _admin: httpx.AsyncClient | None = None

    @property
    def log(self) -> Path:
        return self.root / "edge.log"

    @property
    def rules(self) -> Path:
        return self.root / "rules.yaml"

    @property
    def admin(self) -> httpx.AsyncClient:
        assert self._admin is not None
        return self._admin

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def certify(self, number: int) -> None:
        """Put one of two pairs of certificate and key where the node reads them."""
        pair = (EDGE, RENEWED)[number % 2]
        for source, name in ((pair.certificate, "edge.pem"), (pair.key, "edge.key")):
            aside = self.root / f"{name}.new"
            aside.write_bytes(Path(source).read_bytes())
            aside.rename(self.root / name)

    async def start(self, *, tls: bool) -> None:
        self.lives += 1
        self.kills = 0
        argv = ["-m", "amaro", "edge", "serve", *options(self.root, self.origin_port, tls=tls)]
        self._process = await asyncio.to_thread(self._spawn, argv)
        serving = await asyncio.to_thread(first_line, self._process)
        assert self._process.stdout is not None
        administered = await asyncio.to_thread(self._process.stdout.readline)
        port, admin = (
            int(line.split("127.0.0.1:")[1].split()[0]) for line in (serving, administered)
        )
        self._admin = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{admin}",
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=DEADLINE_S,
            trust_env=False,
            verify=NO_TLS,
        )
        self.watched = {}
        self.target.port, self.target.tls = port, tls

    def _spawn(self, argv: list[str]) -> subprocess.Popen[str]:
        with self.log.open("a") as log:
            return subprocess.Popen(
                [sys.executable, *argv],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=os.environ | {"AMARO_ADMIN_TOKEN": TOKEN, "PYTHONUNBUFFERED": "1"},
            )

    async def kill(self) -> None:
        """End the supervisor as a crash would; its workers end with it."""
        await self._end(signal.SIGKILL)

    async def terminate(self) -> int:
        """End it as an operator would; return its exit status."""
        return await self._end(signal.SIGTERM)

    async def _end(self, number: int) -> int:
        assert self._process is not None
        processes = psutil.Process(self.pid).children(recursive=True)
        self._process.send_signal(number)
        status = await asyncio.to_thread(self._process.wait, DEADLINE_S)
        self.target.port = 0
        await asyncio.to_thread(await_end, processes)
        assert self._process.stdout is not None
        self._process.stdout.close()
        await self.admin.aclose()
        return status

    def destroy(self) -> None:
        """Leave no process behind, whatever happened."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    async def status(self) -> dict[str, Any]:
        return (await self.admin.get("/status")).raise_for_status().json()

    async def worker_pids(self) -> list[int]:
        return [worker["pid"] for worker in (await self.status())["workers"] if worker["pid"]]

    async def until_whole(self) -> None:
        """Wait until every worker serves; note what new ones have."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            workers = (await self.status())["workers"]
            if all(worker["state"] == "serving" for worker in workers):
                break
            assert time.monotonic() < deadline, workers
            await asyncio.sleep(0.05)
        for pid in [self.pid, *(worker["pid"] for worker in workers)]:
            with suppress(psutil.NoSuchProcess):
                self.watched.setdefault(pid, Watched.of(pid))

    async def metrics(self) -> dict[tuple[str, ...], float]:
        text = (await self.admin.get("/metrics")).raise_for_status().text
        return {
            (sample.name.removeprefix("amaro_edge_"), *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def bad_lines(self) -> list[str]:
        return bad_lines(self.log)


def bad_lines(log: Path) -> list[str]:
    """What a log should not have, and what follows it."""
    lines = log.read_text().splitlines()
    return [
        line
        for number, line in enumerate(lines)
        if BAD_LINE.search(line) and not EXPECTED_LINE.search(line)
        for line in lines[number : number + 30]
    ]
