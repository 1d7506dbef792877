"""Whom a request is from: only trusted proxies are believed, and only as far as they saw."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.clients import ClientCounts, TrustedProxies

PROXIES = TrustedProxies(["10.0.0.0/8", "2001:db8:1::/48", "192.0.2.7"])
CASES = [  # connection, X-Forwarded-For, Forwarded, client
    ("203.0.113.9", None, None, "203.0.113.9"),
    ("203.0.113.9", "1.2.3.4", None, "203.0.113.9"),
    ("203.0.113.9", None, "for=1.2.3.4", "203.0.113.9"),
    ("10.0.0.1", None, None, "10.0.0.1"),
    ("10.0.0.1", "1.2.3.4", None, "1.2.3.4"),
    ("192.0.2.7", "1.2.3.4", None, "1.2.3.4"),
    ("192.0.2.8", "1.2.3.4", None, "192.0.2.8"),
    ("::ffff:10.0.0.1", "1.2.3.4", None, "1.2.3.4"),
    ("10.0.0.1", "6.6.6.6, 1.2.3.4", None, "1.2.3.4"),
    ("10.0.0.1", "6.6.6.6, 1.2.3.4, 10.9.9.9", None, "1.2.3.4"),
    ("10.0.0.1", "10.1.1.1, 10.9.9.9", None, "10.1.1.1"),
    ("10.0.0.1", "1.2.3.4, unknown", None, "10.0.0.1"),
    ("10.0.0.1", "1.2.3.4, unknown, 10.2.2.2", None, "10.2.2.2"),
    ("10.0.0.1", "1.2.3.4:5678", None, "1.2.3.4"),
    ("10.0.0.1", "2001:db8:2::5", None, "2001:db8:2::5"),
    ("10.0.0.1", "[2001:db8:2::5]:443", None, "2001:db8:2::5"),
    ("2001:db8:1::1", "::ffff:1.2.3.4", None, "1.2.3.4"),
    ("10.0.0.1", ",, 1.2.3.4 ,", None, "1.2.3.4"),
    ("10.0.0.1", "junk", None, "10.0.0.1"),
    ("10.0.0.1", None, "for=1.2.3.4", "1.2.3.4"),
    ("10.0.0.1", None, 'For="[2001:db8:2::5]:80";proto=https;by=10.0.0.1', "2001:db8:2::5"),
    ("10.0.0.1", None, "for=6.6.6.6, for=1.2.3.4;host=a, for=10.3.3.3", "1.2.3.4"),
    ("10.0.0.1", None, "for=6.6.6.6, proto=https", "10.0.0.1"),
    ("10.0.0.1", None, "for=6.6.6.6;for=1.2.3.4", "10.0.0.1"),
    ("10.0.0.1", None, "for=_hidden", "10.0.0.1"),
    ("10.0.0.1", "1.2.3.4", "for=1.2.3.4", "1.2.3.4"),
    ("10.0.0.1", "1.2.3.4", "for=6.6.6.6", "10.0.0.1"),
    ("unknown", "1.2.3.4", None, "unknown"),
]


@pytest.mark.parametrize(("connection", "xff", "forwarded", "client"), CASES)
def test_clients(connection, xff, forwarded, client):
    fields = [(b"host", b"a")]
    fields += [] if xff is None else [(b"x-forwarded-for", xff.encode())]
    fields += [] if forwarded is None else [(b"forwarded", forwarded.encode())]
    assert PROXIES.client(connection.encode(), tuple(fields)) == client.encode()
    itself = connection.removeprefix("::ffff:").encode()
    assert TrustedProxies().client(connection.encode(), tuple(fields)) == itself


def test_several_lines_are_one_chain():
    fields = tuple((b"x-forwarded-for", line) for line in (b"6.6.6.6", b"1.2.3.4, 10.2.2.2"))
    assert PROXIES.client(b"10.0.0.1", fields) == b"1.2.3.4"


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_junk_is_nobody(one, other):
    fields = ((b"x-forwarded-for", one), (b"forwarded", b"for=" + other))
    assert PROXIES.client(b"10.0.0.1", fields)
    assert PROXIES.client(b"203.0.113.9", fields) == b"203.0.113.9"


@pytest.mark.parametrize("text", ["10.0.0.0/33", "proxy.test", "", "10.0.0.0/8/8"])
def test_what_is_no_network(text):
    with pytest.raises(ValueError):
        TrustedProxies([text])


def test_connections_are_counted_by_client():
    counts = ClientCounts(2, PROXIES)
    for address in (b"203.0.113.9", b"2001:db8:7::1"):
        entered = [counts.enter(address) for _ in range(2)]
        with pytest.raises(OverflowError):
            counts.enter(address)
        counts.leave(entered.pop())
        assert counts.enter(address) == entered[0]
    with pytest.raises(OverflowError):
        counts.enter(b"2001:db8:7::ffff:2")  # of the same /64
    assert counts.enter(b"2001:db8:7:1::1") is not None  # of another
    assert len(counts) == 3
    for address in (b"10.1.1.1", b"127.0.0.1", b"::1", b"::ffff:127.0.0.1", b"unknown"):
        assert [counts.enter(address) for _ in range(5)] == [None] * 5
    counts.leave(None)
    for client in ["203.0.113.9", "2001:db8:7::/64"] * 2 + ["2001:db8:7:1::/64"]:
        counts.leave(client)
    assert len(counts) == 0
