"""What operators may order, what is refused, and that a refusal changes nothing."""

import pytest

from failover.choosing import Course, Pin
from failover.orders import Held, Kind, Order, Standstill, carry_out
from failover.quorum import Verdict
from failover.target_state import UNSEEN, Standing, State
from tests.support.table import table

PLACES = (("media", "north"), ("media", "*"), ("feed", "*"))
DOWN = Standing(State.DOWN, Verdict.DOWN, why="3 of 3 vantages say down")
PIN = Pin(target="b", who="bob", why="before")


def order(text: str, **more: object) -> Order:
    """Read: kind service region target, with - for what is not named."""
    kind, service, region, target = ("" if each == "-" else each for each in text.split())
    return Order(
        kind=Kind(kind), service=service, region=region, target=target, who="ada", why="now", **more
    )


def held(pinned: str = "", frozen: str = "") -> Held:
    courses = {place: Course() for place in PLACES}
    courses |= {place: Course(pin=PIN) for place in PLACES if place[1] in pinned.split()}
    still = [each.partition("/") for each in frozen.split()]
    return Held(courses, tuple(Standstill(name, region, "bob", "") for name, _, region in still))


STANDINGS = {
    ("media", "north"): {"a": UNSEEN, "b": DOWN},
    ("media", "*"): {"a": UNSEEN, "b": UNSEEN},
    ("feed", "*"): {"a": UNSEEN},
}


@pytest.mark.parametrize(
    "case",
    table("""
        order                  pinned  frozen    carried  answer                         then
        switch media - a       -       -         yes      a is used first                a a -
        switch media * a       -       -         yes      a is used first                - a -
        switch media * b       -       -         yes      b is used first                - b -
        switch media - b       -       -         no       b fails (north: 3 of 3         - - -
        switch media north c   -       -         no       media has no c                 - - -
        switch - * a           -       -         no       no service has no a            - - -
        switch other - a       -       -         no       there is no service other;     - - -
        switch media south a   -       -         no       there is no region south;      - - -
        revert media - -       *       -         yes      what is best is used again     - - b
        revert media north -   *       -         no       no switch is in force          - b b
        revert - - -           *       -         yes      what is best is used again     - - -
        freeze - - -           -       -         yes      nothing moves by itself        f f f
        freeze media - -       -       -         yes      nothing moves by itself        f f -
        freeze media * -       -       media/*   yes      nothing moves by itself        - f -
        unfreeze media * -     -       media/*   yes      what fails is left again       - - -
        unfreeze - - -         -       media/ /*  yes    what fails is left again       - - -
        unfreeze media - -     -       /         no       frozen is everything: name     f f f
        unfreeze media * -     -       media/north  no    frozen is media in north:   f - -
        unfreeze media north -  -      /*        no       frozen is everything in DNS:   - f f
        unfreeze media - -     -       -         no       nothing is frozen              - - -
        unfreeze media - -     -       / media/  yes      taken back; still in force  f f f
        unfreeze media north -  -      media/north media/*  yes  what fails is left      - f -
    """),
    ids=str,
)
def test_orders(case: dict[str, str]) -> None:
    before = held(case["pinned"], case["frozen"])
    after, answer = carry_out(order(case["order"]), before, STANDINGS)
    assert answer.is_carried_out is (case["carried"] == "yes")
    assert answer.text.startswith(case["answer"])
    shown = [
        "f" if after.is_frozen(place) else course.pin.target if course.pin else "-"
        for place, course in after.courses.items()
    ]
    assert shown == case["then"].split()
    if not answer.is_carried_out:
        assert after is before


@pytest.mark.parametrize(
    "case",
    table("""
        order                 pinned   frozen  answer
        switch media * a      -        -       a is used first in DNS
        switch media - a      north *  -       a is used first; this ends bob's switch to b
        revert media north -  north    -       what is best is used again in north, in steps
        freeze - - -          -        media/  nothing moves by itself; instead of media, frozen by bob:
        unfreeze media - -    -        media/  what fails is left again by itself; this also lifts media, frozen by bob:
        unfreeze media - -    -        / media/  taken back; still in force: everything, frozen by bob:
    """),  # noqa: E501
    ids=str,
)
def test_an_answer_says_what_else_an_order_ends_or_leaves(case: dict[str, str]) -> None:
    before = held(case["pinned"], case["frozen"])
    _, answer = carry_out(order(case["order"]), before, STANDINGS)
    assert answer.text.strip() == case["answer"]


def test_force_pins_even_what_fails() -> None:
    after, answer = carry_out(order("switch media - b", force=True), held(), STANDINGS)
    assert answer.is_carried_out
    pin = after.courses["media", "north"].pin
    assert pin == Pin(target="b", is_forced=True, who="ada", why="now")


def test_a_failing_target_without_a_reason_is_refused_with_words() -> None:
    here = {("media", "*"): {"a": Standing(State.DOWN)}}
    only = Held({("media", "*"): Course()}, ())
    _, answer = carry_out(order("switch media * a"), only, here)
    assert answer.text == "a fails (DNS: it fails); with force it is used even so"
