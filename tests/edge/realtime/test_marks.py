"""Marks are ordered as they are given, and read as they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.realtime.marks import NUMBER_MAX, Mark

marks = st.builds(Mark, st.integers(0, 10**13), st.integers(0, 10**6))


@given(marks)
def test_what_is_written_is_read(mark: Mark) -> None:
    assert Mark.parse(str(mark)) == mark


@given(marks, st.floats(0.0, 1e10))
def test_the_next_one_is_later_whatever_the_clock_says(mark: Mark, now_wall: float) -> None:
    following = mark.next_at(now_wall)
    assert following > mark
    assert following.ms >= int(now_wall * 1000)


@given(marks.filter(lambda mark: mark.ms))
def test_nothing_fits_between_a_mark_and_the_one_before(mark: Mark) -> None:
    before = mark.before()
    assert before < mark
    assert Mark.parse(str(before)) == before
    assert before.number == NUMBER_MAX or before.next_at(0.0) == mark


@pytest.mark.parametrize(
    "text", ["", "1", "1-", "-1", "1-1-1", "+1-1", "1 - 1", "\u0663-\u0661", "1" * 16 + "-0"]
)
def test_what_is_no_mark(text: str) -> None:
    with pytest.raises(ValueError, match="is no mark"):
        Mark.parse(text)
