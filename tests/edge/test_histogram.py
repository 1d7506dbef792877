"""Histograms count every value once, in the first bucket that holds it."""

from hypothesis import given
from hypothesis import strategies as st

from edge.histogram import SECONDS, STALLS_S, Histogram, bound_labels


@given(st.lists(st.floats(0, 100)), st.sampled_from([SECONDS, STALLS_S]))
def test_every_value_is_in_one_bucket(values: list[float], bounds: tuple[float, ...]) -> None:
    histogram = Histogram(bounds)
    for value in values:
        histogram.observe(value)
    said = dict(histogram.said("h"))
    below = 0.0
    for bound, label in zip([*bounds, 1e9], bound_labels(bounds), strict=True):
        assert said[f"h {label}"] == sum(below < value <= bound for value in values) + (
            values.count(0) if below == 0.0 else 0
        )
        below = bound
    assert said["h sum"] == sum(values)
