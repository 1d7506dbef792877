"""Bodies leave whole and in order, within every window, and in turn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.frames import WindowError
from edge.outlet import WORTH_BYTES, Outlet

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("open"), st.integers(0, 100_000)),
        st.tuples(st.just("credit"), st.integers(0, 5), st.integers(1, 60_000)),
        st.tuples(st.just("resize"), st.integers(0, 100_000)),
        st.tuples(st.just("take"), st.integers(1, 70_000)),
        st.tuples(st.just("drop"), st.integers(1, 5)),
    ),
    max_size=40,
)


class Peer:
    """Counts what it gets against the windows that it has given."""

    def __init__(self) -> None:
        self.outlet = Outlet()
        self.windows = {0: 65_535}
        self.bodies: dict[int, bytes] = {}
        self.got: dict[int, bytes] = {}
        self.ended: set[int] = set()
        self.initial = 65_535

    def open(self, size: int) -> None:
        stream_id = len(self.bodies) + 1
        self.windows[stream_id] = window = self.outlet.begin(stream_id)
        self.bodies[stream_id], self.got[stream_id] = bytes([stream_id]) * size, b""
        stream = self.outlet.open(stream_id, window, 0.0)
        body = self.bodies[stream_id]
        self.outlet.add(stream, [body[: size // 3]], 0.0, end=False)
        self.outlet.add(stream, [body[size // 3 :]], 0.0, end=True)

    def credit(self, stream_id: int, increment: int) -> None:
        self.outlet.credit(stream_id, increment)
        if stream_id in self.windows:
            self.windows[stream_id] += increment

    def resize(self, window: int) -> None:
        for stream_id in self.windows.keys() - {0}:
            self.windows[stream_id] += window - self.initial
        self.initial = window
        self.outlet.resize(window)

    def take(self, bytes_max: int) -> None:
        pieces, size, finished = self.outlet.take(bytes_max, 0.0)
        data = b"".join(pieces)
        assert size <= bytes_max
        while data:
            length, flags = int.from_bytes(data[:3], "big"), data[4]
            stream_id = int.from_bytes(data[5:9], "big")
            assert (data[3], length <= 16_384, stream_id in self.ended) == (0, True, False)
            self.got[stream_id] += data[9 : 9 + length]
            self.windows[stream_id] -= length
            self.windows[0] -= length
            assert not length or min(self.windows[0], self.windows[stream_id]) >= 0
            if flags & 1:
                self.ended.add(stream_id)
            data, size = data[9 + length :], size - length
        assert size == 0
        assert set(finished) <= self.ended

    def drop(self, stream_id: int) -> None:
        if self.outlet.drop(stream_id) is not None:
            self.bodies[stream_id] = self.got[stream_id]
            self.ended.add(stream_id)


@given(STEPS)
def test_windows_are_kept_and_bodies_are_whole(steps):
    peer = Peer()
    for name, *told in steps:
        getattr(peer, name)(*told)
        left = sum(map(len, peer.bodies.values())) - sum(map(len, peer.got.values()))
        assert peer.outlet.waiting_bytes == left
    for stream_id in peer.windows:
        peer.credit(stream_id, 10_000_000)
    while peer.outlet.can_send:
        peer.take(30_000)
    assert peer.got == peer.bodies
    assert peer.ended == set(peer.bodies)
    assert not peer.outlet.streams


def test_streams_take_turns():
    peer = Peer()
    peer.credit(0, 10_000_000)
    for _ in range(3):
        peer.open(60_000)
    peer.take(3 * 16_384)
    assert [len(got) // 1024 for got in peer.got.values()] == [16, 15, 15]


def test_crumbs_of_a_window_are_left_until_they_are_worth_a_frame():
    peer = Peer()
    peer.open(200_000)
    peer.take(65_535)
    for _ in range(8):
        assert not peer.outlet.can_send
        peer.credit(1, 1000)
        peer.credit(0, WORTH_BYTES // 8)
    peer.credit(1, 1000)
    peer.take(65_535)
    assert len(peer.got[1]) > 65_535


def test_a_credit_may_come_before_its_request():
    outlet = Outlet()
    outlet.credit(1, 1000)
    outlet.credit(3, 2000)
    assert outlet.begin(1) == 66_535
    outlet.credit(1, 1000)  # it has been answered: of no use
    assert outlet.begin(3) == 67_535
    for stream_id in range(5, 5000, 2):
        outlet.credit(stream_id, 1)
    assert len(outlet._early) <= 256


def test_windows_have_a_limit():
    outlet = Outlet()
    stream = outlet.open(1, outlet.begin(1), 0.0)
    outlet.add(stream, [b"x"], 0.0, end=True)
    outlet.credit(1, 2**31 - 1 - 65_535)
    with pytest.raises(WindowError) as of_stream:
        outlet.credit(1, 1)
    assert of_stream.value.stream_id == 1
    outlet.credit(0, 2**31 - 1 - 65_535)
    with pytest.raises(WindowError) as of_all:
        outlet.credit(0, 1)
    assert of_all.value.stream_id == 0
