"""Players that say they are done, or are told so, and take nothing: they do not stay for ever."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import closing, suppress

import pytest

from edge.encryption import Encryption
from tests.support.edges import Asked, Edge, edge_and_origin, response, until
from tests.support.tls import EDGE, client_context

BODY = bytes(8 << 20)  # more than kernels take
ASK = b"GET /film HTTP/1.1\r\nHost: edge.test\r\n\r\n"
LAST = ASK[:-2] + b"Connection: close\r\n\r\n"


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


HTTP2_ASK = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    + frame(4, 0, 0, struct.pack(">HI", 4, 2**31 - 1))  # every stream's window is the largest,
    + frame(8, 0, 0, struct.pack(">I", 2**31 - 1 - 65_535))  # and the connection's
    + frame(1, 5, 1, b"\x82\x87\x04\x05/film\x01\x09edge.test")
)


async def script(_: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(response(BODY, "Cache-Control: max-age=600"))


def connect(edge: Edge, alpn: str | None) -> socket.socket:
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    raw.settimeout(30)
    raw.connect(("127.0.0.1", edge.port))
    return client_context(alpn).wrap_socket(raw, server_hostname="edge.test") if alpn else raw


def half_close(player: socket.socket) -> None:
    socket.socket.shutdown(player, socket.SHUT_WR)


def stay(player: socket.socket) -> None:
    del player


Leave = Callable[[socket.socket], None]


@pytest.mark.parametrize("leave", [half_close, stay])
@pytest.mark.parametrize(
    ("alpn", "ask"),
    [(None, ASK), (None, LAST), ("http/1.1", ASK), ("http/1.1", LAST), ("h2", HTTP2_ASK)],
    ids=["plain", "plain-last", "tls", "tls-last", "http2"],
)
@pytest.mark.parametrize("held", [True, False], ids=["hit", "fill"])
async def test_one_who_takes_nothing_is_cut(
    alpn: str | None, ask: bytes, leave: Leave, held: bool
) -> None:
    tls = [EDGE] if alpn else []
    async with edge_and_origin(script, tls=tls, keep_alive_s=0.3, reader_idle_s=0.3) as (edge, _):
        if held:
            assert (await edge.get("/film")).body == BODY
            await until(lambda: not edge.worker.snapshot()["connections"])
        with closing(await asyncio.to_thread(connect, edge, alpn)) as player:
            await asyncio.to_thread(player.sendall, ask)
            await asyncio.to_thread(player.recv, 1)  # the answer has begun
            leave(player)
            await until(lambda: not edge.worker.snapshot()["connections"])
            await until(lambda: not len(edge.worker.tasks))


async def test_one_who_has_tls_answer_and_reads_nothing_is_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As by updates of keys, each of which asks for one in return (RFC 8446 §4.6.3)."""

    def update_keys(_encryption: Encryption, _data: bytes) -> tuple[bytes, bytes]:
        return b"", bytes(65_536)

    def ask(player: socket.socket) -> None:
        with suppress(ConnectionError):
            while True:
                socket.socket.send(player, b"update")

    async with edge_and_origin(script, tls=[EDGE]) as (edge, _):
        with closing(await asyncio.to_thread(connect, edge, "http/1.1")) as player:
            await until(lambda: edge.worker.snapshot()["connections"] == 1)
            monkeypatch.setattr(Encryption, "opened", update_keys)
            await asyncio.wait_for(asyncio.to_thread(ask, player), 30)
            await until(lambda: not edge.worker.snapshot()["connections"])
