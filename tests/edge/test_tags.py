"""Tags know their entries, however few or many."""

from hypothesis import given
from hypothesis import strategies as st

from edge.tags import Tags
from tests.edge.test_memory import entry

ENTRIES = [entry(b"http://a/%d" % number) for number in range(60)]
TAGS = [b"one", b"two"]


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 59), st.lists(st.sampled_from(TAGS))), max_size=200
    )
)
def test_tags_are_sets(steps):
    tags = Tags()
    there = {tag: set() for tag in TAGS}
    for add, number, named in [(True, n, TAGS[:1]) for n in range(20)] + steps:
        one = ENTRIES[number]
        (tags.add if add else tags.discard)(one, named)
        for tag in named:
            (there[tag].add if add else there[tag].discard)(one)
    for tag in TAGS:
        found = tags.entries(tag)
        assert len(found) == len(there[tag])
        assert set(found) == there[tag]
    assert len(tags) == sum(map(bool, there.values()))
    for one in ENTRIES:
        tags.discard(one, TAGS)
    assert len(tags) == 0
