"""Gates: what passes under which limits, and what a refusal says."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from cache_policies.load import load_policies
from cache_policies.policies import Policies, compile_policies
from cache_policies.stored import Stored
from edge.clients import TrustedProxies
from edge.delivery import sent_bytes
from edge.gates import GATES_MAX, Gate, Gates, ProxyGate, Refusal, retry_after_s
from edge.heads import Context, Facts, read_facts
from edge.limit_table import NS_PER_S, LimitTable, table_words
from edge.ticket import Stay, Ticket
from tests.support.responses import stored

NOW = 1000.0
SIMPLE = "limits: [{name: a, rate: 10/s, burst: 4}]"
PLACED = """
limits:
  - {name: all, rate: 10/s, burst: 40}
  - {name: api, match: {path: /api/*}, rate: 1/s, burst: 2}
  - {name: vod, per: prefix, match: {path: /vod/*}, rate: 1/s, burst: 3}
"""
HOLDING = """
limits:
  - {name: few, concurrency: 2, hits: false}
  - {name: slow, per: prefix, match: {path: /vod/*}, bandwidth: 1kB/s}
"""


def table(workers: int = 1) -> LimitTable:
    words = memoryview(bytearray(8 * table_words(workers))).cast("q")
    return LimitTable(words, workers=workers, worker_no=0, secret=b"s" * 16)


def policies(text: str) -> Policies:
    return compile_policies(load_policies(text.encode(), "f"))


def gates(text: str, proxies: Sequence[str] = ()) -> Gates:
    return Gates(policies(text), table(), TrustedProxies(proxies))


def facts(*fields: tuple[bytes, bytes], method: bytes = b"GET") -> Facts:
    context = Context(method, b"1.1", b"http", b"a")
    return read_facts(b"", ((b"host", b"edge.test"), *fields), context)


PLAIN = facts()


@dataclass(frozen=True)
class Whole:
    """What a gate asks of an entry."""

    length: int = 0
    stored: Stored = field(default_factory=lambda: stored('etag: "x"'))


EMPTY = Whole()


def hits(gate: Gate | ProxyGate, number: int, target: bytes = b"/", length: int = 0) -> list[str]:
    """What a hit path would hear of so many hits at once."""
    heard = []
    for _ in range(number):
        gate.left -= 1
        said = True if gate.left >= 0 else gate.hit(PLAIN, target, Whole(length), NOW)
        heard.append(said.reason if isinstance(said, Refusal) else str(said))
    return heard


def test_a_client_has_its_rate_and_no_more() -> None:
    limits = gates(SIMPLE)
    assert limits.simple == 0
    gate = limits.of_client(b"192.0.2.1")
    assert hits(gate, 5) == ["True"] * 4 + ["client-rate"]
    assert hits(limits.of_client(b"192.0.2.2"), 5) == ["True"] * 4 + ["client-rate"]
    refusal = gate.hit(PLAIN, b"/", EMPTY, NOW)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.retry_after_s) == (429, 1)


def test_a_client_of_ipv6_is_its_network() -> None:
    limits = gates(SIMPLE)
    assert limits.of_client(b"2001:db8::1") is limits.of_client(b"2001:db8::ffff:1")
    assert limits.of_client(b"2001:db8::1") is not limits.of_client(b"2001:db8:0:1::1")
    assert limits.of_client(b"::ffff:192.0.2.1") is limits.of_client(b"192.0.2.1")


def test_what_is_answered_in_steps_counts_as_well() -> None:
    gate = gates(SIMPLE).of_client(b"192.0.2.1")
    assert hits(gate, 2) == ["True"] * 2
    assert gate.step(PLAIN, b"/", NOW) is None
    assert gate.step(PLAIN, b"/", NOW) is None
    assert isinstance(gate.step(PLAIN, b"/", NOW), Refusal)
    assert hits(gate, 1) == ["client-rate"]


def test_who_does_not_count_hits_has_none_refused() -> None:
    limits = gates("limits: [{name: a, rate: 1/s, burst: 1, hits: false}]")
    assert not limits.counts_hits
    gate = limits.of_client(b"192.0.2.1")
    assert gate.step(PLAIN, b"/", NOW) is None
    assert isinstance(gate.step(PLAIN, b"/", NOW), Refusal)


def test_a_limit_is_about_what_it_matches() -> None:
    limits = gates(PLACED)
    assert limits.simple is None
    one, other = limits.of_client(b"192.0.2.1"), limits.of_client(b"192.0.2.2")
    assert hits(one, 3, b"/api/x") == ["True", "True", "client-rate"]
    assert hits(one, 3, b"/api/x?other") == ["client-rate"] * 3
    assert hits(one, 2, b"/") == ["True"] * 2
    assert hits(other, 2, b"/vod/1") == ["True"] * 2
    assert hits(one, 2, b"/vod/2") == ["True", "prefix-rate"]  # what the other had is gone
    assert hits(other, 1, b"/~" + b"x" * 40 + b"/vod/2") == ["prefix-rate"]  # tokens are no path
    refusal = other.step(PLAIN, b"/vod/1", NOW)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.retry_after_s) == (503, 1)


def test_nobody_is_kept_from_asking_whether_the_edge_is_well() -> None:
    gate = gates(SIMPLE).of_client(b"192.0.2.1")
    for target in (b"/.amaro/ready", b"/.amaro/live", b"/.amaro/live?now") * 5:
        assert gate.step(PLAIN, target, NOW) is None
    said = [gate.step(PLAIN, b"/.amaro/other", NOW) for _ in range(5)]  # the origin's to answer
    assert [isinstance(each, Refusal) for each in said] == [False] * 4 + [True]


def test_places_are_held_until_they_are_left() -> None:
    limits = gates(HOLDING)
    gate = limits.of_client(b"192.0.2.1")
    assert gate.holds(PLAIN, b"/x")
    tickets = [gate.enter(PLAIN, b"/x", NOW) for _ in range(3)]
    first, second, refused = tickets
    assert isinstance(first, Ticket)
    assert isinstance(second, Ticket)
    assert isinstance(refused, Refusal)
    assert (refused.reason, refused.status) == ("client-concurrency", 429)
    assert isinstance(limits.of_client(b"192.0.2.2").enter(PLAIN, b"/x", NOW), Ticket)
    for _ in range(2):
        first.leave(int((NOW + 8) * NS_PER_S))  # twice is once
    assert isinstance(gate.enter(PLAIN, b"/x", NOW), Ticket)
    assert isinstance(gate.enter(PLAIN, b"/x", NOW), Refusal)


def test_bodies_beyond_a_bandwidth_are_paced_and_then_refused() -> None:
    limits = gates(HOLDING)
    gate = limits.of_client(b"192.0.2.1")
    assert limits.counts_hits
    assert hits(gate, 3, b"/vod/1", 400) == ["True", "True", "False"]
    assert hits(gate, 1, b"/x", 4_000) == ["True"]
    ticket = gate.enter(PLAIN, b"/vod/1", NOW)
    assert isinstance(ticket, Ticket)
    now_ns = int(NOW * NS_PER_S)
    assert ticket.pay(1_000, now_ns) == pytest.approx(0.8)
    assert ticket.pay(1_000, now_ns) == pytest.approx(1.8)
    assert ticket.pay(5_000, now_ns) == pytest.approx(6.8)
    ticket.leave(now_ns)
    refusal = gate.enter(PLAIN, b"/vod/2", NOW)
    assert isinstance(refusal, Refusal)
    assert (refusal.reason, refusal.status, refusal.retry_after_s) == ("prefix-bandwidth", 503, 2)
    assert isinstance(gate.enter(PLAIN, b"/vod/2", NOW + 2), Ticket)


def test_a_part_costs_its_own_bytes() -> None:
    gate, film = gates(HOLDING).of_client(b"192.0.2.1"), Whole(1 << 20)
    part = facts((b"range", b"bytes=0-99"))
    assert [gate.hit(part, b"/vod/1", film, NOW) for _ in range(11)] == [True] * 10 + [False]
    same = facts((b"if-none-match", b'"x"'))
    assert gate.hit(same, b"/vod/1", film, NOW) is True


@pytest.mark.parametrize(
    ("field_line", "method", "size_bytes"),
    [
        (None, b"GET", 1000),
        (None, b"HEAD", 0),
        ((b"if-none-match", b'"x"'), b"GET", 0),
        ((b"if-none-match", b'"y"'), b"GET", 1000),
        ((b"if-none-match", b'"y", W/"x"'), b"GET", 0),
        ((b"range", b"bytes=0-9"), b"GET", 10),
        ((b"range", b"bytes=-9"), b"GET", 9),
        ((b"range", b"bytes=990-2000"), b"GET", 10),
        ((b"range", b"bytes=1000-"), b"GET", 0),
        ((b"range", b"lines=1-2"), b"GET", 1000),
    ],
)
def test_a_body_costs_what_is_sent_of_it(
    field_line: tuple[bytes, bytes] | None, method: bytes, size_bytes: int
) -> None:
    asked = facts(*([field_line] if field_line else []), method=method)
    assert sent_bytes(Whole(1000), asked) == size_bytes
    several = facts((b"range", b"bytes=0-9,500-509"))
    assert 20 < sent_bytes(Whole(1000), several) < 400


def test_a_body_that_one_bandwidth_refuses_costs_nothing_under_another() -> None:
    both = """
    limits:
      - {name: wide, bandwidth: 10kB/s}
      - {name: slow, per: prefix, bandwidth: 1kB/s}
    """
    gate = gates(both).of_client(b"192.0.2.1")
    assert hits(gate, 4, b"/", 900) == ["True", "False", "False", "False"]
    spent = [gate.bucket(no, b"b").debt_ns(int(NOW * NS_PER_S)) for no in range(2)]
    assert spent == [90_000_000, 900_000_000]


def test_a_request_that_is_refused_says_nothing_of_how_long_others_take() -> None:
    places = """
    limits:
      - {name: many, concurrency: 9}
      - {name: one, per: prefix, concurrency: 1}
    """
    limits = gates(places)
    gate = limits.of_client(b"192.0.2.1")
    assert isinstance(gate.enter(PLAIN, b"/", NOW), Ticket)
    for _ in range(20):
        refusal = gate.enter(PLAIN, b"/", NOW)
        assert isinstance(refusal, Refusal)
        assert refusal.retry_after_s == 1
    assert limits.stay.s == 1.0
    assert gate.bucket(0, b"c").enter(9, int(NOW * NS_PER_S)) is not None


def test_a_proxy_asks_for_its_clients() -> None:
    limits = gates(SIMPLE, ["10.0.0.0/8"])
    gate = limits.at(b"10.0.0.1")
    assert isinstance(gate, ProxyGate)
    heard: dict[bytes, list[object]] = {}
    for client in (b"192.0.2.1", b"192.0.2.2", b"192.0.2.1"):
        asked = facts((b"x-forwarded-for", client))
        for _ in range(3):
            gate.left -= 1
            said = gate.left >= 0 or gate.hit(asked, b"/", EMPTY, NOW)
            heard.setdefault(client, []).append(said is True)
        assert gate.of(asked) is limits.of_client(client)
    assert heard == {b"192.0.2.1": [True] * 4 + [False] * 2, b"192.0.2.2": [True] * 3}
    assert hits(gate, 50) == ["True"] * 50  # it asks for itself
    assert isinstance(limits.at(b"192.0.2.1"), Gate)


@pytest.mark.parametrize("word", ["for=6.6.6.6", "for=unknown", "for=10.0.0.7", "secret"])
@pytest.mark.parametrize("address", [b"10.0.0.1", b"::ffff:10.0.0.1"])
def test_who_has_a_proxy_contradict_itself_is_limited(word: str, address: bytes) -> None:
    limits = gates(SIMPLE, ["10.0.0.0/8"])
    gate = limits.at(address)
    asked = facts((b"x-forwarded-for", b"192.0.2.1"), (b"forwarded", word.encode()))
    heard = []
    for _ in range(5):
        gate.left -= 1
        heard.append(gate.left >= 0 or gate.hit(asked, b"/", EMPTY, NOW) is True)
    assert heard == [True] * 4 + [False]
    assert isinstance(gate.of(asked).step(asked, b"/", NOW), Refusal)
    assert hits(gate, 50) == ["True"] * 50  # what the proxy asks for itself


def test_a_proxy_itself_has_its_share_of_what_all_share() -> None:
    gate = gates(PLACED + HOLDING.replace("limits:", ""), ["10.0.0.0/8"]).at(b"10.0.0.1")
    assert hits(gate, 5, b"/vod/1") == ["True"] * 3 + ["prefix-rate"] * 2
    assert hits(gate, 50, b"/api/x") == ["True"] * 50
    assert isinstance(gate.of(PLAIN).step(PLAIN, b"/vod/1", NOW), Refusal)
    assert gate.of(PLAIN).holds(PLAIN, b"/vod/1")
    assert not gate.of(PLAIN).holds(PLAIN, b"/x")


def test_clients_that_are_forgotten_are_still_in_the_table() -> None:
    limits = gates(SIMPLE)
    gate = limits.of_client(b"192.0.2.1")
    assert hits(gate, 4) == ["True"] * 4
    for number in range(GATES_MAX):
        limits.of_client(b"c%d" % number)
    assert len(limits) <= GATES_MAX
    again = limits.of_client(b"192.0.2.1")
    assert again is not gate
    assert hits(again, 1) == ["client-rate"]


def test_what_was_used_is_used_under_other_policies() -> None:
    shared = table()
    before = Gates(policies(SIMPLE), shared, TrustedProxies())
    assert hits(before.of_client(b"192.0.2.1"), 5)[-1] == "client-rate"
    after = Gates(policies(SIMPLE), shared, TrustedProxies())
    assert hits(after.of_client(b"192.0.2.1"), 1) == ["client-rate"]
    renamed = Gates(policies(SIMPLE.replace("name: a", "name: b")), shared, TrustedProxies())
    assert hits(renamed.of_client(b"192.0.2.1"), 1) == ["True"]


def test_a_refusal_is_a_whole_response() -> None:
    answer = Refusal("client-rate", 429, 7).answer()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"HTTP/1.1 429 Too Many Requests",
        b"content-type: text/plain; charset=utf-8",
        b"cache-control: no-store",
        b"cache-status: amaro-edge; fwd=request; detail=client-rate",
        b"access-control-allow-origin: *",
        b"access-control-expose-headers: cache-status, retry-after",
        b"retry-after: 7",
        b"content-length: 12",
    ]
    assert body == b"client-rate\n"
    assert Refusal("x", 503, 1).answer(head_only=True).endswith(b"content-length: 2\r\n\r\n")


@pytest.mark.parametrize(
    ("wait_ns", "seconds"), [(0, 1), (1, 1), (NS_PER_S, 1), (NS_PER_S + 1, 2), (10**15, 3_600)]
)
def test_when_to_come_again(wait_ns: int, seconds: int) -> None:
    assert retry_after_s(wait_ns) == seconds


def test_stays_are_averaged() -> None:
    stay = Stay()
    for _ in range(200):
        stay.lasted(5.0)
    assert stay.s == pytest.approx(5.0, rel=0.01)
