"""The one origin behind all servers of a run, and questions to it and to them."""

import hashlib
import http.client
import ssl
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.hit_rows import Row
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
    with running("origin", command, port=port, cores=str(LOAD_CORE), log=log) as server:
        yield server


def fetch(
    server: Server, path: str, fields: Mapping[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    """Return (status, headers with names lower-cased, body) of one GET."""
    connection = _connection(server)
    try:
        connection.request("GET", path, headers=REQUEST_HEADERS | dict(fields or {}))
        answer = connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, headers, answer.read()
    finally:
        connection.close()


def _connection(server: Server) -> http.client.HTTPConnection:
    if not server.tls:
        return http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    trusting = ssl.create_default_context()  # the certificate was made a moment ago
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection("127.0.0.1", server.port, timeout=30, context=trusting)


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


def refuse_unless_alike(server: Server, row: Row) -> None:
    """Ask as the row's clients do and refuse the run unless the answer is a hit and what it says.

    Each worker of several may have to be asked, so an object that is not there yet is asked again.
    """
    for _ in range(20 * row.workers):
        status, headers, content = fetch(server, row.path, dict(row.fields))
    if status != row.status or len(content) != row.body_bytes:
        raise RunRefusedError(f"{server.name}: {status} with {len(content)} bytes to {row.label}")
    if not is_hit(server.name, headers):
        raise RunRefusedError(f"{server.name} did not answer {row.label} with a hit: {headers}")


def digest(content: bytes) -> str:
    """Return the SHA-256 of a body."""
    return hashlib.sha256(content).hexdigest()
