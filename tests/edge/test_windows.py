"""Bodies leave in windows: in order, whole, and never more at once than a window allows."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from edge.windows import WINDOW_BYTES, WindowedTransport


class Narrow(asyncio.Transport):
    """Takes one write, then is full until the test empties it."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.taken = 0
        self.closed = False
        self.windows: WindowedTransport

    def write(self, data) -> None:
        assert not self.closed
        if data:
            self.written.append(bytes(data))
            self.windows.fill()

    def empty(self) -> None:
        self.taken = len(self.written)
        self.windows.drain()

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def get_write_buffer_size(self) -> int:
        return sum(map(len, self.written[self.taken :]))


class Told:
    """What a connection hears."""

    def __init__(self) -> None:
        self.narrow = Narrow()
        self.paused = False
        self.windows = WindowedTransport(self.narrow, self.pause, self.resume)
        self.narrow.windows = self.windows

    def pause(self) -> None:
        assert not self.paused
        self.paused = True

    def resume(self) -> None:
        assert self.paused
        self.paused = False


SIZES = st.integers(0, 3 * WINDOW_BYTES)
STEPS = st.lists(st.one_of(SIZES, st.lists(SIZES, max_size=4), st.none()), max_size=20)


@given(STEPS)
def test_everything_leaves_in_order(steps):
    told, sent = Told(), b""
    for number, step in enumerate(steps):
        if step is None:
            told.narrow.empty()
        elif isinstance(step, int):
            sent += bytes([number]) * step
            told.windows.write(bytes([number]) * step)
        else:
            pieces = [bytes([number]) * size for size in step]
            sent += b"".join(pieces)
            told.windows.writelines(pieces)
        assert all(len(data) <= WINDOW_BYTES for data in told.narrow.written)
        waiting = told.windows.get_write_buffer_size()
        assert waiting == len(sent) - sum(map(len, told.narrow.written[: told.narrow.taken]))
        assert told.paused == (waiting > 0)
    told.windows.close()
    assert told.windows.is_closing()
    while not told.narrow.closed:
        told.narrow.empty()
    assert b"".join(told.narrow.written) == sent


def test_what_is_aborted_lets_go_of_everything():
    told = Told()
    told.windows.writelines([b"a" * WINDOW_BYTES, b"b" * WINDOW_BYTES])
    assert told.paused
    told.windows.abort()
    assert told.narrow.closed
    assert len(told.narrow.written) == 1
    told.windows.drain()
    assert len(told.narrow.written) == 1
    assert told.paused


def test_bytes_that_wait_are_not_copied():
    told, body = Told(), bytes(10 * WINDOW_BYTES)
    told.windows.writelines([b"head", body])
    waiting = told.windows._waiting[0]
    assert isinstance(waiting, memoryview)
    assert waiting.obj is body
