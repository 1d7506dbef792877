"""Patterns with stars mean what the regular expression means, and never take long."""

import re
import time

from hypothesis import given
from hypothesis import strategies as st

from cache_policies.glob import matches, parse_glob


def naive(pattern: bytes, value: bytes) -> bool:
    return (
        re.fullmatch(b".*".join(map(re.escape, pattern.split(b"*"))), value, re.DOTALL) is not None
    )


@given(st.text("ab/*", max_size=10).map(str.encode), st.text("ab/", max_size=14).map(str.encode))
def test_a_pattern_is_the_regular_expression_with_any_bytes_for_a_star(pattern, value):
    assert matches(parse_glob(pattern), value) == naive(pattern, value)


def test_no_value_makes_a_pattern_slow():
    began = time.process_time()
    assert not matches(parse_glob(b"*a*a*a*a*a*a*a*b"), b"a" * 1_000_000)
    assert time.process_time() - began < 20.0  # it would be for ever
