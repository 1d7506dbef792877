"""Ownership in a region is even, moves by shares, and never goes round, whatever each believes."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from edge.region_ranking import Member, above, overloaded, ranked

MEMBERS = [Member(f"http://10.0.0.{number}:8090") for number in range(8)]
KEYS = [b"http://h/v/%d/1.m4s" % number for number in range(4_000)]

some_members = st.sets(st.sampled_from(MEMBERS), min_size=1)
keys = st.binary(min_size=1, max_size=50)


def owner(key: bytes, members: list[Member]) -> Member:
    return ranked(key, members)[0]


@given(key=keys, members=some_members)
def test_all_that_hold_the_same_list_agree(key: bytes, members: set[Member]) -> None:
    in_order = sorted(members)
    assert ranked(key, in_order) == ranked(key, in_order[::-1])
    (highest,) = [each for each in in_order if not above(key, each, in_order)]
    assert highest == owner(key, in_order)
    assert all(above(key, each, in_order)[:1] in ([], [highest]) for each in in_order)


@given(key=keys, members=some_members, gone=st.sampled_from(MEMBERS))
def test_who_leaves_takes_only_its_own_place(
    key: bytes, members: set[Member], gone: Member
) -> None:
    rest = [each for each in ranked(key, members) if each != gone]
    assert ranked(key, members - {gone}) == rest


def test_the_ranking_is_the_same_in_every_process() -> None:
    order = [each.url[14] for each in ranked(b"http://h/v/1/main.m3u8", MEMBERS)]
    assert "".join(order) == "73125064"


def test_shares_are_even_and_one_that_joins_takes_its_share_only() -> None:
    before = {key: owner(key, MEMBERS[:7]) for key in KEYS}
    after = {key: owner(key, MEMBERS) for key in KEYS}
    assert all(380 < count < 620 for count in Counter(after.values()).values())
    moved = [key for key in KEYS if before[key] != after[key]]
    assert {after[key] for key in moved} == {MEMBERS[7]}
    assert 380 < len(moved) < 620
    came_from = Counter(before[key] for key in moved)
    assert all(30 < count < 130 for count in came_from.values())


@given(
    key=keys,
    lists=st.lists(some_members, min_size=8, max_size=8),
    picks=st.lists(st.integers(0, 7), min_size=16, max_size=16),
)
def test_whoever_is_asked_by_any_list_nothing_goes_round(
    key: bytes, lists: list[set[Member]], picks: list[int]
) -> None:
    """Each asks anybody above itself that it believes in, as if all others were down or busy."""
    asked = [MEMBERS[picks[0]]]
    for pick in picks[1:]:
        higher = above(key, asked[-1], lists[MEMBERS.index(asked[-1])])
        if not higher:
            break
        asked.append(higher[pick % len(higher)])
    assert len(set(asked)) == len(asked)
    assert asked == ranked(key, asked)[::-1]


@given(key=keys, lists=st.lists(some_members, min_size=8, max_size=8))
def test_a_request_climbs_to_one_that_knows_no_better(key: bytes, lists: list[set[Member]]) -> None:
    """Those whose lists have the best in common end at the same place."""
    best = owner(key, MEMBERS)
    known = [each | {best} for each in lists]
    assert {above(key, None, each)[0] for each in known} == {best}


@given(loads=st.lists(st.integers(0, 500), min_size=1, max_size=8))
def test_somebody_is_always_left_to_be_asked(loads: list[int]) -> None:
    members = MEMBERS[: len(loads)]
    in_flight = dict(zip(members, loads, strict=True))
    busy = overloaded(in_flight, members)
    mean = sum(loads) / len(loads)
    assert busy == {each for each in members if in_flight[each] > 1.25 * mean + 16}
    assert len(busy) < len(members)


def test_nobody_is_busy_where_nobody_is() -> None:
    assert overloaded({}, []) == frozenset()
    assert overloaded({MEMBERS[0]: 16}, MEMBERS) == frozenset()
    assert overloaded({MEMBERS[0]: 19}, MEMBERS) == {MEMBERS[0]}
