"""How a worker gives a page's connection to the hub: the socket itself, with what it has read.

A pair of sockets whose messages have an end each; the node holds both of them, so that what was
sent while there is no hub is served by the next one. TLS has its state in the worker's memory, so
an encrypted connection cannot be given away: pages of such a node use the hub's own listener.
"""

from __future__ import annotations

import socket
from typing import Final

PATH: Final = "/.amaro/ws"
HUB_HANDOVER_MAX: Final = 64  # that the hub takes before it looks at anything else
_PATH: Final = PATH.encode()


def pair() -> tuple[socket.socket, socket.socket]:
    """The hub's end, and that of the workers."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setblocking(False)
    return ends


def is_for_hub(target: bytes) -> bool:
    """Whether a request is the hub's to answer."""
    return target.partition(b"?")[0] == _PATH


def give_over(passage: socket.socket, number: int, head: bytes) -> bool:
    """Give a connection away, by its descriptor; False when the hub has too many to take."""
    try:
        socket.send_fds(passage, [head], [number], socket.MSG_DONTWAIT)
    except OSError:
        return False
    return True


def take_over(passage: socket.socket, head_max_bytes: int) -> tuple[socket.socket, bytes] | None:
    """The next connection and the head that was read of it; None when there is none.

    No worker reads a head that is longer than `head_max_bytes`.
    """
    try:
        head, numbers, _, _ = socket.recv_fds(passage, head_max_bytes, 1, socket.MSG_CMSG_CLOEXEC)
    except BlockingIOError:
        return None
    if not numbers:
        return None
    accepted = socket.socket(fileno=numbers[0])
    accepted.setblocking(False)
    return accepted, head
