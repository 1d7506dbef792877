"""A connection that a worker gives to the hub, with all that was read of its head."""

import socket

from edge.realtime.passage import give_over, pair, take_over


def test_a_head_of_any_length_that_workers_read_is_given_whole() -> None:
    hub, worker = pair()
    ours, theirs = socket.socketpair()
    head = b"GET /.amaro/ws HTTP/1.1\r\nX: " + b"x" * 60_000 + b"\r\n\r\n"
    with hub, worker, ours, theirs:
        assert take_over(hub, 65_536) is None
        assert give_over(worker, theirs.fileno(), head)
        found = take_over(hub, 65_536)
        assert found is not None
        accepted, given = found
        with accepted:
            assert given == head
            accepted.send(b"hello")
            assert ours.recv(5) == b"hello"
