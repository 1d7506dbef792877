"""A real worker process keeps its memory budget, whatever its readers do."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.resident import resident_bytes
from edge.settings import MIB
from tests.support.edge_node import RunningNode, edge_node, eventually
from tests.support.edges import Asked, Client, Got, response, running_origin, until

BUDGET_BYTES = 256 * MIB
OBJECT_BYTES = 8 * MIB
READERS = 48
FRESH = "Cache-Control: max-age=600"


def body_of(target: bytes) -> bytes:
    """The body of an object: no other one has these bytes anywhere."""
    return (target.rjust(64, b".") * (OBJECT_BYTES // 64))[:OBJECT_BYTES]


async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
    fields = [FRESH] if asked.target.startswith(b"/kept") else ["Cache-Control: no-store"]
    writer.write(response(body_of(asked.target), *fields))


class Peak:
    """The most that a process has held, looked at again and again."""

    def __init__(self, node: RunningNode) -> None:
        self._pids = node.worker_pids()
        self.start_bytes = resident_bytes(self._pids)
        self.grown_bytes = 0

    async def watch(self) -> None:
        while True:
            grown = resident_bytes(self._pids) - self.start_bytes
            self.grown_bytes = max(self.grown_bytes, grown)
            await asyncio.sleep(0.02)


@contextmanager
def stalled_readers(node: RunningNode, targets: list[str]) -> Iterator[list[socket.socket]]:
    """Connections that have each asked for something and read nothing of it."""
    connections = []
    for target in targets:
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(node.settings.listen)
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: edge.test\r\n\r\n".encode())
        connection.setblocking(False)
        connections.append(connection)
    try:
        yield connections
    finally:
        for connection in connections:
            connection.close()


def has_news(connection: socket.socket) -> bool:
    """Whether an answer has begun to arrive, or the connection has ended."""
    try:
        connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except ConnectionError:
        pass
    return True


async def outcome(connection: socket.socket) -> Got | None:
    """What a reader that reads at last gets; None for a connection cut before the head."""
    # through a window of 4 KiB, with acknowledgements that wait, 8 MiB may take a minute
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    reader, writer = await asyncio.open_connection(sock=connection, limit=1 << 24)
    try:
        return await Client(reader, writer).read()
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    finally:
        writer.transport.abort()


def relieved(node: RunningNode) -> bool:
    """Whether memory was short, and is not any more."""
    said = metrics_of(node)
    used, budget = said["amaro_edge_memory_bytes"], said["amaro_edge_memory_budget_bytes"]
    return said["amaro_edge_readers_cut_total"] > 0 and used <= budget


def metrics_of(node: RunningNode) -> dict[str, float]:
    text = node.admin("GET", "/metrics", token=None).text
    families = text_string_to_metric_families(text)
    return {sample.name: sample.value for family in families for sample in family.samples}


async def churn(prefix: str) -> Peak:
    """Many large objects, each with a reader of its own that has stopped; then all of them read."""
    async with running_origin(script) as origin:
        with edge_node(origin.url, memory="256MiB") as node:
            peak = Peak(node)
            watching = asyncio.create_task(peak.watch())
            targets = [f"{prefix}/{number}" for number in range(READERS)]
            with stalled_readers(node, targets) as connections:
                await until(lambda: all(map(has_news, connections)))
                if prefix == "/kept":  # more than fits
                    await asyncio.to_thread(eventually, partial(relieved, node), "relief")
                answers = await asyncio.gather(*map(outcome, connections))
            watching.cancel()
            for target, got in zip(targets, answers, strict=True):
                body = body_of(target.encode())
                assert got is None or got.status in (200, 503)
                if got is not None and got.status == 200:
                    assert body.startswith(got.body)
                    assert got.whole == (got.body == body)
            after = await asyncio.to_thread(node.get, f"{prefix}/after")
            assert after.content == body_of(f"{prefix}/after".encode())
            return peak


async def test_stalled_readers_of_what_is_kept() -> None:
    peak = await churn("/kept")
    assert peak.grown_bytes <= 1.2 * BUDGET_BYTES


async def test_stalled_readers_of_what_is_passed_on() -> None:
    peak = await churn("/passed")
    assert peak.grown_bytes <= 1.2 * BUDGET_BYTES
