"""Which events tell of what happened, once for all places, and in which words."""

import json
from dataclasses import replace

from failover.events import CHECKS, WAKES, Event, Happening, merged
from failover.evidence import PlayerEvidence
from failover.noticing import HAPPENINGS
from failover.orders import Kind, Order
from failover.target_state import State
from tests.support.failover import Lab, model

QUICK = {"hold_off_s": 20.0, "dwell_s": 3.0, "step_s": 2.0}


def happened(steps: list) -> list[str]:
    return [f"{each.happening.value} {each.target}".strip() for s in steps for each in s.events]


def order(kind: Kind, target: str = "") -> Order:
    return Order(kind=kind, who="ada", why="a test", service="media", target=target)


def test_every_state_has_a_happening() -> None:
    assert set(HAPPENINGS) == set(State)


def test_a_fall_and_a_return_are_told_in_order() -> None:
    lab = Lab(model(**QUICK))
    assert happened(lab.seconds(8)) == ["counted"] * 3
    assert happened(lab.seconds(3, bad="a")) == ["suspected a", "fell a", "moved b"]
    assert happened(lab.seconds(40)) == [
        "works a",
        "returned a",
        *["moved b", "moved a", "moved a", "moved a"],
    ]
    assert happened(lab.seconds(1, bad="a")) == ["suspected a"]
    assert happened(lab.seconds(5)) == ["cleared a"]


def test_what_wakes_people_says_what_to_check() -> None:
    lab = Lab(model(**QUICK))
    lab.seconds(8)
    fell = lab.seconds(2, bad="a")[-1].events[0]
    assert fell.happening in WAKES
    assert fell.text == "a is down: 3 of 3 vantages say down, 0 up, http: 503"
    assert fell.check == CHECKS[Happening.FELL]
    assert fell.regions == ("north", "*")
    assert json.loads(json.dumps(fell.as_json()))["regions"] == ["north", "*"]
    assert lab.seconds(9)[-1].matters is False


def test_all_that_fails_and_too_little_that_is_left_are_told() -> None:
    lab = Lab(model("a/900 b/300", demand_mbps=800.0, **QUICK))
    lab.seconds(8)
    assert happened(lab.seconds(2, bad="a"))[-2:] == ["moved b", "overloaded"]
    assert happened(lab.seconds(2, bad="ab"))[-1] == "fails-open"


def test_people_are_told_once_when_too_few_see_anything() -> None:
    """They heard nothing, and nothing would have moved."""
    lab = Lab(model(**QUICK))
    lab.seconds(8)
    steps = [lab.second(silent=("v1", "v2")) for _ in range(60)]
    told = [each for step in steps for each in step.events if each.happening is Happening.BLIND]
    [event] = told
    assert (event.regions, event.runbook) == (("north", "*"), "vantage-without-vote")
    lab.seconds(60)
    assert "blind" not in {each.partition(" ")[0] for each in happened(lab.seconds(60))}


def test_people_are_told_when_nothing_has_been_seen_from_the_start() -> None:
    lab = Lab(model(**QUICK))
    steps = [lab.second(silent=("v0", "v1", "v2")) for _ in range(60)]
    assert happened(steps) == ["blind"]


def test_nobody_is_woken_by_a_moment_of_doubt_about_what_has_long_been_down() -> None:
    """All had been down for minutes; one second in which too few saw that was a call, each time."""
    lab = Lab(model(**QUICK))
    lab.seconds(8)
    names = ("a", "b", "own")
    lab.seconds(60, bad=names)
    steps = []
    for _ in range(3):
        steps += [lab.second(names, silent=("v1", "v2")) for _ in range(12)]
        steps += lab.seconds(12, bad=names)
    assert set(lab.states("north").values()) == {"down"}
    assert "blind" not in happened(steps)
    unsure = [lab.second(names, silent=("v1", "v2")) for _ in range(60)]
    assert happened(unsure).count("blind") == 1


def test_a_vantage_without_a_vote_and_a_pin_that_ends_are_told() -> None:
    lab = Lab(model(**QUICK))
    lab.seconds(8)
    reports = [lab.report("v0", controls_ok=False)]
    [event] = lab.second(reports=reports).events
    assert (event.happening, event.text) == (
        Happening.WITHDRAWN,
        "vantage v0 has no vote: dns: no answer",
    )
    lab.seconds(8)
    step = lab.second((), order(Kind.SWITCH, "own"))
    assert [(each.happening, each.who) for each in step.events] == [
        (Happening.ORDERED, "ada"),
        (Happening.MOVED, "amaro"),
    ]
    assert step.events[0].text == "switch media own: own is used first (because: a test)"
    ended = lab.seconds(2, bad=("own",))[-1].events[-1]
    assert ended.text == "own is no longer pinned: it fails"
    lab.second((), order(Kind.SWITCH, "b"))
    taken_back = lab.second((), order(Kind.REVERT)).events[-1]
    assert taken_back.text == "b is no longer pinned: the switch was taken back"
    lab.seconds(8, bad=("own",))
    lab.second(("own",), replace(order(Kind.SWITCH, "own"), force=True))
    taken_back = lab.second(("own",), order(Kind.REVERT)).events[-1]
    assert taken_back.text == "own is no longer pinned: the switch was taken back"


def test_players_are_one_vote_more_and_none_on_their_own() -> None:
    players = (PlayerEvidence(service="media", target="a", fetched=100, left=90),)
    lab = Lab(model(regions="north north", **QUICK))
    lab.seconds(8)
    for bad, there in ((("a",), ()), ((), players)):
        for _ in range(3):
            lab.second(reports=[lab.report("v0", bad, players=there), lab.report("v1")])
        assert lab.shares() == {"a": 1.0}
        lab.seconds(8)
    for _ in range(2):
        lab.second(reports=[lab.report("v0", ("a",), players=players), lab.report("v1")])
    assert lab.shares() == {"b": 1.0}


def test_the_same_said_of_several_places_is_one_event() -> None:
    events = [
        Event(happening=Happening.FELL, text="it fell", target="a", regions=(region,))
        for region in ("north", "south", "north")
    ]
    [one] = merged(events)
    assert one.regions == ("north", "south")
