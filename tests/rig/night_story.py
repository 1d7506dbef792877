"""What is watched that night: a story at a real origin, uploaded, encoded and packaged there."""

from __future__ import annotations

import asyncio
import hashlib
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx

from tests.rig.network import Host
from tests.rig.night_film import KNOWN, MAIN, ORIGIN_PORTS, film, segment
from tests.support.clip import make_clip
from tests.support.edge_node import TOKEN, eventually
from tests.support.night_provider import NightProvider

CLIP_S: Final = 24.0
ORIGIN_DATA: Final = "origin-data"


@dataclass(frozen=True)
class Story:
    """Where players begin, and the segment that probes ask for, with its hash."""

    main: str
    known: str
    sha256: str


Publish = Callable[[str], Awaitable[Story]]
"""Publishes it, and reads it back through the edge with this admin listener."""
Origin = Callable[[Host, ExitStack, Path], Awaitable[Publish]]
"""Starts an origin on a host."""


async def filmed(host: Host, opened: ExitStack, root: Path) -> Publish:
    """A small origin, where the story is there already."""
    opened.enter_context(film(host))

    async def publish(_: str) -> Story:
        return Story(MAIN, KNOWN, hashlib.sha256(segment(0)).hexdigest())

    return publish


async def uploaded(host: Host, opened: ExitStack, root: Path) -> Publish:
    """A real origin with its segmenter; a proxy makes a second way to it."""
    first, second = (f"{host.address}:{port}" for port in ORIGIN_PORTS)
    data = ["--data", str(root / ORIGIN_DATA), "--jobs", f"sqlite:///{root / 'jobs.sqlite'}"]
    _spawn(host, opened, root, "origin", "serve", "--listen", first, *data)
    way = NightProvider(root / "second", second, [first])
    process = host.spawn(way.argv)
    opened.callback(_kill, process)
    ready = f"http://{first}/.amaro/ready"
    await asyncio.to_thread(eventually, lambda: _is_ready(ready), "the origin is ready")
    _spawn(host, opened, root, "segmenter", "work", *data)
    clip = await asyncio.to_thread(make_clip, root / "clip.mp4", seconds=CLIP_S)

    async def publish(admin: str) -> Story:
        running = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "amaro", "upload", str(clip), "--admin", admin),
            *("--wait", "--json"),
            env={"AMARO_ADMIN_TOKEN": TOKEN, "PATH": "/usr/bin:/bin"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        said, complaint = await running.communicate()
        found = re.search(rb'"playback_url": "([^"]+)"', said)
        assert found, (said, complaint)
        return await asyncio.to_thread(_read, found[1].decode())

    return publish


def _read(url: str) -> Story:
    """The story as players find it."""

    def first(playlist: str) -> str:
        lines = httpx.get(playlist, trust_env=False).raise_for_status().text.splitlines()
        return urljoin(playlist, next(line for line in lines if line and line[0] != "#"))

    known = first(first(url))
    body = httpx.get(known, trust_env=False).raise_for_status().content
    return Story(urlsplit(url).path, urlsplit(known).path, hashlib.sha256(body).hexdigest())


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _spawn(host: Host, opened: ExitStack, root: Path, name: str, *words: str) -> None:
    with (root / f"{name}.log").open("ab") as log:
        argv = [sys.executable, "-m", "amaro", name, *words]
        process = host.spawn(argv, output=log, AMARO_ADMIN_TOKEN=TOKEN)
    opened.callback(_kill, process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
