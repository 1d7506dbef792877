"""Frames in any cut: what the parser gets, which windows are opened, when it is too much."""

from itertools import pairwise

import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from hypothesis import given
from hypothesis import strategies as st

from edge import frames
from edge.frames import ALLOWANCE_MAX, FloodError, Incoming

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD = HeadersFrame(1, b"h" * 30, flags=["END_HEADERS"]).serialize()
KINDS = [
    HEAD,
    HeadersFrame(3, b"", flags=["END_STREAM"]).serialize(),
    DataFrame(1, b"d" * 40).serialize(),
    DataFrame(1, b"", flags=["END_STREAM"]).serialize(),
    PingFrame(0, b"12345678").serialize(),
    SettingsFrame(0, {SettingsFrame.MAX_FRAME_SIZE: 20_000}).serialize(),
    SettingsFrame(0, flags=["ACK"]).serialize(),
    RstStreamFrame(1, 8).serialize(),
    b"\x00\x00\x03\x77\x00\x00\x00\x00\x01abc",  # of an unknown kind
    b"\x00\x00\x04\x08\x00\x00\x00\x00\x01\x00\x00\x00\x00",  # a credit of nothing
    b"\x00\x00\x03\x08\x00\x00\x00\x00\x01\x00\x00\x01",  # a credit of the wrong length
]
CREDITS = st.tuples(st.integers(0, 9), st.integers(1, 2**31 - 1))


def feed(incoming: Incoming, data: bytes, cuts: list[int]) -> bytes:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return b"".join(incoming.feed(data[begin:end], 0.0) for begin, end in pairwise(edges))


@given(
    st.lists(st.one_of(st.sampled_from(KINDS), CREDITS), max_size=20),
    st.lists(st.integers(0, 2000), max_size=8),
)
def test_the_parser_gets_all_but_credits(sent, cuts):
    data, passed, credited = PREFACE, PREFACE, []
    for each in sent:
        if isinstance(each, bytes):
            data, passed = data + each, passed + each
        else:
            data += WindowUpdateFrame(*each).serialize()
            credited.append(each)
    incoming = Incoming(0.0)
    assert feed(incoming, data, cuts) == passed
    assert incoming.credits == credited


def test_the_initial_window():
    incoming = Incoming(0.0)
    for window in (0, 1000, 2**31 - 1):
        frame = SettingsFrame(0, {SettingsFrame.INITIAL_WINDOW_SIZE: window, 99: 1})
        incoming.feed((PREFACE if window == 0 else b"") + frame.serialize(), 0.0)
        assert incoming.initial_window == window


FLOODS: dict[str, bytes] = {
    "ping": PingFrame(0, b"12345678").serialize(),
    "settings": SettingsFrame(0).serialize(),
    "acknowledgement": SettingsFrame(0, flags=["ACK"]).serialize(),
    "priority": PriorityFrame(1, 0, 1).serialize(),
    "reset": RstStreamFrame(1, 8).serialize(),
    "credit": WindowUpdateFrame(0, 1).serialize(),
    "empty-data": DataFrame(1, b"").serialize(),
    "continuation": ContinuationFrame(1, b"").serialize(),
    "goaway": GoAwayFrame(0).serialize(),
    "unknown": b"\x00\x00\x00\x77\x00\x00\x00\x00\x01",
}


@pytest.mark.parametrize("kind", FLOODS)
def test_floods(kind):
    incoming = Incoming(0.0)
    incoming.feed(PREFACE, 0.0)
    for _ in range(ALLOWANCE_MAX):
        incoming.feed(FLOODS[kind], 0.0)
    with pytest.raises(FloodError):
        incoming.feed(FLOODS[kind], 0.0)


def test_what_is_of_use_is_no_flood():
    incoming = Incoming(0.0)
    incoming.feed(PREFACE, 0.0)
    for number in range(20_000):
        incoming.feed(FLOODS["ping"], number / 100)  # a hundred a second
    for _ in range(20_000):
        incoming.feed(HEAD + FLOODS["credit"] * 2, 200.0)  # two for each request
    for _ in range(20_000):
        incoming.sent(16_384)
        incoming.feed(FLOODS["credit"] * 4, 200.0)  # and four for each full frame of ours


@given(st.binary(max_size=40_000), st.booleans())
def test_heads_of_any_length(block, end):
    data, at, got, flags = frames.head_frames(5, block, end=end), 0, b"", []
    while at < len(data):
        frame, length = Frame.parse_frame_header(memoryview(data[at : at + 9]))
        frame.parse_body(memoryview(data[at + 9 : at + 9 + length]))
        assert (length <= 16_384, frame.stream_id) == (True, 5)
        got += frame.data
        flags.append({str(flag) for flag in frame.flags})
        at += 9 + length
    assert got == block
    assert ["END_HEADERS" in each for each in flags] == [False] * (len(flags) - 1) + [True]
    assert ("END_STREAM" in flags[0]) == end
