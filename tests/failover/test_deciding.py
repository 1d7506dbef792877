"""Steps of a controller: what vantages and operators say goes in, decisions come out."""

from dataclasses import replace

import pytest

from failover.alone import alone
from failover.deciding import Decider, Heard
from failover.events import Happening
from failover.orders import Kind, Order
from tests.support.failover import Lab, model


@pytest.fixture
def lab() -> Lab:
    lab = Lab(model(regions="north north north south south"))
    lab.seconds(6)
    return lab


def test_nothing_is_decided_before_anything_is_known() -> None:
    lab = Lab(model())
    assert [step.decision for step in lab.seconds(4)] == [None] * 4
    assert lab.second().decision
    assert lab.shares() == {"a": 1.0}


def test_a_provider_that_fails_is_left_at_once_and_used_again_in_steps(lab: Lab) -> None:
    first, second = lab.seconds(2, bad=("a",))
    assert first.decision
    assert first.decision.choice("media", "*").suspect
    assert lab.shares("north") == lab.shares("south") == lab.shares("*") == {"b": 1.0}
    happened = [event.happening for event in second.events]
    assert happened == [Happening.FELL] * 3 + [Happening.MOVED]
    moves = [step for step in lab.seconds(1_500) if step.decision]
    shares = [dict(step.decision.choice("media", "*").shares) for step in moves]
    assert shares == [
        {"b": 0.75, "a": 0.25},
        {"a": 0.5, "b": 0.5},
        {"a": 0.75, "b": 0.25},
        {"a": 1.0},
    ]


def test_a_region_that_loses_a_provider_moves_alone(lab: Lab) -> None:
    lab.seconds(5, bad={"v3": ("a",), "v4": ("a",)})
    assert lab.shares("south") == {"b": 1.0}
    assert lab.shares("north") == lab.shares("*") == {"a": 1.0}


def test_a_later_epoch_publishes_anew_and_an_earlier_one_is_refused(lab: Lab) -> None:
    lab.epoch = 2
    step = lab.second()
    assert step.decision
    assert step.decision.version == (2, 1)
    with pytest.raises(ValueError, match="epoch 1 is over"):
        lab.decider.step(lab.memory, Heard(), lab.now, 1)


def test_who_acted_alone_is_outbid(lab: Lab) -> None:
    last = lab.memory.decision
    assert last
    step = lab.decider.step(lab.memory, Heard(version=(1, 40)), lab.now, 1)
    assert step.decision
    assert step.decision.version == (1, 41)
    assert step.decision.choices == last.choices


def test_a_switch_moves_at_once_and_a_freeze_stops_all_but_orders(lab: Lab) -> None:
    def order(kind: Kind, target: str = "") -> Order:
        return Order(kind=kind, who="ada", why="drill", service="media", target=target)

    step = lab.second((), order(Kind.SWITCH, "own"))
    assert lab.shares() == {"own": 1.0}
    assert [answer.is_carried_out for answer in step.answers] == [True]
    lab.second((), order(Kind.FREEZE))
    lab.seconds(10, bad=("own",))
    assert lab.shares() == {"own": 1.0}
    lab.second(("own",), order(Kind.SWITCH, "b"))
    assert lab.shares() == {"b": 1.0}
    refused = lab.second(("own",), order(Kind.SWITCH, "own"))
    assert not refused.answers[0].is_carried_out
    assert refused.events[0].happening is Happening.REFUSED
    lab.second(("own",), order(Kind.UNFREEZE), order(Kind.REVERT))
    lab.seconds(300, bad=("own",))
    assert lab.shares() == {"a": 1.0}


def test_who_finds_a_decision_in_force_goes_on_from_there(lab: Lab) -> None:
    lab.seconds(5, bad=("a",))
    published = lab.memory.decision
    decider = Decider(lab.model)
    step = decider.step(decider.start(0.0, published), Heard(), 0.5, 1)
    assert step.decision is None or step.decision.choice("media", "*").shares == (("b", 1.0),)


def test_a_rehearsal_says_what_would_be_and_changes_nothing(lab: Lab) -> None:
    rehearsed = lab.decider.rehearsed(lab.memory, ("media", "a"), lab.now)
    assert rehearsed
    assert rehearsed.choice("media", "north").shares == (("b", 1.0),)
    assert lab.shares() == {"a": 1.0}


def test_a_member_that_is_cut_off_decides_for_its_own_edge_and_is_taken_over_again(
    lab: Lab,
) -> None:
    last = lab.memory.decision
    assert last
    own = lab.model.vantages[3]
    decider = Decider(alone(lab.model, own), (own.region,))
    memory = decider.start(0.0, last)
    for second in range(1, 8):
        heard = Heard(reports=[lab.report(own.name, ("a",))])
        step = decider.step(memory, heard, float(second), last.epoch)
        memory = step.memory
    said = memory.decision
    assert said
    assert said.version > last.version
    assert [(each.region, each.first) for each in said.choices] == [("south", "b")]
    again = lab.decider.step(lab.memory, Heard(version=said.version), lab.now, lab.epoch)
    assert again.decision
    assert again.decision.version > said.version
    assert again.decision.choices == last.choices


def test_a_freeze_keeps_ttls_and_what_would_be_next(lab: Lab) -> None:
    """They changed with every doubt, in DNS, too, where somebody may be at work by hand."""
    frozen = Order(kind=Kind.FREEZE, who="ada", why="a release", service="media")
    lab.second((), frozen)
    before = lab.memory.decision
    lab.seconds(20, bad=("a", "b"))
    assert lab.states()["a"] == "down"
    assert lab.memory.decision is before
    lab.second(("a", "b"), replace(frozen, kind=Kind.UNFREEZE))
    choice = lab.memory.decision.choice("media", "*")
    assert (choice.shares, choice.suspect) == ((("own", 1.0),), True)
    assert choice.order == ("own", "a", "b")
    lab.second(("a", "b"), frozen)
    lab.second(("a", "b"), replace(frozen, kind=Kind.SWITCH, target="b", force=True))
    assert lab.memory.decision.choice("media", "*").first == "b"


def test_no_doubt_outlives_a_freeze_with_a_switch_in_it(lab: Lab) -> None:
    """The switch left nothing to be made up for, and the doubt stood for ever."""
    frozen = Order(kind=Kind.FREEZE, who="ada", why="a release", service="media")
    lab.second(("own",))
    assert lab.memory.decision.choice("media", "*").suspect
    lab.second((), frozen)
    lab.seconds(30)
    lab.second((), replace(frozen, kind=Kind.SWITCH, target="a"))
    assert lab.memory.decision.choice("media", "*").suspect
    lab.second((), replace(frozen, kind=Kind.UNFREEZE))
    assert not lab.memory.decision.choice("media", "*").suspect


def test_a_switch_that_is_taken_back_in_the_same_step_moves_nothing_at_once(lab: Lab) -> None:
    switch = Order(kind=Kind.SWITCH, who="ada", why="a test", service="media", target="b")
    lab.second((), switch)
    lab.seconds(400)
    revert = replace(switch, kind=Kind.REVERT, target="")
    lab.second((), replace(switch, target="own"), revert)
    assert lab.shares() == {"b": 0.75, "a": 0.25}


def test_what_two_reports_say_counts_though_one_step_hears_both(lab: Lab) -> None:
    """Steps wait for a slow store. The second report had no news, and nobody ever looked."""
    reports = [lab.report(each.name, "a") for _ in range(4) for each in lab.model.vantages]
    lab.second(reports=reports)
    assert lab.shares() == {"b": 1.0}


def test_dns_is_not_switched_where_there_is_none(lab: Lab) -> None:
    """Nobody looks there, and nobody saw what held there."""
    switch = Order(kind=Kind.SWITCH, who="ada", why="a test", service="media", target="b")
    [answer] = lab.second((), replace(switch, region="*")).answers
    assert (answer.is_carried_out, answer.text) == (False, "media has no name in DNS")
    [answer] = lab.second((), replace(switch, service="none", region="*")).answers
    assert answer.text.startswith("there is no service none;")


def test_a_freeze_of_what_is_gone_is_gone(lab: Lab) -> None:
    """Nobody could end it by its name, and no drill began."""
    lab.second((), Order(kind=Kind.FREEZE, who="ada", why="a release", service="media"))
    lab.second((), Order(kind=Kind.FREEZE, who="ada", why="a release", region="south"))
    north = Decider(model(regions="north north north"))
    assert [each.service for each in north.fitted(lab.memory).standstills] == ["media"]


def test_a_freeze_outlives_no_target_that_is_gone(lab: Lab) -> None:
    """Whoever carries it out knows nothing of it, and met a KeyError."""
    lab.second((), Order(kind=Kind.FREEZE, who="ada", why="a release"))
    without = Decider(model("b own", regions="north north north south south south"))
    step = without.step(without.fitted(lab.memory), Heard(), lab.now + 1.0, 2)
    assert step.decision is not None
    assert {each.order for each in step.decision.choices} == {("b", "own")}


def test_what_happened_during_a_freeze_is_made_up_for_after_it(lab: Lab) -> None:
    frozen = Order(kind=Kind.FREEZE, who="ada", why="a release")
    lab.seconds(10, bad=("a",))
    lab.second((), frozen)
    lab.seconds(1_300)
    assert lab.shares() == {"b": 1.0}
    lab.second((), replace(frozen, kind=Kind.UNFREEZE))
    lab.seconds(300)
    assert lab.shares() == {"a": 1.0}


def test_what_failed_open_is_left_when_another_target_has_worked_for_the_dwell(lab: Lab) -> None:
    lab.seconds(5, bad=("a",))
    lab.seconds(20, bad=("a", "b", "own"))
    choice = lab.memory.decision.choice("media", "*")
    assert (choice.first, choice.fails_open) == ("b", True)
    dwell_s = int(lab.model.services[0].detection.dwell_s)
    lab.seconds(dwell_s, bad=("b", "own"))
    assert lab.shares() == {"b": 1.0}
    lab.seconds(10, bad=("b", "own"))
    assert lab.shares("north") == lab.shares("south") == lab.shares() == {"a": 1.0}


def test_what_is_down_is_left_for_what_has_been_in_doubt_for_long(lab: Lab) -> None:
    in_doubt = dict.fromkeys(("v0", "v3"), ("b", "own"))
    lab.seconds(6, bad=in_doubt, silent=("v2",))
    fallen = dict.fromkeys(("v0", "v3"), ("a", "b", "own"))
    lab.seconds(2, bad={**fallen, "v1": ("a",), "v4": ("a",)}, silent=("v2",))
    assert lab.states() == {"a": "down", "b": "suspect", "own": "suspect"}
    assert lab.shares() == {"a": 1.0}
    lab.seconds(5, bad={**fallen, "v1": ("a",), "v4": ("a",)}, silent=("v2",))
    assert lab.shares() == {"b": 1.0}


def test_who_is_no_vantage_of_the_model_is_not_heard(lab: Lab) -> None:
    before = lab.memory.attendances
    stranger = replace(lab.report("v0", ("a",)), vantage="stranger")
    assert set(lab.second(reports=[stranger]).memory.attendances) == set(before)
