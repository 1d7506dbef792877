"""What looks like a failing target and is none: nothing moves, in no region and not in DNS."""

from dataclasses import replace

import pytest

from failover.alone import alone
from failover.answer import Answer
from failover.deciding import Decider, Heard
from failover.evidence import PlayerEvidence
from failover.journal import Journal
from failover.keeping import read, written
from tests.support.failover import Lab, model

MINUTES = 120  # seconds for which it lasts
PLACES = ("north", "south", "*")


@pytest.fixture
def lab() -> Lab:
    lab = Lab(model(regions="north north north south south south"))
    lab.seconds(10)
    return lab


def used(lab: Lab) -> list[dict[str, float]]:
    return [lab.shares(place) for place in PLACES]


STILL = [{"a": 1.0}] * len(PLACES)


def test_a_fault_that_one_vantage_alone_meets_moves_nothing(lab: Lab) -> None:
    for bad in (("a",), ("a", "b", "own")):
        for _ in range(MINUTES):
            lab.second({"v0": bad})
            assert used(lab) == STILL


def test_a_probe_that_lies_moves_nothing_whatever_it_says(lab: Lab) -> None:
    players = PlayerEvidence(service="media", target="a", fetched=1_000, left=1_000)
    for second in range(MINUTES):
        lies = ("a",) if second % 7 < 4 else ("b", "own")
        liar = lab.report("v0", lies, players=(players,) if second < 5 else ())
        loud = replace(liar, number=liar.number + 1_000_000)  # a number that it has not come to
        others = [lab.report(each.name) for each in lab.model.vantages[1:]]
        lab.second(reports=[liar, loud, *others])
        assert used(lab) == STILL


@pytest.mark.parametrize("near", [(), ("v0",), ("v0", "v3")])
def test_a_partitioned_controller_moves_nothing(lab: Lab, near: tuple[str, ...]) -> None:
    """Whom it still reaches is cut off with it, and finds the first target to fail."""
    far = {each.name for each in lab.model.vantages} - set(near)
    for _ in range(MINUTES):
        lab.second(dict.fromkeys(near, ("a",)), silent=far)
        assert used(lab) == STILL
    for _ in range(MINUTES):
        lab.second()
        assert used(lab) == STILL


@pytest.mark.parametrize("asked_late", [False, True])
def test_a_region_that_was_cut_off_moves_nothing_when_it_is_back(
    lab: Lab, *, asked_late: bool
) -> None:
    """Nobody could ask it; what it had seen meanwhile was told, and counted, afterwards."""
    journals = {each.name: Journal(each.name, "boot") for each in lab.model.vantages}
    for journal in journals.values():
        journal.controls(Answer())
    known: dict[str, tuple[str, int]] = {}
    for second in range(MINUTES):
        is_cut = 60 <= second < 90
        reports = []
        for number, (name, journal) in enumerate(journals.items()):
            is_blind = is_cut and number < 3  # the north
            journal.add(lab.report(name, ("a", "b") if is_blind else ()).rounds)
            if is_blind:
                journal.controls(Answer("no control answers"))
            elif second != 90 or not asked_late:
                journal.controls(Answer())
            if not is_blind:
                boot, after = known.get(name, ("", 0))
                reports.append(report := journal.report(after, boot))
                known[name] = report.boot, report.number
        lab.second(reports=reports)
        assert used(lab) == STILL


def test_a_member_whose_own_network_fails_moves_nothing_alone(lab: Lab) -> None:
    own = lab.model.vantages[0]
    decider = Decider(alone(lab.model, own), (own.region,))
    memory = decider.start(0.0, lab.memory.decision)
    for second in range(1, MINUTES):
        blind = lab.report(own.name, ("a", "b", "own"), controls_ok=False)
        memory = decider.step(memory, Heard(reports=[blind]), float(second), 1).memory
        assert dict(memory.courses["media", "north"].shares) == {"a": 1.0}


def test_a_member_alone_goes_on_holding_off_what_was_left_before(lab: Lab) -> None:
    """Good phases of the night, seen by one that hears of no controller: as good as none."""
    lab.seconds(10, ("a",))
    assert used(lab) == [{"b": 1.0}] * len(PLACES)
    own = lab.model.vantages[0]
    decider = Decider(alone(lab.model, own), (own.region,))
    memory = decider.fitted(decider.start(0.0, lab.memory.decision))
    now, hold_off_s = 0.0, lab.model.services[0].detection.hold_off_s
    while now < hold_off_s - 10.0:
        now += 1.0
        memory = decider.step(memory, Heard(reports=[lab.report(own.name)]), now, 1).memory
        assert dict(memory.courses["media", "north"].shares) == {"b": 1.0}
    for _ in range(30):
        now += 1.0
        memory = decider.step(memory, Heard(reports=[lab.report(own.name)]), now, 1).memory
    assert "a" in dict(memory.courses["media", "north"].shares)


@pytest.mark.parametrize("ahead_s", [-1e6, -3_600.0, 3_600.0, 1e6])
def test_controllers_whose_clocks_differ_take_turns_and_move_nothing(
    lab: Lab, ahead_s: float
) -> None:
    """Each goes on from what the other kept; one clock steps back and forth, too."""
    for turn in range(20):
        lab.now += ahead_s if turn % 2 else -ahead_s
        lab.memory = lab.decider.fitted(read(written(lab.memory, lab.now), lab.now))
        lab.epoch += 1
        for second in range(10):
            lab.now += -500.0 if second == 5 else 60.0 if second == 7 else 0.0
            lab.second()
            assert used(lab) == STILL
