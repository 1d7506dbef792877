"""A memory as JSON: the next controller goes on where the last one was killed, on its own clock."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from failover.deciding import Decider, Heard
from failover.keeping import read, written
from failover.orders import Kind, Order
from tests.support.failover import Lab, model

QUICK = {"hold_off_s": 20.0, "hold_off_max_s": 60.0, "dwell_s": 3.0, "step_s": 2.0}
phases = st.lists(st.tuples(st.integers(1, 12), st.sets(st.sampled_from("ab"))), max_size=8)
"""For so many seconds, these targets fail."""


def lab(regions: str = "north north south") -> Lab:
    lab = Lab(model(regions=regions, **QUICK))
    lab.seconds(6)
    return lab


@settings(max_examples=25, deadline=None)
@given(phases, st.floats(-1e6, 1e6))
def test_who_is_killed_after_every_step_decides_the_same(
    phases: list[tuple[int, set[str]]], other_clock_s: float
) -> None:
    lives, dies = lab(), lab()
    for count, bad in phases:
        for _ in range(count):
            kept = written(dies.memory, dies.now)
            dies.now += other_clock_s
            dies.memory = dies.decider.fitted(read(kept, dies.now))
            first, second = lives.second(bad), dies.second(bad)
            assert first.decision == second.decision
            assert first.events == second.events


def test_nothing_is_lost_but_the_time_between() -> None:
    before = lab()
    before.seconds(30, bad=("a",))
    for kind in (Kind.FREEZE, Kind.SWITCH):
        before.second(
            (), Order(kind=kind, who="ada", why="now", service="media", target="own", region="*")
        )
    kept = written(before.memory, before.now)
    after = before.decider.fitted(read(kept, 5.0))
    assert after.decision == before.memory.decision
    assert after.standings == before.memory.standings
    assert after.standstills == before.memory.standstills
    assert after.untold == before.memory.untold
    assert [each.name for each in after.untold][-1] == f"1.{after.happened}"
    there, here = before.memory.courses["media", "*"], after.courses["media", "*"]
    assert (here.shares, here.pin) == (there.shares, there.pin)
    assert 5.0 - here.moved_mono == before.now - there.moved_mono
    assert json.loads(written(after, 5.0)) == {
        **json.loads(kept),
        "courses": json.loads(written(after, 5.0))["courses"],
    }


def test_votes_count_when_their_vantages_are_heard_again() -> None:
    before = lab()
    kept = read(written(before.memory, before.now), before.now)
    memory = before.decider.fitted(kept)
    tallies = before.decider.tallies(memory, before.now)
    assert {(each.up, each.down) for each in tallies.values()} == {(0, 0)}
    heard = Heard(reports=[before.report("v0")])
    step = before.decider.step(memory, heard, before.now, 1)
    up = before.decider.tallies(step.memory, before.now)[("media", "*"), "a"]
    assert (up.up, up.silent) == (1, 2)


def test_a_memory_fits_another_model() -> None:
    before = lab()
    before.seconds(30, bad=("a",))
    memory = read(written(before.memory, before.now), before.now)
    other = Decider(model("own c b", "north north", **QUICK))
    fitted = other.fitted(memory)
    assert set(fitted.attendances) == {"v0", "v1"}
    assert set(fitted.standings) == set(fitted.courses) == {("media", "north"), ("media", "*")}
    assert set(fitted.standings["media", "*"]) == {"own", "c", "b"}
    assert fitted.courses["media", "*"].shares == (("b", 1.0),)
    without_b = Decider(model("own c", "north", **QUICK)).fitted(memory)
    assert without_b.courses["media", "*"].shares == ()
    pinned = before.second(
        (), Order(kind=Kind.SWITCH, who="ada", why="", service="media", target="b")
    )
    again = Decider(model("a own", "north north south", **QUICK)).fitted(pinned.memory)
    assert again.courses["media", "*"].pin is None


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"version":2}', '{"version":1}', '{"version":1,"standings":[[1]]}', "null"],
)
def test_what_is_no_memory_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="this is no memory of failover"):
        read(text, 0.0)


def test_a_memory_of_nothing() -> None:
    decider = Decider(model())
    empty = decider.start(7.0)
    assert decider.fitted(read(written(empty, 7.0), 7.0)) == empty
