"""The admin listener under those who are slow, many or large: the operator's order goes through."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress

import psutil
import pytest

from edge.admin import admin_app, serving
from edge.admin_connection import CONNECTIONS_MAX, HEAD_MAX_BYTES, AdminConnection
from edge.orders import BODY_MAX_BYTES, PurgeOrder
from edge.receipts import Receipt
from edge.switching import Switched
from tests.support.edges import until

TOKEN = "a-token"
PADDING_BYTES = 32 << 20  # more than sockets take
PURGE = (
    b"POST /purge HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a-token\r\n"
    b'Content-Length: 12\r\n\r\n{"tag": "t"}'
)


class Node:
    """Does what it is told at once."""

    is_ready = True

    def __init__(self) -> None:
        self.purged: list[PurgeOrder] = []
        self.asked = 0

    def status(self) -> dict[str, object]:
        self.asked += 1
        return {"padding": "x" * PADDING_BYTES}

    def rules(self) -> dict[str, object]:
        return {}

    async def put_policies(self, text: bytes, name: str) -> Switched:
        raise NotImplementedError

    async def metrics(self) -> bytes:
        return b""

    async def purge(self, order: PurgeOrder) -> Receipt:
        self.purged.append(order)
        return Receipt(sequence=1, workers=1, hanging=(), took_ms=0.0)


class Listener:
    """A listener and connections to it."""

    def __init__(self, port: int, stack: AsyncExitStack) -> None:
        self.port = port
        self._stack = stack
        self.node = Node()

    async def connect(self, sent: bytes = b"") -> asyncio.StreamReader:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._stack.push_async_callback(_close, writer)
        writer.write(sent)
        return reader

    def open_connections(self) -> int:
        """How many the listener has, as the kernel sees it."""
        ours = psutil.Process().net_connections("tcp")
        is_open = psutil.CONN_ESTABLISHED
        return sum(each.laddr.port == self.port and each.status == is_open for each in ours)

    async def status(self, sent: bytes) -> bytes:
        reader = await self.connect(sent)
        async with asyncio.timeout(30):
            return (await reader.readline()).split(b" ")[1]


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(ConnectionError):
        await writer.wait_closed()


@asynccontextmanager
async def listening() -> AsyncIterator[Listener]:
    with closing(socket.create_server(("127.0.0.1", 0), backlog=1024)) as listener:
        listener.setblocking(False)
        async with AsyncExitStack() as stack:
            given = Listener(listener.getsockname()[1], stack)
            await stack.enter_async_context(serving(admin_app(given.node, TOKEN), listener))
            yield given


async def is_ended(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(30):
            while await reader.read(1 << 16):
                pass
    except ConnectionError:
        return True
    return True


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"POST /purge HTTP/1.1\r\nHost: a\r\nX: ",
        PURGE[:-1],
        PURGE.replace(b"12", b"99999"),
    ],
    ids=["silent", "in-head", "in-body", "long-body"],
)
async def test_500_connections_that_send_slowly_do_not_keep_a_purge_out(sent: bytes) -> None:
    async with listening() as admin:
        slow = [await admin.connect(sent) for _ in range(500)]
        assert await admin.status(PURGE) == b"200"
        assert len(admin.node.purged) == 1
        ended = [asyncio.create_task(is_ended(each)) for each in slow]
        await until(lambda: sum(each.done() for each in ended) >= 500 - CONNECTIONS_MAX)
        for each in ended:
            each.cancel()


async def test_a_request_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening() as admin:
        with monkeypatch.context() as patched:
            patched.setattr(AdminConnection, "request_s", 0.2)
            for sent in (b"", PURGE[:40], PURGE[:-1], PURGE + PURGE[:-1]):
                assert await is_ended(await admin.connect(sent))
        assert await admin.status(PURGE) == b"200"


Large = Callable[[], bytes]


@pytest.mark.parametrize(
    "large",
    [
        lambda: PURGE[:30] + b"X: y\r\n" * HEAD_MAX_BYTES,
        lambda: b"GET /" + b"x" * 4 * HEAD_MAX_BYTES,
    ],
    ids=["fields", "target"],
)
async def test_a_head_is_bounded(large: Large) -> None:
    async with listening() as admin:
        assert await is_ended(await admin.connect(large()))
        assert await admin.status(PURGE) == b"200"


async def test_who_leaves_in_mid_order_is_no_error_of_ours(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An origin that dies while it carries a purge."""
    async with listening() as listener:
        _, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(PURGE[:-4])
        await writer.drain()
        await until(lambda: listener.open_connections() == 1)
        writer.transport.abort()
        await until(lambda: listener.open_connections() == 0)
        assert await listener.status(PURGE) == b"200"
    assert not caplog.records
    assert len(listener.node.purged) == 1


async def test_a_body_is_bounded() -> None:
    head = PURGE.partition(b"\r\n\r\n")[0].replace(b"12", b"%d" % (2 * BODY_MAX_BYTES))
    async with listening() as admin:
        assert await admin.status(head + b"\r\n\r\n" + b" " * 2 * BODY_MAX_BYTES) == b"400"


async def test_an_answer_that_is_not_taken_holds_a_place_only_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(AdminConnection, "request_s", 1.0)
    async with listening() as admin:
        ask = b"GET /status HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a-token\r\n\r\n"
        with closing(socket.create_connection(("127.0.0.1", admin.port))) as player:
            player.sendall(ask)
            await until(lambda: admin.node.asked == 1)
            await until(lambda: not admin.open_connections())
            player.settimeout(30)
            assert await asyncio.to_thread(_taken, player) < PADDING_BYTES


def _taken(player: socket.socket) -> int:
    taken = 0
    with suppress(ConnectionError):
        while piece := player.recv(1 << 20):
            taken += len(piece)
    return taken
