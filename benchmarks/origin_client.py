"""The one origin behind all servers of a run, and questions to it and to them."""

import hashlib
import http.client
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.origin_server import body
from benchmarks.pairing import RunRefusedError
from benchmarks.peers import LOAD_CORE, is_hit
from benchmarks.processes import Server, free_port, running

REQUEST_HEADERS = {"User-Agent": "benchmark", "Accept-Encoding": "gzip, deflate, br, zstd"}


@contextmanager
def origin(directory: Path) -> Iterator[Server]:
    """Run the origin on the core of the load, where it idles while hits are measured."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.origin_server", str(port)]
    log = directory / "origin.log"
    with running("origin", command, port=port, core=LOAD_CORE, log=log) as server:
        yield server


def fetch(server: Server, path: str) -> tuple[int, dict[str, str], bytes]:
    """Return (status, headers with names lower-cased, body) of one GET."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("GET", path, headers=REQUEST_HEADERS)
        answer = connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, headers, answer.read()
    finally:
        connection.close()


def requests_so_far(server: Server) -> int:
    """Return how many requests the origin has answered."""
    return int(fetch(server, "/count")[2])


def warm(server: Server, path: str, size: int) -> None:
    """Fill a server's cache and check that what it then says is the right bytes, and a hit."""
    for _ in range(3):
        status, headers, content = fetch(server, path)
    if status != 200 or digest(content) != digest(body(size)):
        raise RunRefusedError(f"{server.name} answered {path} with {status} and other bytes")
    if not is_hit(server.name, headers):
        raise RunRefusedError(f"{server.name} did not answer {path} with a hit: {headers}")


def digest(content: bytes) -> str:
    """Return the SHA-256 of a body."""
    return hashlib.sha256(content).hexdigest()
