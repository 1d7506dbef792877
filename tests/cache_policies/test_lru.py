"""The budget always holds, victims are told, and what was hit outlives what was not."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cache_policies.lru import Lru


@dataclass(slots=True)
class Entry:
    size_bytes: int
    mark: int = 0


def test_the_oldest_leaves_first():
    lru = Lru[Entry](3)
    for key in (b"a", b"b", b"c"):
        assert lru.admit(key, Entry(1)) == []
    assert [key for key, _ in lru.admit(b"d", Entry(2))] == [b"a", b"b"]
    assert len(lru) == 2


def test_a_hit_is_one_mark_and_gives_one_more_round():
    lru = Lru[Entry](3)
    entries = {key: Entry(1) for key in (b"a", b"b", b"c")}
    for key, entry in entries.items():
        lru.admit(key, entry)
    entries[b"a"].mark = 1
    assert [key for key, _ in lru.admit(b"d", Entry(1))] == [b"b"]
    assert entries[b"a"].mark == 0
    assert [key for key, _ in lru.shrink(1)] == [b"c", b"a"]


def test_the_sweep_is_bounded_when_everything_was_hit():
    lru = Lru[Entry](1000)
    for number in range(1000):
        lru.admit(b"%d" % number, Entry(1, mark=1))
    [(key, _)] = lru.admit(b"new", Entry(1))
    assert key == b"%d" % lru.SECOND_CHANCES_MAX


def test_an_entry_that_is_too_large_is_its_own_victim():
    lru = Lru[Entry](3)
    lru.admit(b"a", Entry(3))
    large = Entry(4)
    assert lru.admit(b"b", large) == [(b"b", large)]
    assert lru.used_bytes == 3


def test_replacing_returns_the_old_entry():
    lru = Lru[Entry](3)
    old = Entry(2)
    lru.admit(b"a", old)
    assert lru.admit(b"a", Entry(3)) == [(b"a", old)]
    assert lru.used_bytes == 3
    assert lru.remove(b"none") is None


class Machine(RuleBasedStateMachine):
    """Any order of calls against a plain dict of what must still be there."""

    def __init__(self):
        super().__init__()
        self.lru = Lru[Entry](20)
        self.there = {}

    @rule(key=st.binary(max_size=1), size=st.integers(0, 25), mark=st.integers(0, 1))
    def admit(self, key, size, mark):
        entry = Entry(size, mark)
        victims = self.lru.admit(key, entry)
        for victim, old in victims:
            if old is not entry:
                assert self.there.pop(victim) is old
        if all(old is not entry for _, old in victims):
            self.there[key] = entry

    @rule(key=st.binary(max_size=1))
    def remove(self, key):
        assert self.lru.remove(key) is self.there.pop(key, None)

    @rule(to_bytes=st.integers(0, 20))
    def shrink(self, to_bytes):
        for victim, _ in self.lru.shrink(to_bytes):
            del self.there[victim]
        assert self.lru.used_bytes <= to_bytes

    @invariant()
    def the_budget_holds(self):
        assert self.lru.used_bytes == sum(entry.size_bytes for entry in self.there.values())
        assert self.lru.used_bytes <= self.lru.budget_bytes
        assert len(self.lru) == len(self.there)


TestMachine = Machine.TestCase


@given(st.integers(1, 30))
def test_what_is_hit_between_any_two_arrivals_stays(arrivals):
    lru = Lru[Entry](5)
    hot = Entry(1)
    lru.admit(b"hot", hot)
    for number in range(arrivals):
        hot.mark = 1
        lru.admit(b"%d" % number, Entry(1))
    assert lru.remove(b"hot") is hot
