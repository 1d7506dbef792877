"""Players that ask for something and then read nothing, or hardly anything."""

import asyncio
import resource
import socket
from collections.abc import Iterable

READ_EVERY_S = 0.25
REQUEST = b"GET %b HTTP/1.1\r\nHost: bench.test\r\nUser-Agent: benchmark\r\nAccept: */*\r\n\r\n"


def raise_descriptor_limit(wanted: int) -> None:
    """Raise the soft limit of open files, for this process and those that it starts."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


async def stalled(
    port: int, targets: Iterable[bytes], buffer_bytes: int = 4096
) -> list[socket.socket]:
    """Return connections that have each asked for a target, seen its beginning, and stopped."""
    loop = asyncio.get_running_loop()
    opened = []
    for target in targets:
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        connection.setblocking(False)
        await loop.sock_connect(connection, ("127.0.0.1", port))
        await loop.sock_sendall(connection, REQUEST % target)
        opened.append(connection)
    for connection in opened:
        await loop.sock_recv(connection, 1)
    return opened


async def trickle(connections: list[socket.socket], bytes_per_s: int) -> None:
    """Read slowly from all of them until cancelled; a connection that was cut is left alone."""
    piece = max(1, int(bytes_per_s * READ_EVERY_S))
    alive = set(connections)
    while True:
        for connection in list(alive):
            try:
                if not connection.recv(piece):
                    alive.discard(connection)
            except BlockingIOError:
                pass
            except ConnectionError:
                alive.discard(connection)
        await asyncio.sleep(READ_EVERY_S)
