"""How often something was asked for lately, in fixed space."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_policies.admission import AskedBefore


def test_the_first_time_is_the_first():
    asked = AskedBefore()
    assert [asked.count(b"a"), asked.count(b"a"), asked.count(b"b")] == [1, 2, 1]


@given(st.lists(st.sampled_from([b"a", b"b", b"c", b"d"]), max_size=14))
def test_a_count_is_never_too_low(names):
    asked = AskedBefore(8)
    for number, name in enumerate(names):
        assert asked.count(name) >= names[: number + 1].count(name)


def test_what_is_long_ago_is_forgotten():
    asked = AskedBefore(64)
    for _ in range(10):
        asked.count(b"once popular")
    for number in range(2_000):
        asked.count(b"%d" % number)
    assert asked.count(b"once popular") < 10


def test_counts_stay_bytes():
    asked = AskedBefore(65_536)
    assert max(asked.count(b"a") for _ in range(1_000)) == 255


@pytest.mark.parametrize("counters", [0, 3, 131_072])
def test_only_powers_of_two(counters):
    with pytest.raises(ValueError):
        AskedBefore(counters)
