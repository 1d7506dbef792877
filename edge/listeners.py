"""Listening sockets, bound before anything else so that a taken port is said at once."""

from __future__ import annotations

import ctypes
import errno
import socket
import struct
import sys

from edge.settings import Address

BACKLOG = 4096
UNSENT_BYTES_MAX = 128 * 1024
"""What the kernel takes of a body ahead of sending it, per connection; not what is in flight.

With its default of 4 MiB, large bodies fall out of the CPU's caches between our write and the
player's read: 1 MiB hits over loopback went from 3.5 to 4.2 thousand a second.
"""

_SO_ATTACH_FILTER = 26
_NO_SYN = (  # classic BPF over a TCP header: (code, jump if true, jump if false, operand)
    (0x30, 0, 0, 13),  # load the byte of flags
    (0x45, 0, 1, 0x02),  # is SYN among them?
    (0x06, 0, 0, 0),  # drop it
    (0x06, 0, 0, 0xFFFFFFFF),  # take it whole
)

_REASONS = {
    errno.EADDRINUSE: "is taken by another process",
    errno.EACCES: "needs more rights than this process has",
    errno.EADDRNOTAVAIL: "is not an address of this machine",
}


class ListenError(Exception):
    """An address cannot be bound; the message names it and the option that changes it."""


def bind(address: Address, *, option: str, count: int = 1) -> list[socket.socket]:
    """Return `count` sockets that listen on one address and share its connections.

    Two nodes could share a port by accident, as SO_REUSEPORT allows to one user: so the address is
    first taken without it.
    """
    with _listening(address, option, shared=False) as probe:
        actual = Address(address.host, probe.getsockname()[1])
    return [_listening(actual, option, shared=True) for _ in range(count)]


def bind_another(address: Address, *, option: str) -> socket.socket:
    """Return one more socket for an address that this process already shares."""
    return _listening(address, option, shared=True)


def reserve(address: Address, *, option: str) -> socket.socket:
    """Return a socket that keeps an address for others of ours, and takes no connection itself."""
    with _bound(address, option, shared=False) as probe:
        actual = Address(address.host, probe.getsockname()[1])
    return _bound(actual, option, shared=True)


def close_door(listener: socket.socket) -> None:
    """Let no new connection begin on a listening socket; those that have begun can be accepted.

    Closing it at once would reset what waits in its queue. Where the kernel has no such filter
    nothing changes. A player that comes now is refused when it tries again, a second later.
    """
    if sys.platform != "linux":
        return
    program = b"".join(struct.pack("=HBBI", *step) for step in _NO_SYN)
    held = ctypes.create_string_buffer(program)
    where = struct.pack("@HP", len(_NO_SYN), ctypes.addressof(held))
    listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, where)


def bound_to(listener: socket.socket) -> Address:
    """Return where a socket listens, its port known."""
    host, port = listener.getsockname()[:2]
    return Address(host, port)


def _listening(address: Address, option: str, *, shared: bool) -> socket.socket:
    listener = _bound(address, option, shared=shared)
    try:
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _refused(address, option, error) from None
    return listener


def _bound(address: Address, option: str, *, shared: bool) -> socket.socket:
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            address.host or None, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise ListenError(f"{option} {address}: {error.strerror}") from None
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES_MAX)
        if family == socket.AF_INET6:  # [::] is for IPv4, too, whatever the system's default
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(where)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise _refused(address, option, error) from None
    return listener


def _refused(address: Address, option: str, error: OSError) -> ListenError:
    reason = _REASONS.get(error.errno or 0, error.strerror)
    return ListenError(f"{address} {reason}; choose another with {option}")
