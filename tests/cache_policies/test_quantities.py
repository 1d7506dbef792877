"""Rates and bandwidths: what is read is what was written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_policies.quantities import parse_bandwidth, parse_rate, render_bandwidth, render_rate


@pytest.mark.parametrize(
    ("text", "per_s"), [("100/s", 100.0), ("600/m", 10.0), ("1800/h", 0.5), ("0.5/s", 0.5)]
)
def test_a_rate_is_read(text: str, per_s: float) -> None:
    assert parse_rate(text) == per_s


@pytest.mark.parametrize("text", ["100", "100/d", "-1/s", "0/s", "1000001/s", 5, None, "1 /s"])
def test_what_is_no_rate_is_said(text: object) -> None:
    with pytest.raises(ValueError, match=r"a rate is|want more than 0"):
        parse_rate(text)


@pytest.mark.parametrize(
    ("text", "bps"),
    [("40Mbit/s", 5e6), ("1kB/s", 1e3), ("5MiB/s", 5.0 * 1024**2), ("8kbit/s", 1e3)],
)
def test_a_bandwidth_is_read(text: str, bps: float) -> None:
    assert parse_bandwidth(text) == bps


@pytest.mark.parametrize("text", ["40", "40Mb/s", "1B/s", "1001GB/s", "999999999GiB/s", 4])
def test_what_is_no_bandwidth_is_said(text: object) -> None:
    with pytest.raises(ValueError, match=r"a bandwidth has|want 1kB/s"):
        parse_bandwidth(text)


@given(st.integers(1, 999_999), st.sampled_from("smh"))
def test_a_rate_comes_back(number: int, unit: str) -> None:
    per_s = parse_rate(f"{number}/{unit}")
    assert parse_rate(render_rate(per_s)) == pytest.approx(per_s, rel=1e-6)


@given(st.floats(1e3, 9e8))
def test_any_rate_comes_back(bps: float) -> None:
    assert parse_bandwidth(render_bandwidth(bps)) == pytest.approx(bps, rel=1e-6)


@given(st.integers(1, 999_999), st.sampled_from(["Mbit", "kB", "MB", "KiB", "MiB", "GB"]))
def test_a_bandwidth_comes_back(number: int, unit: str) -> None:
    text = f"{number}{unit}/s"
    try:
        bps = parse_bandwidth(text)
    except ValueError:
        return
    assert parse_bandwidth(render_bandwidth(bps)) == pytest.approx(bps, rel=1e-6)
