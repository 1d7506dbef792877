"""Players that ask for something and then read nothing, or hardly anything."""

import asyncio
import resource
import socket
import ssl
from collections.abc import Iterable

from benchmarks.object_origin import body
from benchmarks.pairing import RunRefusedError

READ_EVERY_S = 0.25
LIMIT_S = 60.0
RECEIVE_BYTES = 4096  # that the kernel may take for a player who reads nothing
REQUEST = b"GET %b HTTP/1.1\r\nHost: bench.test\r\nUser-Agent: benchmark\r\nAccept: */*\r\n\r\n"


def raise_descriptor_limit(wanted: int) -> None:
    """Raise the soft limit of open files, for this process and those that it starts."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


async def stalled(
    port: int, targets: Iterable[bytes], buffer_bytes: int = RECEIVE_BYTES
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


def over_tls(port: int, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Return a connection whose kernel takes hardly anything that is not read."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    connection.settimeout(LIMIT_S)
    connection.connect(("127.0.0.1", port))
    return context.wrap_socket(connection, server_hostname="edge.test")


def stalled_over_tls(port: int, target: bytes, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Return a connection that has asked for a target, seen its first record, and stopped."""
    connection = over_tls(port, context)
    connection.sendall(REQUEST % target)
    connection.recv(1)
    return connection


def finish(connection: socket.socket, wanted: tuple[int, int]) -> None:
    """Read all that a stalled reader left; raise RunRefusedError unless it is object `wanted`."""
    connection.settimeout(LIMIT_S)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    number, size = wanted
    came, end = bytearray(b"H"), 0
    while not end or len(came) < end + size:
        data = connection.recv(1 << 16)
        if not data:
            break
        came += data
        end = end or came.find(b"\r\n\r\n") + 4 if b"\r\n\r\n" in came else 0
    connection.close()
    if not came.startswith(b"HTTP/1.1 200 ") or came[end:] != body(number, size):
        raise RunRefusedError(f"a stalled reader got {len(came)} bytes: {bytes(came[:200])!r}")


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
