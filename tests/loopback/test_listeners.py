"""Listening sockets: shared by one node, refused to a second one, closed without losing anybody."""

from __future__ import annotations

import errno
import select
import socket

import pytest

from edge.listeners import (
    UNSENT_BYTES_MAX,
    ListenError,
    bind,
    bind_another,
    bound_to,
    close_door,
)
from edge.settings import Address

ANY = Address("127.0.0.1", 0)
DEADLINE_S = 180.0


def test_sockets_of_one_node_share_an_address() -> None:
    sockets = bind(ANY, option="--listen", count=3)
    address = bound_to(sockets[0])
    sockets.append(bind_another(address, option="--listen"))
    assert {bound_to(each) for each in sockets} == {address}
    with pytest.raises(ListenError, match=f"{address} is taken .* choose another with --admin"):
        bind(address, option="--admin")
    for each in sockets:
        each.close()
    (again,) = bind(address, option="--listen")
    again.close()


def test_an_impossible_address_is_said() -> None:
    with pytest.raises(ListenError, match=r"192\.0\.2\.1:80 is not an address of this machine"):
        bind(Address("192.0.2.1", 80), option="--listen")


@pytest.fixture
def ipv6() -> None:
    """A kernel that has it; what then fails to listen is a defect of ours."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 loopback interface on this machine")


@pytest.mark.usefixtures("ipv6")
def test_ipv6() -> None:
    (listener,) = bind(Address("::1", 0), option="--listen")
    with listener, socket.create_connection(("::1", bound_to(listener).port), DEADLINE_S):
        assert str(bound_to(listener)).startswith("[::1]:")


@pytest.mark.usefixtures("ipv6")
def test_both_versions_of_ip() -> None:
    (listener,) = bind(Address("::", 0), option="--listen")
    with listener:
        for host in ("::1", "127.0.0.1"):
            with socket.create_connection((host, bound_to(listener).port), DEADLINE_S):
                accepted, _ = listener.accept()
                accepted.close()


def test_a_closed_door_keeps_those_who_are_inside_and_lets_nobody_in() -> None:
    (listener,) = bind(ANY, option="--listen")
    with socket.create_connection(bound_to(listener), DEADLINE_S) as inside:
        close_door(listener)
        outside = socket.socket()
        outside.setblocking(False)
        assert outside.connect_ex(bound_to(listener)) == errno.EINPROGRESS
        inside.sendall(b"I was here before")
        accepted, _ = listener.accept()
        with accepted:
            accepted.setblocking(True)
            assert accepted.recv(100) == b"I was here before"
            accepted.sendall(b"and are served")
            assert inside.recv(100) == b"and are served"
        with pytest.raises(BlockingIOError):
            listener.accept()
        listener.close()
        with outside:  # its next attempt is refused, a second later
            assert select.select([], [outside], [], DEADLINE_S)[1]
            assert outside.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED


def test_connections_inherit_the_bound_on_unsent_bytes() -> None:
    (listener,) = bind(ANY, option="--listen")
    with listener, socket.create_connection(bound_to(listener), DEADLINE_S):
        listener.settimeout(DEADLINE_S)
        accepted, _ = listener.accept()
        with accepted:
            limit = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT)
    assert limit == UNSENT_BYTES_MAX
