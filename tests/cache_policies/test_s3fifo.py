"""Newcomers are on probation; hits, or a quick return, lead to the main queue."""

from cache_policies.eviction import Evictable
from cache_policies.s3fifo import S3Fifo


class Named(Evictable):
    def __init__(self, name):
        super().__init__(10_000)
        self.name = name

    @property
    def name_hash(self):
        return hash(b"name %d" % self.name)


def test_one_hit_wonders_leave_before_what_was_hit_twice():
    cache = S3Fifo[Named](100_000)
    for number in range(100, 111):
        cache.admit(Named(number))
    first, second = Named(0), Named(1)
    first.mark, second.mark = 2, 1
    left = cache.admit(first) + cache.admit(second)
    for number in range(2, 30):
        left += cache.admit(Named(number))
    assert second in left  # one hit is not enough
    assert first not in left


def test_what_returns_soon_goes_to_the_main_queue():
    cache = S3Fifo[Named](100_000)
    for number in range(11):
        cache.admit(Named(number))
    back = Named(0)  # the first that left
    left = cache.admit(back)
    for number in range(20, 40):
        left += cache.admit(Named(number))
    assert back not in left


def test_nobody_is_on_probation_while_there_is_room():
    cache = S3Fifo[Named](100_000)
    first = [Named(number) for number in range(10)]
    for each in first:
        cache.admit(each)
    assert cache.admit(Named(10)) == first[:1]
    assert cache.admit(Named(11)) != first[1:2]


def test_a_hit_is_worth_a_round_of_the_main_queue():
    cache = S3Fifo[Named](100_000)
    often, once = Named(0), Named(1)
    for each in (often, once):
        cache.adopt(each)
    often.mark = 9  # three count
    assert cache.shrink(10_000) == [once]
    assert (often.mark, often.seen) == (9, 7)
    assert cache.shrink(0) == [often]
