"""What was hit outlives what was not, at a bounded cost."""

from cache_policies.eviction import SPARED_MAX, Evictable
from cache_policies.lru import Lru


def test_the_oldest_leaves_first():
    lru = Lru[Evictable](3)
    a, b, c = entries = [Evictable(1) for _ in range(3)]
    assert [lru.admit(each) for each in entries] == [[], [], []]
    assert lru.admit(Evictable(2)) == [a, b]
    assert (len(lru), lru.used_bytes) == (2, 3)
    assert lru.remove(c)


def test_a_hit_gives_one_more_round():
    lru = Lru[Evictable](3)
    a, b, c = (Evictable(1) for _ in range(3))
    for each in (a, b, c):
        lru.admit(each)
    a.mark += 1
    assert lru.admit(Evictable(1)) == [b]
    assert lru.shrink(1) == [c, a]


def test_the_look_for_a_victim_is_bounded_when_everything_was_hit():
    lru = Lru[Evictable](1000)
    entries = [Evictable(1) for _ in range(1000)]
    for each in entries:
        lru.admit(each)
        each.mark += 1
    assert lru.admit(Evictable(1)) == [entries[SPARED_MAX]]
