"""Where segments begin: tables for the choice, laws for every list."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmenter.boundaries import GAP_MAX_S, Boundaries, even_boundaries, keyframe_boundaries


@pytest.mark.parametrize(
    ("duration_s", "rate", "lengths_s"),
    [
        (30.0, Fraction(24), [4.0] * 7 + [2.0]),
        (30.0, Fraction(30000, 1001), [4.004] * 6 + [5.973]),
        (9.0, Fraction(25), [4.0, 5.0]),  # a rest shorter than half a segment joins the last
        (10.0, Fraction(25), [4.0, 4.0, 2.0]),
        (0.5, Fraction(25), [0.5]),
        (0.0, Fraction(25), [0.04]),  # one frame at least
    ],
)
def test_even_boundaries(duration_s, rate, lengths_s):
    found = even_boundaries(duration_s, rate).durations_s()
    assert found == pytest.approx(lengths_s, abs=0.06)


@pytest.mark.parametrize(
    ("keyframes", "duration", "starts"),
    [
        ([0, 2, 4, 6, 8], 10, (0, 4, 8)),
        ([0, 1, 2, 3, 4, 5, 6, 7], 8, (0, 4)),
        ([0, 5], 10, (0, 5)),
        ([0, 3, 6, 9], 12, (0, 3, 6, 9)),  # three is nearer to four than six
        ([0, 6], 12, (0, 6)),
        ([0, 7], 12, None),  # a gap over six seconds
        ([0, 2], 9, None),  # the last gap counts too
        ([1, 2], 4, None),  # nothing to decode before the first keyframe
        ([], 4, None),
        ([0], 3, (0,)),
    ],
)
def test_keyframe_boundaries(keyframes, duration, starts):
    found = keyframe_boundaries(keyframes, duration, 1)
    assert (found and found.starts) == starts


RATES = [Fraction(24), Fraction(30000, 1001), Fraction(60), Fraction(25, 2)]


@given(st.floats(0.01, 7200), st.sampled_from(RATES))
def test_even_boundaries_lie_on_frames_and_cover_everything(duration_s, rate):
    found = even_boundaries(duration_s, rate)
    frame = Fraction(found.timescale) / rate
    assert all(Fraction(start) % frame == 0 for start in (*found.starts, found.end))
    lengths = found.durations_s()
    assert all(0 < length <= GAP_MAX_S + 0.1 for length in lengths)
    assert sum(lengths) == pytest.approx(duration_s, abs=float(1 / rate))


@given(st.lists(st.integers(1, 6000), min_size=1, max_size=60))
def test_keyframe_boundaries_are_keyframes_and_never_too_far_apart(gaps):
    edges = [sum(gaps[:n]) for n in range(len(gaps) + 1)]
    found = keyframe_boundaries(edges[:-1], edges[-1], 1000)
    assert found is not None
    assert set(found.starts) <= set(edges[:-1])
    assert found.starts[0] == 0
    assert list(found.starts) == sorted(set(found.starts))
    assert all(length <= GAP_MAX_S for length in found.durations_s())


def test_seconds():
    assert Boundaries(timescale=1000, starts=(0,), end=1500).seconds(1500) == 1.5
