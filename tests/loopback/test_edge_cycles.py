"""What an exchange leaves behind: nothing that only a collector of cycles would find.

A worker's collector never looks at what has lived for a while, so a cycle keeps its body for good.
"""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

import pytest

from edge.asking import Asked as WhoAsks
from edge.collapse import Fill, FillReader
from edge.cycle import Cycle
from edge.delivery import Answer
from edge.encrypted import EncryptedTransport
from edge.encryption import Encryption
from edge.errors import EdgeError
from edge.http2 import Http2Protocol
from edge.output import Output
from edge.protocol import EdgeProtocol
from edge.purges import PurgeKind
from edge.secure import SecureConnection
from edge.streams import Streams
from edge.windows import WindowedTransport
from tests.support.edges import Asked, Edge, edge_and_origin, response, until
from tests.support.http2 import Http2Client
from tests.support.tls import EDGE

SOON = "Cache-Control: max-age=600, stale-if-error=0"
LIMITS = {"first_byte_s": 0.2, "idle_s": 0.2, "memory_wait_s": 0.2}
Player = Callable[[Edge], Awaitable[None]]
OF_CONNECTIONS = (
    *(EdgeProtocol, EncryptedTransport, Encryption, Http2Protocol, Output, SecureConnection),
    *(Streams, WindowedTransport),
)
TRACKED = (Answer, Cycle, EdgeError, Fill, FillReader, WhoAsks)


async def lost(writer: asyncio.StreamWriter) -> None:
    writer.close()


async def silent(_: asyncio.StreamWriter) -> None:
    await asyncio.sleep(0.5)


async def junk(writer: asyncio.StreamWriter) -> None:
    writer.write(b"junk\r\n\r\n")


async def cut(writer: asyncio.StreamWriter) -> None:
    writer.write(response(b"cut", SOON, length=100))
    await writer.drain()
    writer.close()


async def cut_with_tag(writer: asyncio.StreamWriter) -> None:
    writer.write(response(b"cut", SOON, 'ETag: "1"', length=100))
    await writer.drain()
    writer.close()


async def stalled(writer: asyncio.StreamWriter) -> None:
    writer.write(response(b"cut", SOON, length=100))
    await asyncio.sleep(0.5)


async def bad_chunk(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n")


async def refused(writer: asyncio.StreamWriter) -> None:
    writer.write(response(b"no", status="503 No"))


async def unasked_304(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 304 Not Modified\r\n\r\n")


async def private(writer: asyncio.StreamWriter) -> None:
    writer.write(response(b"mine", "Cache-Control: private"))


WAYS = [lost, silent, junk, cut, cut_with_tag, stalled, bad_chunk, refused, unasked_304, private]


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def left() -> list[object]:
    return [each for each in gc.get_objects() if isinstance(each, TRACKED)]


async def ask_all_ways(edge: Edge) -> None:
    """Plain and not, together and alone, with players that stay and one that leaves."""
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        await asyncio.gather(*[edge.get("/x") for _ in range(3)], return_exceptions=True)
    for line in ("Range: bytes=0-1", "Cache-Control: max-age=0", "Authorization: Basic eA=="):
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await edge.get("/x", line)
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        await edge.get("/x", method="HEAD")
    leaving = await edge.client()
    leaving.send(b"GET /x HTTP/1.1\r\nHost: edge.test\r\nX-Forwarded-Port: 1\r\n\r\n")
    await leaving.close()


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("stale", [False, True], ids=["cold", "stale"])
async def test_nothing_hangs_in_a_cycle(way, stale: bool) -> None:
    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if not failed:
            writer.write(response(b"good" * 9000, SOON, 'ETag: "0"'))
        else:
            await way(writer)

    failed = not stale
    async with edge_and_origin(script, **LIMITS) as (edge, _):
        if stale:
            await edge.get_in_time("/x")
            failed = True
            edge.purge(PurgeKind.ALL, soft=True)
        await ask_all_ways(edge)
        await until(lambda: len(edge.worker.tasks) == 0 and not edge.server.server_state.tasks)
        await until(lambda: left() == [])
        edge.purge(PurgeKind.ALL)
        edge.worker.memory.sweep_held()
        assert edge.worker.memory.used_bytes == 0


async def over_tls(edge: Edge) -> None:
    client = await edge.client()
    assert (await client.get("/")).status == 200
    await client.close()


async def over_http2(edge: Edge) -> None:
    client = await Http2Client.open(edge)
    for target in ("/", "/", "/?other"):
        assert (await client.get(target)).status == 200
    assert (await client.read(client.ask("/", method="POST", body=b"a body"))).status == 200
    await client.close()


async def in_its_handshake(edge: Edge) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(b"\x16\x03\x01")
    await writer.drain()
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("player", [over_tls, over_http2, in_its_handshake])
async def test_a_connection_that_is_gone_leaves_nothing(player: Player) -> None:
    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(response(b"an answer", SOON))

    async with edge_and_origin(script, tls=[EDGE]) as (edge, _):
        for _ in range(3):
            await player(edge)
            await until(lambda: not left_of_connections())


def left_of_connections() -> list[object]:
    return [each for each in gc.get_objects() if isinstance(each, OF_CONNECTIONS)]
