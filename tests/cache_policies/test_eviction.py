"""The contract, held by every policy: the budget, the victims, nothing lost and nothing twice."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cache_policies.eviction import Evictable
from cache_policies.gdsf import Gdsf
from cache_policies.lru import Lru
from cache_policies.s3fifo import S3Fifo
from cache_policies.sieve import Sieve

POLICIES = (Lru, Sieve, S3Fifo, Gdsf)


class Numbered(Evictable):
    """An entry whose name is its number: where it lies in memory decides nothing."""

    def __init__(self, size_bytes, number):
        super().__init__(size_bytes)
        self.number = number

    @property
    def name_hash(self):
        return self.number * 0x9E3779B97F4A7C15 % (1 << 61)


class Machine(RuleBasedStateMachine):
    """Any order of calls against a plain set of what must still be there."""

    @initialize(policy=st.sampled_from(POLICIES))
    def start(self, policy):
        self.cache = policy(20)
        self.there = []
        self.admitted = 0

    def leave(self, victims):
        for each in victims:
            self.there.remove(each)
            assert each.queue is None

    @rule(size=st.integers(0, 25), mark=st.integers(0, 3))
    def admit(self, size, mark):
        entry = Numbered(size, self.admitted)
        self.admitted += 1
        self.there.append(entry)
        self.leave(self.cache.admit(entry))
        entry.mark += mark

    @rule(draw=st.data())
    def hit(self, draw):
        if self.there:
            draw.draw(st.sampled_from(self.there)).mark += 1

    @rule(draw=st.data())
    def remove(self, draw):
        if self.there:
            entry = draw.draw(st.sampled_from(self.there))
            assert self.cache.remove(entry)
            self.leave([entry])
            assert not self.cache.remove(entry)

    @rule(to_bytes=st.integers(0, 20))
    def shrink(self, to_bytes):
        self.leave(self.cache.shrink(to_bytes))
        assert self.cache.used_bytes <= to_bytes

    @rule(policy=st.sampled_from(POLICIES), step=st.integers(1, 4))
    def switch(self, policy, step):
        fresh = policy(20)
        while given := self.cache.hand_over(step):
            for entry in given:
                assert entry.queue is None
                assert not self.cache.remove(entry)
                fresh.adopt(entry)
        assert (len(self.cache), self.cache.used_bytes) == (0, 0)
        self.cache = fresh

    @invariant()
    def the_budget_holds(self):
        assert self.cache.used_bytes == sum(entry.size_bytes for entry in self.there)
        assert self.cache.used_bytes <= self.cache.budget_bytes
        assert len(self.cache) == len(self.there)


TestMachine = Machine.TestCase


@pytest.mark.parametrize("policy", POLICIES)
def test_an_entry_that_is_too_large_is_its_own_victim(policy):
    cache = policy(3)
    small, large = Evictable(3), Evictable(4)
    assert cache.admit(small) == []
    assert cache.admit(large) == [large]
    assert cache.used_bytes == 3


@pytest.mark.parametrize("policy", POLICIES)
def test_what_is_hit_between_any_two_arrivals_stays(policy):
    cache = policy(10)
    hot = Evictable(1)
    cache.admit(hot)
    left = []
    for _ in range(200):
        hot.mark += 1
        left += cache.admit(Evictable(1))
    assert hot not in left


@pytest.mark.parametrize("policy", POLICIES)
def test_nothing_that_left_is_held_by_the_rest(policy):
    cache = policy(3)
    entries = [Evictable(1) for _ in range(9)]
    for each in entries:
        cache.admit(each)
    cache.shrink(0)
    assert all((e.older, e.newer, e.queue) == (None, None, None) for e in entries)


@pytest.mark.parametrize("policy", POLICIES)
def test_an_entry_of_another_cache_is_not_here(policy):
    here, there = policy(20), policy(20)
    mine, other = Evictable(1), Evictable(2)
    here.admit(mine)
    there.admit(other)
    assert not here.remove(other)
    assert not here.remove(Evictable(1))
    assert here.remove(mine)
    assert not here.remove(mine)
    assert (len(here), len(there)) == (0, 1)
