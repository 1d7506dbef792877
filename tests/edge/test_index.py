"""An index is a dict, whatever is set aside meanwhile."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edge.index import Index

KEYS = st.integers(0, 30).map(lambda number: b"%d" % number)


class Machine(RuleBasedStateMachine):
    """Orders add to what is found; a plain dict says what must be there."""

    aside_max = 1000

    def __init__(self):
        super().__init__()
        self.index = Index(self.settle, self.aside_max)
        self.there = {}

    def tells(self, found, expected):
        return found == expected

    def settle(self, key, found, orders):
        assert self.index.shards[hash(key) & 255][key] is found
        found.extend(orders)

    @rule(key=KEYS)
    def store(self, key):
        self.index[key] = []
        self.there[key] = []

    @rule(key=KEYS)
    def remove(self, key):
        if self.there.pop(key, None) is not None:
            assert self.index.get(key) is not None
            del self.index[key]

    @rule(key=KEYS)
    def get(self, key):
        assert self.tells(self.index.get(key), self.there.get(key))

    @rule(order=st.integers())
    def set_aside(self, order):
        self.index.set_aside(order)
        assert not any(self.index.shards)
        for found in self.there.values():
            found.append(order)

    @rule(keys_max=st.integers(1, 20))
    def settle_some(self, keys_max):
        self.index.settle(keys_max)

    @rule()
    def settle_all(self):
        while not self.index.is_settled:
            self.index.settle(10)
        found = dict(self.index.items())
        assert found.keys() == self.there.keys()
        assert all(self.tells(found[key], self.there[key]) for key in found)

    @invariant()
    def nothing_is_lost(self):
        assert len(self.index) == len(self.there)


TestMachine = Machine.TestCase


class CrowdedMachine(Machine):
    """With hardly any room aside a key may hear of an older order, or twice, but of every one."""

    aside_max = 2

    def tells(self, found, expected):
        if found is None or expected is None:
            return found is expected
        heard = iter(found)
        return all(order in heard for order in expected)  # one after the other


TestCrowdedMachine = CrowdedMachine.TestCase


def test_what_was_settled_between_two_sets_may_hear_an_order_twice():
    machine = CrowdedMachine()
    machine.store(b"1")
    machine.store(b"2")
    machine.set_aside(1)
    machine.store(b"0")
    machine.set_aside(0)
    machine.get(b"1")
    machine.set_aside(0)
    assert machine.index.get(b"1") == [1, 0, 0, 0]
    assert machine.tells([1, 0, 0, 0], machine.there[b"1"])
    assert not machine.tells([0, 0, 1], machine.there[b"1"])


def test_a_storm_of_orders_settles_nothing_while_everybody_waits():
    told = []
    index = Index(lambda key, found, orders: told.append((key, list(orders))))
    for order in range(1000):
        index[b"%d" % order] = order
        index.set_aside(order)
    assert not told
    index.get(b"999")
    assert told == [(b"999", told[0][1])]
    assert told[0][1][-1] == 999
    while not index.is_settled:
        index.settle(100)
    assert sorted(int(key) for key, _ in told) == list(range(1000))
    assert all(orders[-(1000 - int(key)) :] == list(range(int(key), 1000)) for key, orders in told)
