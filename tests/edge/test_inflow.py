"""No peer ever waits for a window that nobody holds up, and none sends more than windows allow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.frames import FRAME_BYTES_MAX, WINDOW_BYTES, WindowError
from edge.inflow import HELD_BYTES_MAX, Inflow

STREAMS = 20
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["send", "send", "take", "end"]),
        st.integers(1, STREAMS),
        st.integers(1, FRAME_BYTES_MAX),
    ),
    max_size=200,
)


class Peer:
    """Sends what its windows allow; `waiting` is what no app has taken."""

    def __init__(self) -> None:
        self.inflow = Inflow()
        self.windows = dict.fromkeys(range(STREAMS + 1), WINDOW_BYTES)
        self.waiting = dict.fromkeys(range(1, STREAMS + 1), 0)

    def take_updates(self, frames: bytes) -> None:
        while frames:
            assert frames[:5] == b"\0\0\4\x08\0"
            stream_id, increment = (int.from_bytes(frames[at : at + 4], "big") for at in (5, 9))
            self.windows[stream_id] += increment
            frames = frames[13:]

    def send(self, stream_id: int, size: int) -> int:
        size = min(size, self.windows[0], self.windows[stream_id])
        if size:
            self.windows[0] -= size
            self.windows[stream_id] -= size
            self.waiting[stream_id] += size
            self.inflow.came(stream_id, size)
        return size

    def take(self, stream_id: int, _size: int = 0) -> None:
        self.waiting[stream_id] = 0
        self.take_updates(self.inflow.took(stream_id))

    def end(self, stream_id: int, _size: int = 0) -> None:
        self.waiting[stream_id] = 0
        self.windows[stream_id] = 0  # it sends nothing more
        self.take_updates(self.inflow.end(stream_id))


@given(STEPS)
def test_who_is_taken_from_can_always_send(steps):
    peer = Peer()
    for name, stream_id, size in steps:
        getattr(peer, name)(stream_id, size)
        assert peer.inflow.held_bytes == sum(peer.waiting.values())
        assert peer.inflow.held_bytes <= HELD_BYTES_MAX + WINDOW_BYTES
        assert all(0 <= window <= WINDOW_BYTES for window in peer.windows.values())
    for stream_id, waiting in peer.waiting.items():
        if waiting:
            peer.take(stream_id)
    assert peer.windows[0] > WINDOW_BYTES // 2
    for stream_id in peer.waiting:
        assert peer.windows[stream_id] == 0 or peer.windows[stream_id] > WINDOW_BYTES // 2


def test_a_stream_that_nobody_takes_from_holds_up_itself_alone():
    peer = Peer()
    while peer.send(1, FRAME_BYTES_MAX):
        peer.take_updates(peer.inflow.connection())
    assert peer.windows[1] == 0
    for _ in range(100):
        assert peer.send(2, FRAME_BYTES_MAX) == FRAME_BYTES_MAX
        peer.take(2)
    peer.take(1)
    assert peer.send(1, FRAME_BYTES_MAX) == FRAME_BYTES_MAX


def test_more_than_a_window_is_refused():
    inflow = Inflow()
    inflow.came(1, WINDOW_BYTES)
    inflow.connection()
    with pytest.raises(WindowError) as of_stream:
        inflow.came(1, 1)
    inflow = Inflow()
    inflow.came(1, 40_000)
    with pytest.raises(WindowError) as of_all:
        inflow.came(3, 40_000)
    assert (of_stream.value.stream_id, of_all.value.stream_id) == (1, 0)
