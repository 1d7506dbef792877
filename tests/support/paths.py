"""One request on the hit path and on the slow path, and what of the two answers has to be alike."""

import re
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from cache_policies.message import Fields, RequestHead, ResponseHead
from cache_policies.policy import CachePolicy
from cache_policies.stored import Stored, Times
from cache_policies.storing import Store, judge_storing
from edge.errors import UpstreamError
from edge.protocol import EdgeProtocol
from edge.server import Server
from edge.worker import Worker
from tests.support.wire import Connection, Wire

READ_BYTES = 1 << 20


class SlowOnly(EdgeProtocol):
    """The same connection without its hit path."""

    def _hit(self, target: bytes, facts: Any, opened: bool = False) -> bool:
        return False


@dataclass(frozen=True)
class Parsed:
    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes

    def __repr__(self) -> str:
        begins = self.body[:40]
        return f"{self.status} {self.fields} and {len(self.body)} bytes, {begins!r}"

    def get(self, name: str) -> str | None:
        return dict(self.fields).get(name)


def as_parsed(status: int, fields: list[tuple[str, str]], body: bytes) -> Parsed:
    """An answer in one order; of several parts, with a boundary that is always the same."""
    kind = dict(fields).get("content-type", "")
    if (boundary := re.search(r"; boundary=(\w{32})$", kind)) is not None:
        body = body.replace(boundary[1].encode(), b"-" * 32)
        fields = [(name, value.replace(boundary[1], "-" * 32)) for name, value in fields]
    return Parsed(status, tuple(sorted(fields)), body)


def parse(data: bytes) -> Parsed:
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = []
    for line in lines:
        name, _, value = line.partition(": ")
        fields.append((name, value))
    return as_parsed(int(first.split(" ")[1]), fields, body)


def same(one: Parsed, other: Parsed, passed_s: float = 0.0) -> bool:
    """Alike but for the time that has passed between the two, of which whole seconds are told."""

    def seconds(parsed: Parsed) -> list[int]:
        said = [v for n, v in parsed.fields if n in ("age", "cache-status")]
        return [int(number) for value in said for number in re.findall(r"\d+", value)]

    def timeless(parsed: Parsed) -> Parsed:
        fields = [
            (n, re.sub(r"\d+", "N", v) if n in ("age", "cache-status") else v)
            for n, v in parsed.fields
        ]
        return Parsed(parsed.status, tuple(fields), parsed.body)

    if timeless(one) != timeless(other):
        return False
    return all(
        abs(a - b) <= passed_s + 1 for a, b in zip(seconds(one), seconds(other), strict=True)
    )


def judged(
    url: bytes, lines: Fields, selecting: Fields = (), *, status: int = 200, age_s: float = 0
) -> Stored:
    """What is stored of a response to a GET of `url` with the `selecting` fields."""
    scheme, _, rest = url.partition(b"://")
    host, _, path = rest.partition(b"/")
    request = RequestHead(b"GET", scheme, host, b"/" + path, selecting)
    times = Times(response_wall=time.time() - age_s, response_mono=time.monotonic() - age_s)
    found = judge_storing(request, ResponseHead(status, lines), times, CachePolicy())
    assert isinstance(found, Store), (url, found)
    return found.stored


class SocketWire(Wire):
    """Has a socket that takes what is sent past the transport, as far as it takes it."""

    def __init__(self) -> None:
        super().__init__()
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._theirs.setblocking(False)
        self.direct_bytes = 0  # that were sent so

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._ours if name == "socket" else default

    def take(self) -> bytes:
        read = b""
        with suppress(BlockingIOError):
            while data := self._theirs.recv(READ_BYTES):
                read += data
        self.direct_bytes += len(read)
        return read + super().take()  # the transport writes what the socket did not take

    def end(self) -> None:
        self._ours.close()
        self._theirs.close()


class NoOrigin:
    """Nobody answers."""

    async def fetch(self, _upstream: object, _fetch: object) -> None:
        raise UpstreamError("connect", "nobody is there")


class BothPaths:
    """A worker's connections of HTTP/1.1, with and without a hit path, over plain TCP."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        worker.app._exchange.filler.asker.client = NoOrigin()  # type: ignore[assignment]
        self.quick_class = worker.protocol()
        assert issubclass(self.quick_class, EdgeProtocol)
        self.slow_class = type("Bound", (SlowOnly,), {"shared": self.quick_class.shared})
        self.config = Server(worker).config
        self.config.load()
        self.direct_bytes = 0

    def connect(self, protocol_class: type[EdgeProtocol]) -> Connection:
        return Connection(self.worker, protocol_class, SocketWire(), config=self.config)

    async def leave(self, connection: Connection) -> None:
        connection.close()
        await connection.settle()
        wire = connection.wire
        assert isinstance(wire, SocketWire)
        self.direct_bytes += wire.direct_bytes
        wire.end()

    async def ask(self, heads: list[bytes]) -> list[tuple[Parsed | None, Parsed | None]]:
        """What each path says to requests on one connection; None twice where no hit is.

        What is no hit is not compared: nobody has it.
        """
        quick, slow = self.connect(self.quick_class), self.connect(self.slow_class)
        answers: list[tuple[Parsed | None, Parsed | None]] = []
        for head in heads:
            said = quick.feed(head)
            if not said:
                await self.leave(quick)
                quick = self.connect(self.quick_class)
                answers.append((None, None))
                continue
            slow.feed(head)
            answers.append((parse(said), parse(await slow.settle())))
        await self.leave(quick)
        await self.leave(slow)
        return answers
