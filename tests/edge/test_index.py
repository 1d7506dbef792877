"""An index is a dict, whatever is set aside meanwhile."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edge.index import Index

KEYS = st.integers(0, 30).map(lambda number: b"%d" % number)


class Machine(RuleBasedStateMachine):
    """Orders add to what is found; a plain dict says what must be there."""

    def __init__(self):
        super().__init__()
        self.index = Index(self.settle)
        self.there = {}

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
        assert self.index.get(key) == self.there.get(key)

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
        assert dict(self.index.items()) == self.there

    @invariant()
    def nothing_is_lost(self):
        assert len(self.index) == len(self.there)


TestMachine = Machine.TestCase
