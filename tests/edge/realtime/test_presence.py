"""People are counted once each, and who comes back within the grace was never away."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from edge.realtime.presence import Presence

GRACE_S, HEARD_S = 5.0, 45.0


def presence() -> Presence:
    return Presence(grace_s=GRACE_S, heard_s=HEARD_S)


def test_two_pages_of_one_person_are_one() -> None:
    here = presence()
    here.enter("story:a", "ada")
    here.enter("story:a", "ada")
    here.enter("story:a", "ben")
    assert here.count("story:a") == 2
    here.leave("story:a", "ada", 0.0)
    here.pass_time(GRACE_S)
    assert here.count("story:a") == 2


def test_reloading_a_page_is_no_news() -> None:
    here = presence()
    here.enter("story:a", "ada")
    assert here.changed() == {"story:a"}
    here.leave("story:a", "ada", 0.0)
    here.pass_time(GRACE_S - 1.0)
    here.enter("story:a", "ada")
    here.pass_time(GRACE_S)
    assert here.changed() == set()
    assert here.count("story:a") == 1


def test_who_left_is_gone_after_the_grace() -> None:
    here = presence()
    here.enter("story:a", "ada")
    here.changed()
    here.leave("story:a", "ada", 1.0)
    here.pass_time(1.0 + GRACE_S)
    assert here.changed() == {"story:a"}
    assert here.count("story:a") == 0
    assert here.ours(0, 1) == {"story:a": 0}
    assert here.ours(0, 1) == {}


def test_other_edges_count_until_they_are_silent() -> None:
    here = presence()
    here.enter("story:a", "ada")
    here.hear("story:a", "south", 7, 0.0)
    here.hear("story:b", "south", 1, 0.0)
    assert here.count("story:a") == 8
    assert here.changed() == {"story:a", "story:b"}
    here.hear("story:a", "south", 7, 30.0)
    assert here.changed() == set()
    here.pass_time(HEARD_S)
    assert here.changed() == {"story:b"}
    here.hear("story:a", "south", 0, 50.0)
    assert (here.count("story:a"), here.count("story:b")) == (1, 0)
    assert here.ours(0, 1) == {"story:a": 1}  # never what others said


def test_what_changed_is_said_at_once_and_all_else_in_turn() -> None:
    here = presence()
    topics = {f"story:{number}" for number in range(40)}
    for topic in topics:
        here.enter(topic, "ada")
    assert here.ours(0, 4).keys() == topics
    turns = [here.ours(turn, 4) for turn in range(4)]
    assert sum(map(len, turns)) == len(topics)
    assert set().union(*turns) == topics
    here.enter("story:7", "ben")
    assert here.ours(0, 1 << 40)["story:7"] == 2


steps = st.tuples(
    st.sampled_from("ab"), st.sampled_from(["ada", "ben"]), st.booleans(), st.floats(0.0, 4.0)
)


@given(st.lists(steps, max_size=40))
def test_after_the_grace_the_count_is_of_those_who_are_there(
    said: list[tuple[str, str, bool, float]],
) -> None:
    here, pages, now = presence(), Counter[tuple[str, str]](), 0.0
    for topic, person, enters, wait in said:
        now += wait
        here.pass_time(now)
        if enters:
            here.enter(topic, person)
            pages[topic, person] += 1
        elif pages[topic, person]:
            here.leave(topic, person, now)
            pages[topic, person] -= 1
        there = [who for (where, who), number in pages.items() if where == topic and number]
        assert here.count(topic) >= len(there)
    here.pass_time(now + GRACE_S)
    for topic in "ab":
        there = [who for (where, who), number in pages.items() if where == topic and number]
        assert here.count(topic) == len(there)
