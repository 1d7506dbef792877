"""A crowd in one process, on raw sockets; the kernel says when each byte came.

A time taken in the load tells when the load got round to looking: with a thousand clients that is
tens of milliseconds. The kernel stamps what arrives (SO_TIMESTAMPNS), whoever reads it when.
"""

import selectors
import socket
import struct
import time
from dataclasses import dataclass, field

REQUEST = (
    b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: benchmark\r\n"
    b"Accept: */*\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\r\n"
)
PIECE_BYTES = 256 * 1024
STAMP = struct.Struct("@ll")  # a timespec
SO_TIMESTAMPNS = 35  # also what its control message is called; the socket module has neither


@dataclass(slots=True)
class Client:
    """One connected client: what it has seen, and when."""

    connection: socket.socket
    sent_s: float = 0.0
    first_byte_s: float = 0.0  # of the body, by the kernel's wall clock; 0 until then
    last_byte_s: float = 0.0
    seen_s: float = 0.0  # when the load looked at the first byte
    status: int = 0
    length: int = -1
    received: int = 0
    identical: bool = True
    _head: bytearray = field(default_factory=bytearray)

    @property
    def is_done(self) -> bool:
        """Whether the whole announced body has come."""
        return 0 <= self.length <= self.received

    def ask(self, path: str) -> None:
        """Send a request; what came of an earlier one is forgotten."""
        self.length, self.received, self._head = -1, 0, bytearray()
        self.first_byte_s = self.seen_s = 0.0
        self.sent_s = time.time()
        self.connection.send(REQUEST % path.encode())

    def take(self, data: memoryview, now_s: float, expected: bytes) -> None:
        """Fold bytes that arrived at `now_s` in, comparing the body with `expected`."""
        if self.length < 0:
            self._head += data
            head, mark, rest = bytes(self._head).partition(b"\r\n\r\n")
            if not mark:
                return
            self._read_head(head)
            data = memoryview(rest)
        if not data:
            return
        if self.first_byte_s == 0.0:
            self.first_byte_s = now_s
            self.seen_s = time.time()
        # bytes compare at once, memoryviews one by one: 16 us for 16 KiB
        self.identical = self.identical and expected.startswith(data, self.received)
        self.received += len(data)
        self.last_byte_s = now_s

    def _read_head(self, head: bytes) -> None:
        lines = head.split(b"\r\n")
        self.status = int(lines[0].split(b" ")[1])
        named = dict(line.lower().split(b": ", 1) for line in lines[1:] if b": " in line)
        self.length = int(named[b"content-length"])


def connect(port: int, count: int) -> list[Client]:
    """Return `count` connected clients that have asked nothing yet."""
    clients = []
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", port), timeout=10)
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        clients.append(Client(connection))
    return clients


def ask_all(clients: list[Client], path: str, expected: bytes, limit_s: float) -> None:
    """Let all clients ask for `path` at once and read until each has all, or `limit_s` is over."""
    buffer = bytearray(PIECE_BYTES)
    view = memoryview(buffer)
    space = socket.CMSG_SPACE(STAMP.size)
    with selectors.EpollSelector() as selector:
        for client in clients:
            selector.register(client.connection, selectors.EVENT_READ, client)
        for client in clients:
            client.ask(path)
        missing = len(clients)
        deadline_s = time.monotonic() + limit_s
        while missing and (left_s := deadline_s - time.monotonic()) > 0:
            for key, _ in selector.select(left_s):
                client = key.data
                try:
                    size, told, _, _ = client.connection.recvmsg_into([buffer], space)
                except ConnectionError:
                    size = 0  # cut: it has got less than all
                if size:
                    client.take(view[:size], stamped_s(told), expected)
                if not size or client.is_done:
                    selector.unregister(client.connection)
                    missing -= 1


def stamped_s(told: list[tuple[int, int, bytes]]) -> float:
    """Return when the kernel got the last of what was read, now where it does not say."""
    for level, kind, data in told:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(data) >= STAMP.size:
            seconds, nanoseconds = STAMP.unpack_from(data)
            return float(seconds + nanoseconds * 1e-9)
    return time.time()


def close(clients: list[Client]) -> None:
    """Close all connections."""
    for client in clients:
        client.connection.close()
