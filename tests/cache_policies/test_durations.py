"""Durations: what operators may write, and that writing and reading are inverse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_policies.durations import DURATION_MAX_S, parse_duration, render_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("30s", 30.0), ("1.5m", 90.0), ("12h", 43_200.0), ("7d", 604_800.0), (0, 0.0)],
)
def test_a_duration_has_a_unit(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", [30, "30", "", "s", "-1s", "1e3s", "1 s", "1w", None, True, False])
def test_anything_else_is_refused_with_the_form(text):
    with pytest.raises(ValueError, match="500ms, 30s, 5m, 12h or 7d"):
        parse_duration(text)


def test_for_ever_is_ten_years():
    assert parse_duration("3650d") == DURATION_MAX_S
    with pytest.raises(ValueError, match="write 3650d"):
        parse_duration("3651d")


@given(st.integers(0, int(DURATION_MAX_S) * 1000))
def test_what_is_rendered_is_read_back(milliseconds):
    seconds = milliseconds / 1000
    assert parse_duration(render_duration(seconds)) == seconds
