"""A ghost is known until its span of bytes has left."""

from hypothesis import given
from hypothesis import strategies as st

from cache_policies.ghost import Ghost


def test_it_is_known_once():
    ghost = Ghost(1 << 20)
    name = hash(b"a")
    assert not ghost.take(name)
    ghost.add(name, 10)
    assert ghost.take(name)
    assert not ghost.take(name)


@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 40))
def test_it_fades_after_its_span(name, others):
    ghost = Ghost(1 << 20)
    ghost.add(name, 1)
    for number in range(others):
        ghost.add(name + 1 + number, 1 << 16)
    # sixteen units of 64 KiB are the span; the last one is rounded
    assert ghost.take(name) is (others <= 16)
