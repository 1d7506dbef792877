"""Mutated HTTP/2: whatever frames come, in any pieces, a connection answers them or ends."""

import asyncio
import random
import struct

from uvicorn.server import ServerState

from edge.hpack import Blocks
from edge.http2 import Http2Protocol
from edge.server import Server
from edge.worker import Worker
from tests.support.mutation import chunked_anyhow, mutated
from tests.support.virtual_time import virtual_time
from tests.support.wire import Wire, close_worker, worker_without_listener

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_GET = b"\x82\x87\x84\x01\x09edge.test"  # HPACK: a method, a scheme, "/" and an authority
_LIVE = b"\x82\x87\x04\x0c/.amaro/live\x01\x09edge.test"
_POST = b"\x83\x87\x84\x01\x09edge.test\x0f\x0d\x015"  # content-length: 5


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A frame (RFC 9113 §4.1)."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


SETTINGS = frame(4, 0, 0)
FRAMES = [
    frame(4, 0, 0, struct.pack(">HIHI", 4, 100_000, 3, 7)),
    frame(4, 1, 0),
    frame(1, 5, 1, _LIVE),
    frame(1, 5, 3, _GET),
    frame(1, 4, 5, _POST) + frame(0, 1, 5, b"hello"),
    frame(1, 4, 7, _POST) + frame(0, 0, 7, b"hel") + frame(0, 9, 7, b"\x02lo\x00\x00"),
    frame(1, 1, 9, _GET[:4]) + frame(9, 4, 9, _GET[4:]),
    frame(1, 0x2D, 11, b"\x01\x00\x00\x00\x00\x10" + _LIVE + b"\x00"),
    frame(2, 0, 1, struct.pack(">IB", 3, 16)),
    frame(3, 0, 5, struct.pack(">I", 8)),
    frame(6, 0, 0, b"pingpong"),
    frame(6, 1, 0, b"pingpong"),
    frame(7, 0, 0, struct.pack(">II", 0, 0) + b"bye"),
    frame(8, 0, 0, struct.pack(">I", 70_000)),
    frame(8, 0, 1, struct.pack(">I", 2**31 - 1)),
    frame(99, 255, 13, b"unknown"),
    frame(1, 4, 15, _POST + b"\x40\x07trailer\x01x") + frame(1, 5, 15, b"\x40\x01t\x01v"),
]


def http2_streams(draw: random.Random) -> None:
    """Nothing breaks, and nothing is held once the connection is gone."""
    with virtual_time() as loop:
        loop.run_until_complete(_http2_streams(draw))


async def _http2_streams(draw: random.Random) -> None:
    worker = worker_without_listener(connect_s=0.01, first_byte_s=0.01)
    for _ in range(12):
        chosen = sorted(draw.sample(range(len(FRAMES)), 8))  # streams are opened in order
        edits = draw.choice([0, 1, 4])
        frames = [mutated(draw, [FRAMES[n]], draw.choice([0, 0, 0, edits])) for n in chosen]
        if draw.random() < 0.1:
            draw.shuffle(frames)
        start = mutated(draw, [PREFACE + SETTINGS], draw.choice([0] * 9 + [1]))
        data = start + b"".join(frames)
        await _feed(worker, chunked_anyhow(draw, data))
    await asyncio.sleep(1)
    assert not worker.tasks
    assert not worker.memory.fill_bytes
    assert not worker.fills.waiting
    await close_worker(worker)


async def _feed(worker: Worker, pieces: list[bytes]) -> None:
    config = Server(worker).config
    worker.connections.pop()
    config.load()
    given = {"shared": worker.shared[0], "blocks": Blocks()}
    state, wire = ServerState(), Wire()
    protocol = type("Bound", (Http2Protocol,), given)(config, state, {})
    protocol.connection_made(wire)
    for piece in pieces:
        protocol.data_received(piece)
        if len(pieces) < 40:
            await asyncio.sleep(1e-6)
    await asyncio.sleep(0.1)
    protocol.connection_lost(None)
    await asyncio.sleep(0.1)
    assert not state.tasks
    assert protocol not in state.connections
    assert not protocol._outlet.streams
    assert not protocol._streams._inflow.held_bytes
