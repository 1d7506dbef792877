"""What connections inherit from the sockets that they come in at."""

import socket

from edge.listeners import UNSENT_BYTES_MAX, bind, bound_to
from edge.settings import Address


def test_connections_inherit_the_bound_on_unsent_bytes():
    [listener] = bind(Address("127.0.0.1", 0), option="--listen")
    with listener, socket.create_connection(("127.0.0.1", bound_to(listener).port), timeout=30):
        listener.settimeout(30)
        accepted, _ = listener.accept()
        with accepted:
            limit = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT)
    assert limit == UNSENT_BYTES_MAX
