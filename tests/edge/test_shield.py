"""Whom one worker asks: owners that are well, and nobody who could wait for it."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.region_ranking import Member, ranked
from edge.region_sequence import Known, said
from edge.routes import Upstream
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


def asked(of: Shield, key: bytes = KEY, now_wall: float = 0.0) -> list[str]:
    return [route.upstream.url for route in of.routes(key, now_wall)]


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
    leases = [of.ask(owner, KEY) for _ in range(22)]
    assert asked(of) == ORDER[1:]
    for _ in range(2):  # it ends once
        leases[0].end()
    leases[1].end()
    assert dict(of.told())[f"edge_in_flight {ORDER[0]}"] == 20
    assert asked(of) == ORDER


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
    assert asked(of, now_wall=99.0) == ORDER[1:]
    assert of.answer(KEY, 99.0) is None
    assert asked(shield(None, joining), now_wall=99.0) == ORDER[1:]
    assert asked(of, now_wall=100.0) == []
    assert of.answer(KEY, 100.0) is not None
    assert asked(shield(None, joining), now_wall=100.0) == ORDER


def test_nobody_waits_for_one_that_waits_for_those_below() -> None:
    of = shield(ORDER[0], LISTED | {ORDER[0]: 100.0})
    (below,) = of.routes(KEY, 99.0)[:1]
    question = of.ask(below, KEY)
    assert of.answer(KEY, 100.0) is None
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


events = st.lists(
    st.tuples(st.sampled_from(["list", "ask", "end"]), st.integers(0, 4), st.integers(0, 31)),
    max_size=60,
)


@given(events=events)
def test_no_two_ever_wait_for_each_other(events: list[tuple[str, int, int]]) -> None:
    """Lists change at will while questions are under way; who waits for whom has no circle."""
    edges = {url: shield(url) for url in URLS}
    waits: list[tuple[str, str, Lease, Lease]] = []
    for what, number, chosen in events:
        url = URLS[number]
        if what == "list":
            edges[url].follow({each: 0.0 for n, each in enumerate(URLS) if chosen >> n & 1})
        elif what == "ask":
            for route in edges[url].routes(KEY, 0.0)[chosen % 3 :]:
                there = route.upstream.url
                question = edges[url].ask(route, KEY)
                if (answer := edges[there].answer(KEY, 0.0)) is not None:
                    waits.append((url, there, question, answer))
                    break
                question.end()
        elif waits:
            _, _, question, answer = waits.pop(chosen % len(waits))
            question.end()
            answer.end()
        assert not any(url in reached(url, waits) for url in URLS)


def reached(url: str, waits: list[tuple[str, str, Lease, Lease]]) -> set[str]:
    """All that one waits for, through others, too."""

    def ahead(of: set[str]) -> Iterator[str]:
        return (there for here, there, *_ in waits if here in of)

    found = set(ahead({url}))
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
