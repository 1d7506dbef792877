"""What a CDN in front of an edge gets to keep when URLs are signed.

A thousand viewers watch one of twenty stories each, by popularity, through nginx as the provider,
an edge that demands tokens, and an origin. Rows: `unsigned`; `signed`, with tokens as the origin
mints them, one for a story and an hour; `two-hours`, when the hour turns halfway; `own-tokens`,
where each viewer has another one, as if bound to it. Each begins with nothing stored. The run is
refused when a viewer gets other bytes than the origin has.
"""

import asyncio
import os
import random
import secrets
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.command import arguments, run
from benchmarks.hit_path import tmpfs
from benchmarks.origin_client import origin, requests_so_far
from benchmarks.origin_server import body
from benchmarks.pairing import RunRefusedError, Spread
from benchmarks.peers import EDGE, LOAD_CORE, SERVER_CORE, Place, complaints, started
from benchmarks.processes import Server, free_port, running
from benchmarks.report import Report
from cache_policies.access import BUCKET_S, Grant, bucket_end, mint
from cache_policies.access_ring import Ring, parse_ring

NEEDS = ("nginx", "taskset")
VIEWERS, STORIES, OBJECTS = 1_000, 20, 12
AT_ONCE = 100
SIZE_BYTES = 16_384  # of the first object; each of the others has its own size, and so its own body
HITS_MIN = 0.95
REGION = b"north"
PATIENCE_S = 60.0

RULES: Final = "rules: [{name: stories, match: {path: /story*}, set: {access: signed}}]\n"
REQUEST: Final = "GET {path} HTTP/1.1\r\nHost: video.example\r\nUser-Agent: benchmark\r\n\r\n"

Token = Callable[[int, int], bytes | None]
"""The token with which a viewer (by number) asks for a story (by number)."""


class Seen(NamedTuple):
    """What one run has shown."""

    requests: int
    hits: float  # share of them that the provider answered itself
    edge_requests: int
    origin_requests: int
    seconds: float


def tokens(label: str, ring: Ring) -> Token:
    """Return how a row's viewers get theirs."""
    now_wall = time.time()

    def minted(story: int, expires_wall: int) -> bytes:
        return mint(ring, Grant(b"/story%d/" % story, expires_wall, REGION), now_wall)

    hour = bucket_end(now_wall)
    return {
        "unsigned": lambda _viewer, _story: None,
        "signed": lambda _viewer, story: minted(story, hour),
        "two-hours": lambda viewer, story: minted(
            story, hour if viewer < VIEWERS // 2 else hour + BUCKET_S
        ),
        "own-tokens": lambda viewer, story: minted(story, hour + viewer),
    }[label]


ROWS = ("unsigned", "signed", "two-hours", "own-tokens")


def size_of(story: int, number: int) -> int:
    """Return the size of an object: no two are alike."""
    return SIZE_BYTES + story * OBJECTS + number


class Viewers:
    """Viewers that come one after the other, some at once, and watch to the end."""

    def __init__(self, port: int, token: Token, seed: int) -> None:
        self._port = port
        self._token = token
        draw = random.Random(seed)
        weights = list(accumulate(1.0 / rank for rank in range(1, STORIES + 1)))
        self._stories = draw.choices(range(STORIES), cum_weights=weights, k=VIEWERS)
        self._bodies = {
            size_of(story, no): body(size_of(story, no))
            for story in range(STORIES)
            for no in range(OBJECTS)
        }
        self.says: Counter[str] = Counter()

    async def watch(self) -> None:
        """Have all of them watch."""
        turns = iter(range(VIEWERS))

        async def some() -> None:
            for viewer in turns:
                await self._one(viewer, self._stories[viewer])

        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(some())

    async def _one(self, viewer: int, story: int) -> None:
        token = self._token(viewer, story)
        prefix = "" if token is None else f"/~{token.decode()}"
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        for number in range(OBJECTS):
            size = size_of(story, number)
            writer.write(REQUEST.format(path=f"{prefix}/story{story}/{size}").encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            if not head.startswith("http/1.1 200 ") or f"content-length: {size}\r\n" not in head:
                raise RunRefusedError(f"viewer {viewer} was answered {head.splitlines()[0]}")
            if await reader.readexactly(size) != self._bodies[size]:
                raise RunRefusedError(f"viewer {viewer} got other bytes than the origin has")
            self.says[head.partition("x-cache-status: ")[2].partition("\r\n")[0]] += 1
        writer.close()
        await writer.wait_closed()


@contextmanager
def edge(directory: Path, source: Server, *, signed: bool) -> Iterator[tuple[Server, int]]:
    """Run an edge that demands tokens, or not; yield it and the port of its admin listener."""
    port, admin = free_port(), free_port()
    command = [sys.executable, "-m", "amaro", "edge", "serve", "--listen", f"127.0.0.1:{port}"]
    command += ["--origin", source.url, "--region", REGION.decode()]
    command += ["--admin", f"127.0.0.1:{admin}"]
    if signed:
        rules = directory / "rules.yaml"
        rules.write_text(RULES)
        command += ["--policies", str(rules), "--access-keys", str(directory / "keys")]
    log = directory / "edge.log"
    with running(EDGE, command, port=port, cores=str(SERVER_CORE), log=log) as server:
        yield server, admin


def answered(admin: int) -> int:
    """Return how many requests an edge has answered, by its metrics."""
    url = f"http://127.0.0.1:{admin}/metrics"
    bearer = {"Authorization": f"Bearer {os.environ['AMARO_ADMIN_TOKEN']}"}
    with urllib.request.urlopen(urllib.request.Request(url, headers=bearer)) as response:
        lines = response.read().decode().splitlines()
    counted = [line for line in lines if line.startswith("amaro_edge_requests_total{")]
    return round(sum(float(line.rpartition(" ")[2]) for line in counted))


def one_run(label: str, directory: Path, source: Server, seed: int) -> Seen:
    """Return what a row shows once."""
    directory.mkdir()
    text = f"key k1 {secrets.token_urlsafe(32)}\n"
    (directory / "keys").write_text(text)
    with ExitStack() as stack:
        at_edge, admin = stack.enter_context(edge(directory, source, signed=label != "unsigned"))
        place = Place(directory=directory / "provider", origin_port=at_edge.port, port=free_port())
        provider = stack.enter_context(started("nginx-tuned", place))
        viewers = Viewers(provider.port, tokens(label, parse_ring(text)), seed)
        before, asked = requests_so_far(source), answered(admin)
        began_s = time.monotonic()
        asyncio.run(viewers.watch())
        seconds = time.monotonic() - began_s
        for server in (at_edge, provider):
            for line in complaints(server):
                raise RunRefusedError(f"{server.name} logged an error: {line}")
        return Seen(
            requests=viewers.says.total(),
            hits=viewers.says["hit"] / viewers.says.total(),
            edge_requests=answered(admin) - asked,
            origin_requests=requests_so_far(source) - before,
            seconds=seconds,
        )


def measure(*, rounds: int) -> Report:
    """Return the report of all rows."""
    os.environ["AMARO_ADMIN_TOKEN"] = secrets.token_hex(16)
    os.sched_setaffinity(0, {LOAD_CORE})
    seen: dict[str, list[Seen]] = {label: [] for label in ROWS}
    with tempfile.TemporaryDirectory(dir=tmpfs()) as name:
        directory = Path(name)
        with origin(directory) as source:
            for number in range(rounds):
                for label in ROWS:
                    where = directory / f"{label}-{number}"
                    seen[label].append(one_run(label, where, source, seed=number))
    figures: dict[str, Any] = {}
    ratios: dict[str, Any] = {}
    for label, found in seen.items():
        figures[label] = {
            key: Spread.of([float(getattr(each, key)) for each in found]) for key in Seen._fields
        }
        if label in ("signed", "two-hours"):
            worst = min(each.hits for each in found)
            reached = worst >= HITS_MIN
            ratios[f"{label} hits"] = {"worst": worst, "least": HITS_MIN, "reached": reached}
    return Report(name="providers", runs=rounds, figures=figures, ratios=ratios)


if __name__ == "__main__":
    options = arguments(__doc__, needs=NEEDS)
    run(lambda: measure(rounds=1 if options.quick else 5), options)
