"""The door takes off tokens that open what is asked for, and says why others do not."""

import base64
import time

import pytest

from cache_policies.access import Denial, Grant, mint
from cache_policies.access_ring import parse_ring
from cache_policies.message import RequestHead
from cache_policies.policies import Policies
from edge.clients import TrustedProxies
from edge.door import Door, opens_anyhow
from edge.heads import Facts
from tests.support.rules import compiled
from tests.support.virtual_time import WALL_AT_START, virtual_time

SECRETS = [base64.b64encode(bytes([number]) * 32).decode() for number in range(2)]
OLD, NEW = (f"key k{number} {secret}\n" for number, secret in enumerate(SECRETS))
RULES = compiled("rules: [{name: v, match: {path: /v/*}, set: {access: signed}}]")
LATER = int(WALL_AT_START) + 5_000
TARGET = b"/v/abc/1.m4s"


class Player:
    address = b"192.0.2.7"
    known = known_facts = None


def facts(*lines: tuple[bytes, bytes]) -> Facts:
    return Facts(b"", lines, b"http", b"GET", b"http://h", selecting=False)


def token(ring: str = OLD, **bound: bytes) -> bytes:
    grant = Grant(**{"prefix": b"/v/abc/", "expires_wall": LATER, **bound})
    return mint(parse_ring(ring), grant, 0.0)


def signed(target: bytes = TARGET, ring: str = OLD, **bound: bytes) -> bytes:
    return b"/~" + token(ring, **bound) + target


def door(ring: str | None = OLD, *, known_max: int = 4, proxies: tuple[str, ...] = ()) -> Door:
    made = Door("north", TrustedProxies(proxies), known_max)
    made.follow(ring)
    return made


def enter(to: Door, target: bytes, asked: Facts, player: Player | None = None) -> bytes | None:
    """What a connection gets, at first and once it has been let in."""
    player = player or Player()
    now_mono = time.monotonic()
    entered = to.enter(target, asked, player, now_mono)
    assert entered == to.enter(target, asked, player, now_mono)
    looked = to.look(target, asked, player.address, now_mono)
    assert entered == (looked and looked[0])
    return entered


def admit(to: Door, target: bytes, client: bytes = b"192.0.2.7", by: Policies = RULES) -> object:
    return to.admit(by, RequestHead(b"GET", b"http", b"h", target), client)


@pytest.fixture
def clock():
    with virtual_time() as loop:
        yield loop.clock


@pytest.mark.parametrize(
    ("target", "outcome"),
    [
        (TARGET, Denial.MISSING),
        (b"/w/..%2fv/abc/1.m4s", Denial.MISSING),
        (b"/w/1.m4s", b"/w/1.m4s"),
        (signed(), TARGET),
        (signed(TARGET + b"?CMCD=bl%3D1"), TARGET + b"?CMCD=bl%3D1"),
        (signed(region=b"north"), TARGET),
        (signed(network=b"192.0.2.0/24"), TARGET),
        (signed(region=b"south"), Denial.REGION),
        (signed(network=b"198.51.100.0/24"), Denial.CLIENT),
        (signed(b"/v/abd/1.m4s"), Denial.PREFIX),
        (signed(b"/w/1.m4s"), Denial.PREFIX),  # where none is needed, a wrong one is wrong, too
        (signed(b"/v/abc/../abd/1.m4s"), Denial.PATH),
        (signed(b"/v/abc/%2e%2e/abd/1.m4s"), Denial.PATH),
        (signed(b"/v/abc//1.m4s"), Denial.PATH),
        (b"/~" + b"A" * 60 + TARGET, Denial.MALFORMED),
        (signed(ring=NEW), Denial.KEY),
        (signed(ring=NEW.replace("k1", "k0")), Denial.FORGED),
        (signed(expires_wall=int(WALL_AT_START)), Denial.EXPIRED),
        (b"/~" + token() + signed(), Denial.MALFORMED),
        (b"/~somebody/1.html", b"/~somebody/1.html"),
        (b"/~" + token(), Denial.PREFIX),
        (b"/~" + token() + b"?/v/abc/", Denial.PREFIX),
    ],
    ids=repr,
)
def test_who_comes_in_and_who_does_not(clock, target, outcome):
    to = door()
    assert admit(to, target) == outcome
    for _ in range(2):  # at first sight, and remembered
        entered = enter(to, target, facts())
        if isinstance(outcome, bytes):
            assert entered == outcome
        elif outcome is Denial.MISSING:
            assert entered == target  # what is stored there says that it needs one
        elif outcome is Denial.PATH:
            assert not opens_anyhow(entered, True)
        else:
            assert entered is None


def test_without_keys_nothing_that_is_shut_opens_and_tokens_mean_nothing(clock):
    to = door(None)
    assert admit(to, signed()) is Denial.KEY
    assert admit(to, TARGET) is Denial.MISSING
    assert admit(to, signed(), by=Policies.bare()) == TARGET
    assert enter(to, signed(), facts()) == TARGET


def test_a_remembered_token_expires(clock):
    to, player = door(), Player()
    clock.now = 1_000.0
    assert enter(to, signed(), facts(), player) == TARGET
    clock.now = 4_999.0
    assert enter(to, signed(), facts(), player) == TARGET
    clock.now = 5_000.0
    assert enter(to, signed(), facts(), player) is None
    assert admit(to, signed()) is Denial.EXPIRED


def test_grace_counts_for_what_is_remembered(clock):
    to = door(OLD + "grace 10s")
    clock.now = 5_005.0
    assert enter(to, signed(), facts()) == TARGET
    clock.now = 5_010.0
    assert enter(to, signed(), facts()) is None


def test_a_remembered_token_expires_by_the_steady_clock(clock):
    to = door()
    assert enter(to, signed(), facts()) == TARGET
    clock.wall_ahead -= 3_600.0
    clock.now += 4_000.0  # it is verified anew, by the clock that there is
    assert enter(to, signed(), facts()) == TARGET
    clock.now += 3_600.0
    assert enter(to, signed(), facts()) is None


def test_other_keys_or_revocations_forget_what_is_remembered(clock):
    to, player = door(OLD), Player()
    assert enter(to, signed(), facts(), player) == TARGET
    to.follow(OLD + NEW)
    assert len(to) == 0
    assert enter(to, signed(), facts(), player) == TARGET
    to.follow(OLD + NEW + "revoke 1 /v/abc/")
    assert enter(to, signed(), facts(), player) is None
    assert admit(to, signed()) is Denial.REVOKED
    fresh = signed(ring=OLD + NEW + "revoke 1 /v/")
    assert enter(to, fresh, facts(), player) == TARGET
    to.follow(OLD)
    assert enter(to, fresh, facts(), player) is None
    assert admit(to, fresh) is Denial.KEY


def test_requests_of_one_connection_may_have_several_tokens(clock):
    to, player = door(), Player()
    several = [
        signed(),
        signed(expires_wall=LATER - 3_500),
        signed(network=b"192.0.2.0/24"),
        signed(b"/v/abd/1.m4s", prefix=b"/v/abd/"),
    ]
    bare = [TARGET, TARGET, TARGET, b"/v/abd/1.m4s"]
    for _ in range(3):
        assert [enter(to, each, facts(), player) for each in several] == bare
    wrong = signed(b"/v/abe/1.m4s")
    assert enter(to, wrong, facts(), player) is None
    clock.now += 1_000.0
    assert [enter(to, each, facts(), player) for each in several] == [TARGET, None, *bare[2:]]
    to.follow(NEW)
    assert [enter(to, each, facts(), player) for each in several] == [None] * 4


def test_a_signature_of_another_token_opens_nothing(clock):
    to, player = door(), Player()
    real, other = signed(), signed(b"/v/xyz/1.m4s", prefix=b"/v/xyz/")
    forged = real[:24] + other[24:]
    assert enter(to, real, facts(), player) == TARGET
    assert enter(to, forged, facts(), player) is None
    assert admit(to, forged) in (Denial.FORGED, Denial.MALFORMED)
    assert enter(to, other, facts(), player) == b"/v/xyz/1.m4s"


def test_only_so_many_tokens_are_remembered_and_none_that_is_wrong(clock):
    to = door(known_max=3)
    for number in range(20):
        each = signed(expires_wall=LATER + number)
        assert enter(to, each, facts()) == TARGET
        changed = b"B" if each[9:10] == b"A" else b"A"
        assert enter(to, each[:9] + changed + each[10:], facts()) is None
        assert 0 < len(to) <= 3
    assert enter(to, signed(), facts()) == TARGET


def test_a_client_is_who_a_trusted_proxy_says(clock):
    bound = signed(network=b"198.51.100.0/24")
    said = facts((b"x-forwarded-for", b"198.51.100.9"))
    assert enter(door(), bound, said) is None
    assert enter(door(proxies=("192.0.2.0/24",)), bound, said) == TARGET
    assert enter(door(proxies=("192.0.2.0/24",)), bound, facts()) is None
    to, player = door(proxies=("192.0.2.0/24",)), Player()
    assert enter(to, bound, said, player) == TARGET
    assert enter(to, bound, facts(), player) is None  # the next one who comes through the proxy
