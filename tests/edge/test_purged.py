"""The last purge of every name answers as all purges would."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.purge_names import touches
from edge.purged import Dated, Purged
from edge.purges import Purge, PurgeKind

KEYS = [b"http://a/x", b"http://a/x/y", b"http://b/x", b"http://a/x?q", b"http://a/"]
VALUES = {
    PurgeKind.ALL: [b""],
    PurgeKind.TAG: [b"t", b"u", b"v"],
    PurgeKind.URL: [*KEYS, b"/x", b"/x/y", b"http://A:80/x", b"/none"],
    PurgeKind.PREFIX: [b"/", b"/x", b"/x/", b"http://a/", b"http://a/x", b"http://b", b"/z"],
}
NAMED = st.sampled_from([(kind, value) for kind, values in VALUES.items() for value in values])
TAGS = st.sets(st.sampled_from(VALUES[PurgeKind.TAG]))


def purges(said: list[tuple[tuple[PurgeKind, bytes], bool]]) -> list[Purge]:
    return [
        Purge(sequence=number, kind=kind, value=value, soft=soft)
        for number, ((kind, value), soft) in enumerate(said, start=1)
    ]


@given(
    st.lists(st.tuples(NAMED, st.booleans()), max_size=12),
    st.integers(0, 13),
    st.sampled_from(KEYS),
    TAGS,
)
def test_it_judges_as_the_whole_list_would(said, sequence, key, tags):
    purged, all_of_them = Purged(), purges(said)
    for purge in all_of_them:
        purged.apply(Dated(purge, float(purge.sequence)))
    naming = [p for p in all_of_them if p.sequence > sequence and touches(p, key, tags)]
    assert purged.since(sequence, key, tags) is any(not p.soft for p in naming)
    soft = purged.softly_since(sequence, key, tags)
    assert (soft is None) is not any(p.soft for p in naming)
    last = {(p.kind, p.value): float(p.sequence) for p in naming if p.soft}  # by name
    assert soft == min(last.values(), default=None)


@given(
    st.lists(st.tuples(NAMED, st.just(False)), min_size=1, max_size=12),
    st.integers(0, 13),
    st.sampled_from(KEYS),
    TAGS,
    st.integers(1, 4),
)
def test_what_is_forgotten_counts_as_purged(said, sequence, key, tags, names_max):
    purged, all_of_them = Purged(names_max), purges(said)
    for purge in all_of_them:
        purged.apply(Dated(purge, 0.0))
    assert len(purged) <= 2 * names_max  # as many URLs as other names
    if any(p.sequence > sequence and touches(p, key, tags) for p in all_of_them):
        assert purged.since(sequence, key, tags)


def test_long_names_are_bounded_by_their_bytes():
    purged = Purged(names_bytes_max=100_000)
    for number in range(1, 101):
        purged.apply(Dated(Purge(sequence=number, kind=PurgeKind.TAG, value=long(number)), 0.0))
    assert 10 <= len(purged) <= 12
    assert purged.floor == 100 - len(purged)
    assert purged.since(0, b"http://a/else", ())


def test_what_players_purge_by_unsafe_requests_takes_nothing_else_with_it():
    """They choose how many URLs, and how long ones."""
    purged = Purged(100, names_bytes_max=100_000)
    purged.apply(Dated(Purge(sequence=1, kind=PurgeKind.TAG, value=b"t"), 0.0))
    for number in range(2, 1_002):
        value = b"http://a/%d" % number
        purged.apply(Dated(Purge(sequence=number, kind=PurgeKind.URL, value=value), 0.0))
    for number in range(1_002, 1_102):
        value = b"http://a/" + long(number)
        purged.apply(Dated(Purge(sequence=number, kind=PurgeKind.URL, value=value), 0.0))
    assert len(purged) <= 14
    assert purged.floor == 0
    assert purged.since(0, b"http://a/else", (b"t",))
    assert sum(purged.since(0, b"http://a/film/%d" % number, ()) for number in range(1_000)) < 20
    assert all(purged.since(number - 1, b"http://a/%d" % number, ()) for number in range(2, 1_002))


def long(number: int) -> bytes:
    return b"%d/" % number + b"x" * 8_000


def test_a_purge_that_is_known_changes_nothing():
    purged = Purged()
    later = Dated(Purge(sequence=5, kind=PurgeKind.TAG, value=b"t"), 50.0)
    purged.apply(later)
    purged.apply(Dated(Purge(sequence=3, kind=PurgeKind.TAG, value=b"t"), 30.0))
    assert list(purged) == [later]


@pytest.mark.parametrize("sequence", [0, 4, 5, 6])
def test_the_floor_is_where_purges_begin_to_be_known(sequence):
    purged = Purged()
    purged.forget_before(5)
    assert purged.since(sequence, b"http://a/x", ()) is (sequence < 5)
