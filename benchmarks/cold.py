"""Keep-alive clients on raw sockets that ask for objects which no cache has yet, and check them."""

import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

from benchmarks.origin_server import body
from benchmarks.pairing import RunRefusedError

REQUEST = (
    b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: benchmark\r\n"
    b"Accept: */*\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\r\n"
)
READ_BYTES = 1 << 20
WAIT_S = 30.0
COMPARED_EVERY = 8  # objects; of the others what the first read brings, and the length


class _Client:
    """One connection and the object that it is being sent."""

    def __init__(self, port: int, expected: bytes) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._expected = memoryview(expected)
        self._buffer = bytearray(READ_BYTES)
        self._head = b""
        self._received = -1  # bytes of the body; -1: the head is not complete
        self._is_compared = True

    def ask(self, path: str, *, is_compared: bool) -> None:
        """Send one request."""
        self._head, self._received, self._is_compared = b"", -1, is_compared
        self.connection.send(REQUEST % path.encode())

    def read(self) -> bool:
        """Take what is there; return whether that completes the object."""
        size = self.connection.recv_into(self._buffer)
        at, is_first = 0, self._received < 0
        if is_first:
            before = len(self._head)
            self._head += self._buffer[:size]
            end = self._head.find(b"\r\n\r\n") + 4
            if end < 4 and size:
                return False
            self._refuse_unless(self._head.startswith(b"HTTP/1.1 200 "))
            length = b"\r\ncontent-length: %d\r\n" % len(self._expected)
            self._refuse_unless(length in self._head[:end].lower())
            at, self._received = end - before, 0
        begin, self._received = self._received, self._received + size - at
        if is_first or self._is_compared:
            # bytes compare eight at once so, memoryviews one at a time
            right = self._buffer.startswith(self._expected[begin : self._received], at)
            self._refuse_unless(right)
        self._refuse_unless(size > 0 and self._received <= len(self._expected))
        return self._received == len(self._expected)

    def _refuse_unless(self, right: bool) -> None:
        if not right:
            seen = bytes(self._head[:200])
            raise RunRefusedError(f"a cold object came cut off or otherwise wrong: {seen!r}")


def stream(port: int, paths: Iterator[str], size: int, connections: int) -> float:
    """Ask for objects of `size` bytes over so many connections; return the seconds it took."""
    expected = body(size)
    asked = 0
    with select.epoll() as poll, ExitStack() as stack:
        clients = {}
        for _ in range(connections):
            client = _Client(port, expected)
            stack.enter_context(client.connection)
            client.connection.setblocking(False)
            number = client.connection.fileno()
            poll.register(number, select.EPOLLIN)
            clients[number] = client
        began_s = time.monotonic()
        waiting = set(clients)
        for client in clients.values():
            client.ask(next(paths), is_compared=True)
        while waiting:
            ready = poll.poll(WAIT_S)
            if not ready:
                raise RunRefusedError(f"nothing came for {WAIT_S} s")
            for number, _ in ready:
                if not clients[number].read():
                    continue
                asked += 1
                path = next(paths, None)
                if path is None:
                    waiting.discard(number)
                else:
                    clients[number].ask(path, is_compared=asked % COMPARED_EVERY == 0)
        return time.monotonic() - began_s


def first_bytes(port: int, paths: Iterator[str], size: int) -> list[float]:
    """Ask for objects one after another over one connection; return the seconds to each."""
    client = _Client(port, body(size))
    took_s = []
    with client.connection:
        for path in paths:
            asked_s = time.monotonic()
            client.ask(path, is_compared=True)
            is_done = client.read()
            took_s.append(time.monotonic() - asked_s)
            while not is_done:
                is_done = client.read()
    return took_s
