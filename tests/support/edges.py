"""An edge worker inside the test's own loop, an origin that follows a script, and a raw client."""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.disk_keeper import DiskKeeper
from edge.handover import Handover
from edge.purges import Purge, PurgeKind, PurgePage
from edge.server import Server
from edge.settings import MIB, Address, CertificatePair, EdgeSettings, Limits
from edge.tls import read_pairs
from edge.whom_to_ask import upstreams_of
from edge.worker import Worker
from tests.support.tls import client_context

PATIENCE_S = 180.0  # dozens of clients share one loop, on a machine that others keep busy


@dataclass(slots=True)
class Asked:
    """A request as the origin got it."""

    method: str
    target: bytes
    fields: list[tuple[str, bytes]]
    body: bytes = b""

    def get(self, name: str) -> bytes | None:
        return next((value for key, value in self.fields if key == name), None)


@dataclass(slots=True)
class Got:
    """A response as the client got it; `whole` is False when it was cut off."""

    status: int
    fields: list[tuple[str, bytes]]
    body: bytes
    whole: bool = True
    version: bytes = b"HTTP/1.1"

    def get(self, name: str) -> bytes | None:
        return next((value for key, value in self.fields if key == name), None)

    @property
    def says(self) -> str:
        return (self.get("cache-status") or b"").decode()


async def until(claim: Callable[[], bool]) -> None:
    """Wait until `claim` holds; the test fails when it does not within its patience."""
    async with asyncio.timeout(PATIENCE_S):
        while not claim():  # noqa: ASYNC110 what is waited for is not ours to signal
            await asyncio.sleep(0.005)


Script = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


def response(
    body: bytes = b"", *lines: str, status: str = "200 OK", length: int | None = None
) -> bytes:
    """A response as bytes; `lines` are its field lines beside Content-Length."""
    size = len(body) if length is None else length
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {size}", *lines])
    return head.encode("latin-1") + b"\r\n\r\n" + body


async def read_head(reader: asyncio.StreamReader) -> tuple[bytes, list[tuple[str, bytes]]]:
    raw = await reader.readuntil(b"\r\n\r\n")
    first, *lines = raw[:-4].split(b"\r\n")
    fields = []
    for line in lines:
        name, _, value = line.partition(b":")
        fields.append((name.decode("latin-1").lower(), value.strip()))
    return first, fields


async def read_chunked(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while True:
        size = int((await reader.readline()).split(b";")[0], 16)
        if size == 0:
            while (await reader.readline()).strip():
                pass
            return body
        body += (await reader.readexactly(size + 2))[:-2]


class Origin:
    """A server that does what `script` says, and remembers what it was asked."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[Asked] = []
        self.connections = 0
        self._server: asyncio.Server
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def start(self, place: socket.socket | None = None) -> None:
        """Serve at `place`, a bound socket, or anywhere."""
        where = {"sock": place} if place else {"host": "127.0.0.1", "port": 0}
        self._server = await asyncio.start_server(self._serve, **where, limit=1 << 20)

    async def stop(self) -> None:
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await self._server.wait_closed()

    async def at_rest(self) -> None:
        """Wait until nothing is served any more."""
        await until(lambda: not self._writers)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while True:
                first, fields = await read_head(reader)
                method, target, _ = first.split(b" ")
                asked = Asked(method.decode(), target, fields)
                length = asked.get("content-length")
                if length is not None:
                    asked.body = await reader.readexactly(int(length))
                elif asked.get("transfer-encoding") is not None:
                    asked.body = await read_chunked(reader)
                self.asked.append(asked)
                await self.script(asked, writer)
                await writer.drain()
                if writer.is_closing():
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()


class Client:
    """One raw connection to an edge."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def read(self, *, head_only: bool = False) -> Got:
        """The next response, whole or as far as it came."""
        async with asyncio.timeout(PATIENCE_S):
            first, fields = await read_head(self.reader)
            version, status, *_ = first.split(b" ")
            got = Got(int(status), fields, b"", version=version)
            length = got.get("content-length")
            if head_only or got.status in (204, 304) or got.status < 200:
                return got
            try:
                if length is not None:
                    got.body = await self.reader.readexactly(int(length))
                elif got.get("transfer-encoding") == b"chunked":
                    got.body = await read_chunked(self.reader)
                else:
                    got.body = await self.reader.read(-1)
            except asyncio.IncompleteReadError as error:
                got.body, got.whole = error.partial, False
            except (ConnectionError, ValueError):
                got.whole = False
            return got

    async def ask(self, target: str, *lines: str, method: str = "GET") -> Got:
        """The first thing that comes: early hints, too."""
        head = "\r\n".join([f"{method} {target} HTTP/1.1", "Host: edge.test", *lines])
        self.send(head.encode("latin-1") + b"\r\n\r\n")
        return await self.read(head_only=method == "HEAD")

    async def get(self, target: str, *lines: str, method: str = "GET") -> Got:
        got = await self.ask(target, *lines, method=method)
        while got.status < 200:
            got = await self.read(head_only=method == "HEAD")
        return got

    async def is_closed(self) -> bool:
        """Whether the edge ends the connection within the test's patience."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                return await self.reader.read(1) == b""
            except ConnectionError:
                return True

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


class PromptServer(Server):
    """Ends when it is told to, where uvicorn looks ten times a second, and waits for nobody."""

    def __init__(self, worker: Worker, **options: Any) -> None:
        self.told = asyncio.Event()
        super().__init__(worker, **options)

    @property
    def should_exit(self) -> bool:  # type: ignore[override]
        return self.told.is_set()

    @should_exit.setter
    def should_exit(self, value: bool) -> None:
        if value:
            self.told.set()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self.told.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self.server_state.connections or self.server_state.tasks:
            await super().shutdown(sockets)
            return
        for listener in (*self.servers, *(sockets or ())):
            listener.close()
        for server in self.servers:
            await server.wait_closed()


@dataclass(slots=True)
class Edge:
    """A running worker and its only listener."""

    worker: Worker
    page: PurgePage
    server: Server
    port: int
    disk: DiskKeeper | None = None
    clients: list[Client] = field(default_factory=list)
    tls: ssl.SSLContext | None = None  # for clients of an edge that serves TLS
    peer_servers: list[Server] = field(default_factory=list)  # that other edges ask

    async def client(self, source: str = "127.0.0.1") -> Client:
        """A connection from an address of this machine's own network."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1",
            self.port,
            local_addr=(source, 0),
            limit=1 << 24,
            ssl=self.tls,
            server_hostname="edge.test" if self.tls else None,
        )
        client = Client(reader, writer)
        self.clients.append(client)
        return client

    async def get(self, target: str, *lines: str, method: str = "GET") -> Got:
        """One request on a connection of its own."""
        client = await self.client()
        try:
            return await client.get(target, *lines, method=method)
        finally:
            await client.close()

    async def get_in_time(self, target: str, *lines: str) -> Got:
        """The same where the origin has little time: asked again while the machine takes it all."""
        async with asyncio.timeout(PATIENCE_S):
            while (got := await self.get(target, *lines)).status == 504:
                pass
        return got

    def results(self) -> Counter[str]:
        """How often players were answered in which way."""
        found = Counter[str](hit=self.worker.counters.hits)
        for name, count in self.worker.counters.snapshot().items():
            row, _, labels = name.partition(" ")
            if row == "requests":
                found[labels.split(" ")[0]] += int(count)
        return found

    def purge(self, kind: PurgeKind, value: bytes = b"", *, soft: bool = False) -> None:
        """Publish a purge and see it applied, as the supervisor would."""
        self.page.publish(kind, value, soft=soft)
        self.worker.follower.catch_up()

    async def purge_for_good(
        self, kind: PurgeKind, value: bytes = b"", *, soft: bool = False
    ) -> None:
        """The same of an edge with a disk, whose log outlives it."""
        assert self.disk is not None
        purge = Purge(sequence=self.page.epoch() + 1, kind=kind, value=value, soft=soft)
        await self.disk.record([purge])
        self.purge(kind, value, soft=soft)


@asynccontextmanager
async def running_edge(
    origin_url: str,
    *,
    memory_bytes: int = 64 * MIB,
    access_log: str = "",
    access_log_sample: int = 1,
    debug_token: str = "",
    tls: Sequence[CertificatePair] = (),
    policies: dict[str, Any] | None = None,
    ring: str | None = None,
    region: str = "",
    trusted_proxies: tuple[str, ...] = (),
    disk: Path | None = None,
    disk_bytes: int = 1 << 30,
    redis: str | None = None,
    log_id: bytes = bytes(8),
    neighbours: Mapping[str, Any] | None = None,
    **limits: Any,
) -> AsyncIterator[Edge]:
    """An edge in front of `origin_url`; `limits` replace those of its settings."""
    keeper = None
    if disk is not None:
        keeper = DiskKeeper(disk, disk_bytes)
        limits.setdefault("disk_wait_s", PATIENCE_S)  # this machine may be busy with other tests
    limits.setdefault("drain_grace_s", 0.0)
    limits.setdefault("drain_s", 2.0)
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    listener.setblocking(False)
    port = listener.getsockname()[1]
    page = PurgePage.create(workers=1, sequence=0 if keeper is None else keeper.sequence)
    given = Handover(
        settings=EdgeSettings(
            listen=Address("127.0.0.1", port),
            origin=origin_url,
            memory_bytes=memory_bytes,
            disk=None if disk is None else str(disk),
            disk_bytes=disk_bytes,
            redis=redis,
            access_log=access_log,
            access_log_sample=access_log_sample,
            debug_token=debug_token,
            limits=Limits(**limits),
            trusted_proxies=trusted_proxies,
            region=region,
            **(neighbours or {}),
        ),
        worker_no=0,
        page=page,
        listener=listener,
        peer_dir=None,
        pems=read_pairs(tls),
        log_id=log_id if keeper is None else keeper.log_id,
        policies=policies,
        ring=ring,
    )
    worker = Worker(given, upstreams_of(given))
    worker.start(asyncio.get_running_loop())
    server = PromptServer(worker)
    servers = {server: listener} | {
        PromptServer(worker, peers=True, app=worker.region_app): each
        for each in worker.neighbours.listeners()
    }
    serving = [asyncio.create_task(each.run_on([on])) for each, on in servers.items()]
    for each in servers:
        await each.serving.wait()
    edge = Edge(worker, page, server, port, keeper, tls=client_context() if tls else None)
    edge.peer_servers = [each for each in servers if each is not server]
    try:
        yield edge
    finally:
        for client in edge.clients:
            await client.close()
        for _ in range(10):  # turns of the loop, in which it sees that they are gone
            await asyncio.sleep(0.001 if server.server_state.connections else 0)
        for each in servers:
            each.should_exit = True
        await asyncio.wait(serving)
        await worker.close()
        page.close()
        if keeper is not None:
            keeper.close()


@asynccontextmanager
async def running_origin(script: Script) -> AsyncIterator[Origin]:
    origin = Origin(script)
    await origin.start()
    try:
        yield origin
    finally:
        await origin.stop()


@asynccontextmanager
async def edge_and_origin(script: Script, **options: Any) -> AsyncIterator[tuple[Edge, Origin]]:
    async with (
        running_origin(script) as origin,
        running_edge(origin.url, **options) as edge,
    ):
        yield edge, origin
