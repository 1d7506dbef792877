"""A drill: that night's errors over what is really seen, and what ends it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from failover.drilling import CORE_S, NIGHT_S, Drill, begun, clock, end_of, is_bad, restored
from failover.orders import Kind, Order
from failover.rehearsing import drawn_of, rehearse
from tests.support.failover import Lab, model
from tests.support.table import table

NAMES = ["v0", "v1", "v2"]


@pytest.mark.parametrize(
    "case",
    table("""
        at_s   draw  bad
        0      0.5   yes
        299    0.5   yes
        300    0.5   no
        600    0.5   yes
        11399  0.5   no
        11400  0.5   no
        11400  0.01  yes
        20760  0.01  no
    """),
    ids=str,
)
def test_the_night(case):
    assert is_bad(float(case["at_s"]), float(case["draw"])) is (case["bad"] == "yes")


def test_its_clock():
    assert [clock(each) for each in (0.0, CORE_S, NIGHT_S)] == ["11:20", "14:30", "17:06"]


@dataclass
class Drilled:
    """A lab in which `a` is drilled, as a controller does it."""

    speed: float = 60.0
    lab: Lab = field(default_factory=lambda: Lab(model("a b own")))
    over: str = ""

    def __post_init__(self) -> None:
        self.lab.seconds(10)
        self.drill: Drill | None = Drill(
            service="media",
            target="a",
            who="ada",
            why="a test",
            began_mono=self.lab.now,
            speed=self.speed,
        )
        self.refused = begun(self.drill, self.lab.decider, self.lab.memory)

    def second(self, bad=()) -> None:
        lab = self.lab
        if self.drill and (why := end_of(self.drill, lab.memory, NAMES, lab.now)):
            lab.memory, self.over, self.drill = restored(self.drill, lab.memory), why, None
        reports = [lab.report(name, bad) for name in NAMES]
        if self.drill:
            reports = [self.drill.laid_over(each, lab.now) for each in reports]
        lab.second(reports=reports)

    def until_over(self) -> None:
        while not self.over:
            self.second()


def test_a_drill_moves_once_and_leaves_no_hold_off():
    drilled = Drilled()
    assert drilled.refused == ""
    seen = set()
    for _ in range(int(NIGHT_S / drilled.speed)):
        drilled.second()
        seen.add(tuple(drilled.lab.shares().items()))
    assert seen == {(("a", 1.0),), (("b", 1.0),)}
    drilled.until_over()
    assert drilled.over == "the night is over"
    for _ in range(400):
        drilled.second()
    assert drilled.lab.shares() == {"a": 1.0}
    assert drilled.lab.memory.standings["media", "*"]["a"].hold_off_s == 0.0


def test_somebody_ends_it():
    drilled = Drilled()
    for _ in range(5):
        drilled.second()
    assert drilled.lab.shares() == {"b": 1.0}
    assert drilled.drill is not None
    drilled.drill.ended_by = "ada"
    drilled.second()
    assert drilled.over == "ada ended it"


@pytest.mark.parametrize("bad", ["a", "b"])
def test_what_fails_in_truth_ends_it(bad):
    drilled = Drilled()
    for _ in range(5):
        drilled.second()
    while not drilled.over:
        drilled.second({bad})
    assert f"{bad} fails in truth" in drilled.over
    for _ in range(10):
        drilled.second({bad})
    assert bad not in drilled.lab.shares()


def test_a_target_that_failed_in_truth_gets_nothing_back_before_its_vantages_vote():
    """A quarter went there in the step that ended the drill, if nobody reported in that."""
    drilled = Drilled()
    for _ in range(5):
        drilled.second()
    assert drilled.lab.shares() == {"b": 1.0}
    lab = drilled.lab
    lab.memory = restored(drilled.drill, lab.memory)
    lab.second(reports=())
    assert lab.shares() == {"b": 1.0}
    assert lab.memory.decision.choice("media", "*").suspect


def test_when_it_may_not_begin():
    def why(drilled: Drilled, target: str = "a") -> str:
        assert drilled.drill is not None
        asked = replace(drilled.drill, target=target, before={})
        return begun(asked, drilled.lab.decider, drilled.lab.memory)

    drilled = Drilled()
    assert why(drilled, "none").startswith("no target media/none; known are media/a, ")
    freeze = Order(kind=Kind.FREEZE, who="ada", why="a test")
    drilled.lab.second((), freeze)
    assert "frozen" in why(drilled)
    drilled.lab.second((), replace(freeze, kind=Kind.UNFREEZE))
    drilled.lab.second((), replace(freeze, kind=Kind.SWITCH, service="media", target="b"))
    assert "switched by order" in why(drilled)
    fallen = Drilled()
    fallen.lab.seconds(5, "a")
    assert "no time for a drill" in why(fallen)
    lonely = Drilled()
    lonely.lab.seconds(5, ("b", "own"))
    assert "nowhere to go" in why(lonely)


def test_a_rehearsal_has_one_failover_and_one_failback():
    told = rehearse(model("a b"), ("media", "a"), speed=60.0, viewers=10)
    away = [each for each in told.moves if each["is_away"]]
    assert len(away) == 1
    assert told.back_at_s == told.moves[-1]["at_s"]
    assert {region for each in told.moves for region in each["regions"]} == {"north"}  # no DNS
    assert told.moves[-1]["shares"] == [["a", 1.0]]
    assert 0 < told.lost["steering"] < told.unmoved["steering"] < told.seconds["steering"]
    again = rehearse(model("a b"), ("media", "a"), speed=60.0, viewers=10)
    assert (again.moves, again.lost) == (told.moves, told.lost)


def test_viewers_are_drawn_by_share():
    shares = [("a", 0.75), ("b", 0.25)]
    assert [drawn_of(shares, draw) for draw in (0.0, 0.74, 0.75, 0.999999)] == ["a", "a", "b", "b"]
