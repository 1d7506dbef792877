"""Whom one worker asks: owners that are well, and nobody who could wait for it."""

from collections.abc import Iterator
from random import Random

import pytest

from edge.region_ranking import Member, ranked
from edge.region_sequence import Known, said
from edge.routes import Route, Upstream
from edge.shield import Lease, Shield
from failover.health import Signal

URLS = [f"http://10.0.0.{number}:8090" for number in range(5)]
LISTED = dict.fromkeys(URLS, 0.0)
KEY = b"http://h/v/1.m4s"
ORDER = [member.url for member in ranked(KEY, map(Member, URLS))]


def shield(own: str | None = None, listed: dict[str, float] | None = None) -> Shield:
    made = Shield(own)
    made.follow(LISTED if listed is None else listed)
    return made


def asked(of: Shield, key: bytes = KEY, now_mono: float = 0.0) -> list[str]:
    return [route.upstream.url for route in of.routes(key, now_mono)]


def fail(of: Shield, url: str, times: int = 3) -> None:
    for _ in range(times):
        of.saw(Upstream(url), Signal.FAIL)


def test_one_that_owns_nothing_asks_the_owner() -> None:
    assert asked(shield()) == ORDER
    assert asked(shield("http://10.0.0.9:1")) == ORDER


@pytest.mark.parametrize("place", range(5))
def test_an_owner_asks_only_those_above_it(place: int) -> None:
    assert asked(shield(ORDER[place])) == ORDER[:place]


def test_those_that_are_down_are_left_out_until_they_are_back() -> None:
    of = shield()
    fail(of, ORDER[0], 2)
    assert asked(of) == ORDER
    assert of.doubted() == [Upstream(ORDER[0])]
    fail(of, ORDER[0], 1)
    assert asked(of) == ORDER[1:]
    assert dict(of.told())[f"edge_up {ORDER[0]}"] == 0.0
    of.saw(Upstream(ORDER[0]), Signal.OK)
    assert asked(of) == ORDER
    assert of.doubted() == []
    of.saw(Upstream("http://elsewhere:1"), Signal.FAIL)


def test_those_that_have_too_much_to_do_are_left_out() -> None:
    of = shield()
    (owner,) = of.routes(KEY, 0.0)[:1]
    leases = [lease for _ in range(22) if (lease := of.ask(owner, KEY))]
    assert asked(of) == ORDER[1:]
    for _ in range(2):  # it ends once
        leases[0].end()
    leases[1].end()
    assert dict(of.told())[f"edge_in_flight {ORDER[0]}"] == 20
    assert asked(of) == ORDER


def test_one_that_reaches_no_origin_is_left_out_but_for_a_question_now_and_then() -> None:
    of, owner = shield(), Upstream(ORDER[0])
    for _ in range(3):
        assert asked(of) == ORDER
        of.found_origin(owner, Signal.FAIL, 100.0)
    assert asked(of, now_mono=109.0) == ORDER[1:]
    assert dict(of.told())[f"edge_up {ORDER[0]}"] == 0.0
    assert of.doubted() == []
    assert asked(of, now_mono=110.0) == ORDER
    assert asked(of, now_mono=110.1) == ORDER[1:]
    of.found_origin(owner, Signal.FAIL, 110.2)
    assert asked(of, now_mono=119.9) == ORDER[1:]
    assert asked(of, now_mono=120.1) == ORDER
    of.found_origin(owner, Signal.OK, 120.2)
    assert asked(of, now_mono=120.3) == ORDER
    assert dict(of.told())[f"edge_up {ORDER[0]}"] == 1.0


def test_what_one_failed_to_reach_now_and_then_is_no_matter() -> None:
    of, owner = shield(), Upstream(ORDER[0])
    for _ in range(4):
        of.found_origin(owner, Signal.FAIL, 100.0)
        of.found_origin(owner, Signal.FAIL, 100.0)
        of.found_origin(owner, Signal.OK, 100.0)
    of.found_origin(Upstream("http://elsewhere:1"), Signal.FAIL, 100.0)
    assert asked(of, now_mono=100.0) == ORDER


def test_another_list_keeps_what_is_known_of_those_that_stay() -> None:
    of = shield()
    fail(of, ORDER[0])
    of.follow(dict.fromkeys(URLS[::-1], 0.0) | {"http://10.0.0.9:1": 0.0})
    assert ORDER[0] not in asked(of)
    assert "http://10.0.0.9:1" in asked(of)
    of.follow({})
    assert asked(of) == []


def test_a_member_that_joins_owns_nothing_until_its_instant() -> None:
    joining = LISTED | {ORDER[0]: 100.0}
    of = shield(ORDER[0], joining)
    assert asked(of, now_mono=99.0) == ORDER[1:]
    assert of.answer(KEY, 99.0) is None
    assert asked(shield(None, joining), now_mono=99.0) == ORDER[1:]
    assert asked(of, now_mono=100.0) == []
    assert of.answer(KEY, 100.0) is not None
    assert asked(shield(None, joining), now_mono=100.0) == ORDER


def test_nobody_waits_for_one_that_waits_for_those_below() -> None:
    of = shield(ORDER[0], LISTED | {ORDER[0]: 100.0})
    (below,) = of.routes(KEY, 99.0)[:1]
    question = of.ask(below, KEY)
    assert question is not None
    assert of.answer(KEY, 100.0) is None
    assert of.answer_worker(KEY) is None
    assert of.answer(b"http://h/another", 100.0) is not None
    question.end()
    assert of.answer(KEY, 100.0) is not None


def test_one_for_whom_others_wait_asks_only_those_above() -> None:
    of = shield(ORDER[2])
    answer = of.answer(KEY, 0.0)
    assert answer is not None
    of.follow({url: 0.0 for url in URLS if url != ORDER[2]})
    assert asked(of) == ORDER[:2]
    answer.end()
    assert asked(of) == [url for url in ORDER if url != ORDER[2]]


def test_one_for_whom_others_wait_asks_nobody_below_though_it_meant_to() -> None:
    """It began when nobody waited, with those above, who took their time."""
    of = shield(ORDER[2], LISTED | {ORDER[2]: 100.0})
    *_, below = of.routes(KEY, 99.0)
    answer = of.answer(KEY, 100.0)
    assert answer is not None
    assert of.ask(below, KEY) is None
    assert of.ask(of.routes(KEY, 100.0)[0], KEY) is not None
    answer.end()
    assert of.ask(below, KEY) is not None


def test_workers_of_a_node_do_not_wait_for_each_other_through_another_edge() -> None:
    """One asks below as long as its node owns nothing; the other is asked when it does."""
    joining = LISTED | {ORDER[0]: 100.0}
    one, other = shield(ORDER[0], joining), shield(ORDER[0], joining)
    question = one.ask(one.routes(KEY, 99.9)[0], KEY)
    assert question is not None
    assert other.answer(KEY, 100.1) is not None
    assert other.ask_worker(KEY, 100.1) is None  # what it asks is marked
    assert one.answer_worker(KEY) is None
    question.end()
    answer = one.answer_worker(KEY)
    assert answer is not None
    one.follow(LISTED | {ORDER[0]: 200.0})
    assert asked(one, now_mono=101.0) == []


def test_what_a_worker_that_owns_nothing_asks_of_another_may_go_anywhere() -> None:
    """So nobody waits for it meanwhile."""
    of = shield(ORDER[0], LISTED | {ORDER[0]: 100.0})
    question = of.ask_worker(KEY, 99.9)
    assert question is not None
    assert of.answer(KEY, 100.1) is None
    question.end()
    assert of.answer(KEY, 100.1) is not None


WORKERS = [(url, number) for url in URLS[:3] for number in range(2)]
Place = tuple[str, int]
Waits = list[tuple[Place, Place, list[Lease]]]
EVENTS = ("list", "plan", "plan", "ask", "ask", "hop", "end", "end")


@pytest.mark.parametrize("seed", range(8))
def test_no_two_ever_wait_for_each_other(seed: int) -> None:
    """Lists change at will while questions are under way; who waits for whom has no circle.

    Workers of a node hear of lists at different times, and go on with what they meant to ask.
    """
    draw = Random(seed)
    listed = dict.fromkeys(URLS[:3], 0.0)
    shields = {place: shield(place[0], listed) for place in WORKERS}
    plans: dict[Place, list[Route]] = {place: [] for place in WORKERS}
    waits: Waits = []
    for _ in range(8_000):
        what, here = draw.choice(EVENTS), draw.choice(WORKERS)
        of = shields[here]
        if what == "list":
            of.follow({url: 0.0 for url in listed if draw.random() < 0.6})
        elif what == "plan":
            plans[here] = of.routes(KEY, 0.0)
        elif what == "ask" and plans[here]:
            route = plans[here].pop(0)
            there = route.upstream.url, draw.randrange(2)  # the kernel chooses which worker
            if there[0] != here[0] and (question := of.ask(route, KEY)) is not None:
                answer = shields[there].answer(KEY, 0.0)
                waits += asked_of(here, there, question, answer)
        elif what == "hop" and here[1]:
            there, question = (here[0], 0), of.ask_worker(KEY, 0.0)
            if question is not None:
                waits.append((here, there, [question]))
            elif (answer := shields[there].answer_worker(KEY)) is not None:
                waits.append((here, there, [answer]))
        elif what == "end" and waits:
            for lease in waits.pop(draw.randrange(len(waits)))[2]:
                lease.end()
        assert not any(place in reached(place, waits) for place in WORKERS)


def asked_of(here: Place, there: Place, question: Lease, answer: Lease | None) -> Waits:
    """One waits for another if that answers."""
    if answer is None:
        question.end()
        return []
    return [(here, there, [question, answer])]


def reached(place: Place, waits: Waits) -> set[Place]:
    """All that one waits for, through others, too."""

    def ahead(of: set[Place]) -> Iterator[Place]:
        return (there for here, there, _ in waits if here in of)

    found = set(ahead({place}))
    while more := set(ahead(found)) - found:
        found |= more
    return found


LOG = bytes(range(8))


@pytest.mark.parametrize(
    ("lines", "known"),
    [
        ([b"0001020304050607;17"], Known(LOG, 17)),
        ([], None),
        ([b"0001020304050607;1", b"0001020304050607;1"], None),
        ([b"0001020304050607"], None),
        ([b";1"], None),
        ([b"0001020304050607;-1"], None),
        ([b"0001020304050607;x"], None),
        ([b"0001020304050607;" + b"9" * 19], None),
        ([b"000102030405060;1"], None),
        ([b"x001020304050607;1"], None),
        ([b"\xff001020304050607"[:16] + b";1"], None),
    ],
)
def test_what_is_said_of_purges(lines: list[bytes], known: Known | None) -> None:
    assert said(tuple((b"amaro-sequence", line) for line in lines)) == known
    if known is not None:
        assert said((known.line(),)) == known
