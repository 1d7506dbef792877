"""Where the traffic goes for each way that targets can stand, and which moves have to wait."""

from dataclasses import replace
from itertools import product

import pytest

from failover.choosing import Course, Pin, choice, move
from failover.model import Detection, Service
from failover.quorum import Verdict
from failover.target_state import Standing, State
from tests.support.failover import service
from tests.support.table import table

DETECTION = Detection(dwell_s=30.0, step_s=60.0, step_share=0.25, fresh_s=5.0)
STATES = {
    "up": Standing(State.UP, Verdict.UP),
    "suspect": Standing(State.SUSPECT, Verdict.UNKNOWN, 0, 1),
    "clears": Standing(State.SUSPECT, Verdict.UP, 1, 1),
    "split": Standing(State.SUSPECT, Verdict.UNKNOWN, 0, 5),
    "down": Standing(State.DOWN, Verdict.DOWN, why="it fell"),
    "down?": Standing(State.DOWN, Verdict.UNKNOWN, why="it fell"),
    "held": Standing(State.HELD, Verdict.UP, 1),
    "good": Standing(State.HELD, Verdict.UP, 30),
    "held?": Standing(State.HELD, Verdict.UNKNOWN, 30),
}
"""`?`: too few say so now."""
NOW = 1_000.0


def standings(text: str, names: str = "abc") -> dict[str, Standing]:
    return {name: STATES[each] for name, each in zip(names, text.split(), strict=False)}


def media(names: str = "a b c", **more: float) -> Service:
    return service(names, detection=DETECTION, **more)


def course(text: str, waited_s: float = 1_000.0, **more: object) -> Course:
    parts = [each.partition("=") for each in text.split()]
    shares = tuple((name, float(part or 1)) for name, _, part in parts)
    return Course(shares=shares, moved_mono=NOW - waited_s, **more)


def shown(found: Course) -> str:
    return " ".join(name if part == 1 else f"{name}={part:g}" for name, part in found.shares)


@pytest.mark.parametrize(
    "case",
    table("""
        stand                now          becomes      open  what
        up up up             -            a            no    the first choice
        down up up           -            b            no    the first that is up
        suspect suspect up   -            c            no    not what is in doubt
        down suspect down    -            b            no    not what is down
        down down down       -            a            yes   fails open to the first
        down up up           a            b            no    at once
        down down up         a            c            no    the third
        suspect up up        a            a            no    doubt moves nothing
        held up up           a            a            no    who carries and works goes on
        held up up           b            b            no    held off
        held suspect up      b            b            no    no move away from doubt
        held suspect down    b            b            no    nor to what is held off
        held down up         b            c            no    not to what is held off
        held down down       b            a            no    unless nothing is up
        held? down down      b            b            no    and it works now
        clears down down     b            a            no    works, but for the dwell
        suspect down down    b            b            no    not known to work
        split down down      b            a            no    in doubt for long: better than down
        split down? down     b            b            no    but nothing is known to be down now
        down down down       b            b            yes   fails open where it is
        up up up             b            b=.75 a=.25  no    returns in steps
        up down up           b            a            no    or at once
        up up up             b=.75 a=.25  a=.5 b=.5    no    the next step
        up up up             a=.75 b=.25  a            no    the last
        suspect up up        b=.75 a=.25  b=.75 a=.25  no    doubt stops it
        down up up           b=.75 a=.25  b            no    a fall ends it
        up down up           b=.5 c=.5    a=.75 c=.25  no    what must goes to the best, too
    """),
    ids=str,
)
def test_where_the_traffic_goes(case: dict[str, str]) -> None:
    found = move(media(), standings(case["stand"]), course(case["now"]), NOW)
    assert shown(found).replace("0.", ".") == case["becomes"]
    assert found.fails_open is (case["open"] == "yes")


@pytest.mark.parametrize(
    "case",
    table("""
        stepping  waited_s  becomes    what
        no        29.9      b          the dwell is not over
        no        30        b=.75 a=.25  it is
        yes       59.9      b          between two steps
        yes       60        b=.75 a=.25  the next
    """),
    ids=str,
)
def test_a_move_that_nothing_demands_waits(case: dict[str, str]) -> None:
    now = course("b", float(case["waited_s"]), is_stepping=case["stepping"] == "yes")
    found = move(media(), standings("up up up"), now, NOW)
    assert shown(found).replace("0.", ".") == case["becomes"]
    assert found.is_stepping is (case["becomes"] != "b" or now.is_stepping)


@pytest.mark.parametrize(
    "case",
    table("""
        stand           now   becomes  open  what
        down held down  a     a        yes   it may be all the same cause
        down good down  a     b        no    it has been good for the dwell
        held down down  a     a        no    the one in use works again
        down up down    a     b        no    one is up
        down down down  a     a        yes   as before
    """),
    ids=str,
)
def test_who_fails_open_waits_for_what_has_held(case: dict[str, str]) -> None:
    now = course(case["now"], fails_open=True)
    found = move(media(), standings(case["stand"]), now, NOW)
    assert shown(found) == case["becomes"]
    assert found.fails_open is (case["open"] == "yes")


@pytest.mark.parametrize(
    "case",
    table("""
        stand           force  becomes  pinned  what
        up up up        no     c        yes     used first, at once
        up up held      no     c        yes     held off or not
        up up suspect   no     c        yes     in doubt or not
        up up down      no     a        no      a pin ends when its target fails
        up up down      yes    c        yes     unless it is forced
        down down down  yes    c        yes     so, too
    """),
    ids=str,
)
def test_pins(case: dict[str, str]) -> None:
    pin = Pin(target="c", is_forced=case["force"] == "yes", who="ada", why="a test")
    found = move(media(), standings(case["stand"]), course("a", pin=pin), NOW, is_ordered=True)
    assert shown(found) == case["becomes"]
    assert (found.pin is not None) is (case["pinned"] == "yes")
    assert not found.fails_open
    later = move(media(), standings(case["stand"]), found, NOW + 1_000.0)
    assert shown(later) == case["becomes"]


def test_a_pin_comes_before_weights_and_leaves_the_rest_to_the_order() -> None:
    pin = Pin(target="c", who="ada", why="a test")
    service = media("a/500/9 b c/300/1", demand_mbps=1_000.0)
    found = move(service, standings("up up up"), course("a", pin=pin), NOW, is_ordered=True)
    assert shown(found) == "a=0.5 c=0.3 b=0.2"


def test_what_is_not_up_is_given_no_more_while_something_is() -> None:
    service = media("a//1 b//1 c")
    found = move(service, standings("suspect down up"), course("a=.5 b=.5"), NOW)
    assert shown(found) == "c=0.5 a=0.5"


def test_too_little_capacity_is_said() -> None:
    service = media("a/900 b/300 c/100", demand_mbps=800.0)
    found = move(service, standings("down up up"), course("a"), NOW)
    assert shown(found) == "b=0.75 c=0.25"
    assert found.is_overloaded
    why = choice(service, "*", standings("down up up"), found).why
    assert why.startswith("a is down: it fell; too little capacity is left")


def test_a_choice_says_what_led_to_it() -> None:
    pin = Pin(target="b", who="ada", why="a release")
    found = choice(media(), "north", standings("held suspect up"), course("b", pin=pin))
    assert found.order == ("b", "c", "a")
    assert found.suspect
    assert found.why == (
        "ada wants b: a release; a works again and is held off; too few vantages agree on b"
    )
    forced = Pin(target="b", is_forced=True, who="ada", why="now")
    said = choice(media(), "north", standings("up up up"), course("b", pin=forced))
    assert said.why == "ada forces b: now"
    opened = choice(media(), "*", standings("down down down"), course("a", fails_open=True))
    assert opened.why.endswith("every target fails: the traffic stays where it is")
    assert choice(media(), "*", standings("up up up"), course("a")).why == "everything is up"


@pytest.mark.parametrize("stand", list(product(STATES, repeat=3)), ids=" ".join)
def test_laws_hold_however_three_targets_stand(stand: tuple[str, ...]) -> None:
    here = standings(" ".join(stand))
    down = {name for name in here if here[name].state is State.DOWN}
    ups = {name for name in here if here[name].state is State.UP}
    for text in ("", "a", "b", "a=.5 c=.5", "b=.75 a=.25"):
        now = course(text)
        found = move(media(), here, now, NOW)
        shares, past = dict(found.shares), dict(now.shares)
        gained = {name for name in shares if shares[name] > past.get(name, 0.0) + 1e-6}
        assert sum(shares.values()) == pytest.approx(1.0)
        assert found.fails_open is (len(down) == 3)
        assert not gained & down or len(down) == 3
        if ups:
            assert not down & shares.keys()
            assert gained <= ups
        again = move(media(), here, found, NOW)
        assert (again.shares, again.fails_open) == (found.shares, found.fails_open)


@pytest.mark.parametrize("stand", list(product(STATES, repeat=3)), ids=" ".join)
def test_what_is_settled_stays_so_however_long_nothing_happens(stand: tuple[str, ...]) -> None:
    here = standings(" ".join(stand))
    later = {
        name: replace(each, good_s=each.good_s + 1e4, since_s=each.since_s + 1e4)
        for name, each in here.items()
    }
    service = media("a/300/2 b/200 c", demand_mbps=500.0)
    for text in ("a", "b", "a=.5 c=.5", "b=.75 a=.25"):
        for fails_open in (False, True):
            now = course(text, fails_open=fails_open, is_settled=True)
            found = move(service, here, now, NOW)
            if found.is_settled:
                assert move(service, later, found, NOW + 1e4).shares == found.shares
