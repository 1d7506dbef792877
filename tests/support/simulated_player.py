"""A player on a simulated connection: it reads at its own pace and notes when each answer began."""

import asyncio
import os
import socket
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from uvicorn.server import ServerState

from edge.protocol import EdgeProtocol
from edge.server import Server
from edge.worker import Worker

HIGH_BYTES, LOW_BYTES = 65_536, 16_384
DEV_NULL = os.open(os.devnull, os.O_RDONLY)


class Socket:
    """What an edge asks a player's socket for."""

    family = socket.AF_INET

    def __init__(self, address: str) -> None:
        self._address = address

    def setsockopt(self, *_: object) -> None:
        """Ends are told apart here by `Pipe.aborted`."""

    def getpeername(self) -> tuple[str, int]:
        return self._address, 4000

    def getsockname(self) -> tuple[str, int]:
        return "10.0.0.1", 80

    def fileno(self) -> int:
        return DEV_NULL


class Pipe(asyncio.Transport):
    """One connection: what the edge writes arrives at `rate_bps`; with 0, never."""

    def __init__(self, address: str, rate_bps: float) -> None:
        super().__init__({"socket": Socket(address)})
        self.rate_bps = rate_bps
        self.protocol: EdgeProtocol
        self._loop = asyncio.get_running_loop()
        self._out: deque[Any] = deque()
        self._out_bytes = 0
        self._pumping = False
        self._paused = False
        self._reading = True
        self._in: list[bytes] = []
        self._closing = False
        self.written_bytes = 0
        self.write_log: list[tuple[int, float]] = []  # offset in the stream, when it was written
        self.received = bytearray()
        self.ended = False
        self.aborted = False
        self.news = asyncio.Event()

    # the player's side

    def send(self, data: bytes) -> None:
        self._in.append(data)
        self._loop.call_soon(self._deliver)

    def leave(self) -> None:
        """Go away without a word."""
        self.abort()

    def written_at(self, offset: int) -> float:
        return self.write_log[bisect_right(self.write_log, (offset, float("inf"))) - 1][1]

    # the edge's side

    def write(self, data: Any) -> None:
        if self._closing:
            return
        self.write_log.append((self.written_bytes, self._loop.time()))
        self.written_bytes += len(data)
        self._out.append(data)
        self._out_bytes += len(data)
        self._flow()

    def writelines(self, pieces: Any) -> None:
        for piece in pieces:
            self.write(piece)

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._flow()
            if not self._out:
                self._loop.call_soon(self._end)

    def abort(self) -> None:
        if not self.ended:
            self._closing = self.aborted = True
            self._out.clear()
            self._out_bytes = 0
            self._loop.call_soon(self._end)

    def can_write_eof(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True
        self._loop.call_soon(self._deliver)

    def get_write_buffer_size(self) -> int:
        return self._out_bytes

    # in between

    def _deliver(self) -> None:
        while self._in and self._reading and not self._closing:
            self.protocol.data_received(self._in.pop(0))

    def _flow(self) -> None:
        if self._out_bytes > HIGH_BYTES and not self._paused:
            self._paused = True
            self.protocol.pause_writing()
        if not self._pumping and self._out and self.rate_bps:
            self._pumping = True
            self._loop.call_later(min(len(self._out[0]), 16_384) / self.rate_bps, self._pump)

    def _pump(self) -> None:
        self._pumping = False
        if not self._out:
            return
        first = self._out.popleft()
        taken = first[:16_384]
        if len(first) > len(taken):
            self._out.appendleft(memoryview(first)[len(taken) :])
        del first
        self._out_bytes -= len(taken)
        self.received += taken
        self.news.set()
        if self._paused and self._out_bytes <= LOW_BYTES:
            self._paused = False
            self.protocol.resume_writing()
        if not self._out and self._closing:
            self._end()
        self._flow()

    def _end(self) -> None:
        if not self.ended:
            self.ended = True
            self.news.set()
            self.protocol.connection_lost(None)


@dataclass
class Heard:
    """One answer as it arrived."""

    status: int
    fields: dict[str, str]
    body: bytes
    whole: bool
    began_mono: float
    lines: list[tuple[str, str]] = field(default_factory=list)


class Player:
    """One player's connections, one at a time."""

    def __init__(self, worker: Worker, protocol: type[EdgeProtocol], address: str) -> None:
        self._config = Server(worker).config
        self._config.load()
        worker.connections[-1:] = []
        self._worker = worker
        self._protocol = protocol
        self._state = ServerState()
        worker.connections.append(self._state.connections)
        self._address = address
        self.pipe: Pipe | None = None
        self._at = 0  # offset in the stream of the next answer

    def connect(self, rate_bps: float) -> Pipe:
        """Open a connection, unless one is open."""
        if self.pipe is None or self.pipe.is_closing():
            self.pipe = Pipe(self._address, rate_bps)
            self._at = 0
            self.pipe.protocol = self._protocol(self._config, self._state, {})
            self.pipe.protocol.connection_made(self.pipe)
        self.pipe.rate_bps = rate_bps
        return self.pipe

    def leave(self) -> None:
        if self.pipe is not None:
            self.pipe.leave()

    async def answer(self, *, head_only: bool) -> Heard | None:
        """Read the next answer; None when the connection ended before its head."""
        pipe, at = self.pipe, self._at
        assert pipe is not None
        while (end := pipe.received.find(b"\r\n\r\n", at)) < 0:
            if pipe.ended:
                return None
            await self._more(pipe)
        first, *lines = pipe.received[at:end].decode("latin-1").split("\r\n")
        pairs = [(line.partition(": ")[0], line.partition(": ")[2]) for line in lines]
        heard = Heard(int(first.split(" ")[1]), dict(pairs), b"", True, pipe.written_at(at), pairs)
        self._at = end + 4
        if heard.status == 100:
            return await self.answer(head_only=head_only)
        if not head_only and heard.status not in (204, 304):
            await self._read_body(pipe, heard)
        return heard

    async def _read_body(self, pipe: Pipe, heard: Heard) -> None:
        if "content-length" in heard.fields:
            length = int(heard.fields["content-length"])
            heard.body = await self._bytes(pipe, length)
            heard.whole = len(heard.body) == length
        elif heard.fields.get("transfer-encoding") == "chunked":
            await self._read_chunks(pipe, heard)
        else:
            while not pipe.ended:
                await self._more(pipe)
            heard.body, heard.whole = bytes(pipe.received[self._at :]), not pipe.aborted

    async def _read_chunks(self, pipe: Pipe, heard: Heard) -> None:
        while True:
            while (end := pipe.received.find(b"\r\n", self._at)) < 0:
                if pipe.ended:
                    heard.whole = False
                    return
                await self._more(pipe)
            size = int(pipe.received[self._at : end], 16)
            self._at = end + 2
            chunk = await self._bytes(pipe, size + 2)
            heard.body += chunk[:size]
            if len(chunk) < size + 2:
                heard.whole = False
                return
            if size == 0:
                return

    async def _bytes(self, pipe: Pipe, count: int) -> bytes:
        while len(pipe.received) < self._at + count and not pipe.ended:
            await self._more(pipe)
        data = bytes(pipe.received[self._at : self._at + count])
        self._at += len(data)
        return data

    async def _more(self, pipe: Pipe) -> None:
        pipe.news.clear()
        await pipe.news.wait()
