"""A hundred clients in one process, on raw sockets, so that the measuring itself takes no time."""

import selectors
import socket
import time
from dataclasses import dataclass, field

REQUEST = (
    b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: benchmark\r\n"
    b"Accept: */*\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\r\n"
)
PIECE_BYTES = 256 * 1024


@dataclass(slots=True)
class Client:
    """One connected client: what it has seen, and when."""

    connection: socket.socket
    sent_s: float = 0.0
    first_byte_s: float = 0.0  # of the body, on the monotonic clock; 0 until then
    last_byte_s: float = 0.0
    status: int = 0
    length: int = -1
    received: int = 0
    identical: bool = True
    _head: bytearray = field(default_factory=bytearray)

    @property
    def is_done(self) -> bool:
        """Whether the whole announced body has come."""
        return 0 <= self.length <= self.received

    def take(self, data: memoryview, now_s: float, expected: memoryview) -> None:
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
        end = self.received + len(data)
        self.identical = self.identical and data == expected[self.received : end]
        self.received = end
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
        clients.append(Client(connection))
    return clients


def ask_all(clients: list[Client], path: str, expected: bytes, limit_s: float) -> None:
    """Let all clients ask for `path` at once and read until each has all, or `limit_s` is over."""
    buffer = bytearray(PIECE_BYTES)
    view, wanted = memoryview(buffer), memoryview(expected)
    with selectors.EpollSelector() as selector:
        for client in clients:
            selector.register(client.connection, selectors.EVENT_READ, client)
        request = REQUEST % path.encode()
        for client in clients:
            client.sent_s = time.monotonic()
            client.connection.send(request)
        missing = len(clients)
        deadline_s = time.monotonic() + limit_s
        while missing and (left_s := deadline_s - time.monotonic()) > 0:
            for key, _ in selector.select(left_s):
                client = key.data
                size = client.connection.recv_into(buffer)
                now_s = time.monotonic()
                if size:
                    client.take(view[:size], now_s, wanted)
                if not size or client.is_done:
                    selector.unregister(client.connection)
                    missing -= 1


def close(clients: list[Client]) -> None:
    """Close all connections."""
    for client in clients:
        client.connection.close()
