"""Hits for their size decide, and age lets the new catch up with the old."""

from cache_policies.eviction import Evictable
from cache_policies.gdsf import Gdsf


def test_the_large_leave_first():
    cache = Gdsf[Evictable](100)
    small, large = Evictable(10), Evictable(80)
    for each in (large, small):
        cache.admit(each)
    assert cache.admit(Evictable(20)) == [large]
    assert cache.admit(Evictable(20)) == []


def test_hits_make_up_for_size():
    cache = Gdsf[Evictable](100)
    small, large = Evictable(10), Evictable(80)
    for each in (small, large):
        cache.admit(each)
    large.mark = 20
    assert cache.shrink(80) == [small]


def test_worth_fades():
    cache = Gdsf[Evictable](4)
    old = Evictable(1)
    cache.admit(old)
    old.mark = 3  # was hit, and never again
    left = []
    for _ in range(40):
        left += cache.admit(Evictable(1))
    assert old in left
