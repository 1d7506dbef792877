"""The hand spares in place what was hit, and goes round."""

from cache_policies.eviction import Evictable
from cache_policies.sieve import Sieve


def filled(number):
    sieve = Sieve[Evictable](number)
    entries = [Evictable(1) for _ in range(number)]
    for each in entries:
        assert sieve.admit(each) == []
    return sieve, entries


def test_what_was_hit_stays_in_its_place():
    sieve, (a, b, c) = filled(3)
    a.mark += 1
    d = Evictable(1)
    assert sieve.admit(d) == [b]  # the hand passed a and stands at c
    assert sieve.shrink(2) == [c]
    assert sieve.shrink(1) == [d]  # newer than a, yet next: lazy promotion alone would take a
    assert sieve.shrink(0) == [a]


def test_the_hand_begins_again_at_the_oldest():
    sieve, (a, b, c) = filled(3)
    for each in (a, b, c):
        each.mark += 1
    d = Evictable(1)
    assert sieve.admit(d) == [a]  # all were spared once
    b.mark += 1
    assert sieve.shrink(2) == [c]
    assert sieve.shrink(1) == [d]
    assert sieve.remove(b)
    assert not sieve.remove(b)
