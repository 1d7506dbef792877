"""A load that asks for part after part of one object and takes each with one read or two.

wrk reads 8 KiB at a time: at 64 KiB an answer it is busier than the servers, and what it then
measures is how fast it reads pages that were not copied. Here 32 connections each ask for the next
64 KiB as soon as they have the last, and the core of the load has time to spare.
"""

import select
import socket
import sys
import time
from collections.abc import Sequence

from benchmarks.pairing import CONNECTIONS
from benchmarks.steady import browser_fields

READ_BYTES = 256 * 1024  # at once
EXPECTED = b"HTTP/1.1 206 "


class Asker:
    """One connection: what it asks for next, and what is left of the answer."""

    def __init__(self, connection: socket.socket, requests: Sequence[bytes], begin_at: int) -> None:
        self.read, self._send = connection.recv_into, connection.send
        self._requests, self._next = requests, begin_at
        self.asked_at = 0.0
        self.left_bytes = -1  # of the body; -1 until its head is there

    def ask(self) -> None:
        """Ask for the next part."""
        self._next = (self._next + 1) % len(self._requests)
        self.left_bytes = -1
        self.asked_at = time.perf_counter()
        self._send(self._requests[self._next])


def requests_for(port: int, path: str, size: int, part: int) -> list[bytes]:
    """Return a request for each part of an object, with a browser's fields."""
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
    fields = "".join(f"{name}: {value}\r\n" for name, value in browser_fields())
    spans = [(first, first + part - 1) for first in range(0, size, part)]
    return [f"{head}{fields}Range: bytes={a}-{b}\r\n\r\n".encode() for a, b in spans]


def load(port: int, path: str, size: int, part: int, seconds: float) -> str:
    """Ask until the time is over; return the line of totals, in the order that wrk's script has."""
    poll, buffer = select.epoll(), bytearray(READ_BYTES)
    view, requests = memoryview(buffer), requests_for(port, path, size, part)
    askers: dict[int, Asker] = {}
    connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS)]
    for number, connection in enumerate(connections):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
        askers[connection.fileno()] = Asker(connection, requests, 2 * number)
        poll.register(connection.fileno(), select.EPOLLIN)
    took_s: list[float] = []
    broken = refused = received = 0
    began = time.perf_counter()
    for asker in askers.values():
        asker.ask()
    while (now := time.perf_counter()) < began + seconds and not broken:
        for fd, _ in poll.poll(1.0):
            asker = askers[fd]
            count = asker.read(view)
            received += count
            if not count:
                broken += 1
            elif asker.left_bytes < 0:
                end = buffer.find(b"\r\n\r\n", 0, count) + 4
                refused += not buffer.startswith(EXPECTED)
                asker.left_bytes = part - (count - end)
            else:
                asker.left_bytes -= count
            if not asker.left_bytes:
                took_s.append(time.perf_counter() - asker.asked_at)
                asker.ask()
            elif asker.left_bytes < -1:
                broken += 1
    took_s.sort()
    middle, late = (int(took_s[int(len(took_s) * share)] * 1e6) for share in (0.5, 0.99))
    for connection in connections:
        connection.close()
    duration_us = int((now - began) * 1e6)
    return f"totals {len(took_s)} {duration_us} {broken} {refused} {middle} {late} {received}"


if __name__ == "__main__":
    numbers = [int(number) for number in (sys.argv[1], *sys.argv[3:])]
    print(load(numbers[0], sys.argv[2], *numbers[1:]))
