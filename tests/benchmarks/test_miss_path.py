"""The crowd reads what was sent, however it is cut, and a wrong byte refuses the run."""

import socket
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.crowd import Client
from benchmarks.miss_path import lags, percentile, refuse_unless_complete, summary
from benchmarks.miss_rows import CROWDS, NGINX, SINGLES, STREAMS
from benchmarks.origin_server import body
from benchmarks.pairing import RunRefusedError
from benchmarks.peers import EDGE

BODY = body(500)
MESSAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\nX: y\r\n\r\n" + BODY


def fed(message, cuts=(), start_s=10.0):
    """Return a client that read `message` in pieces, one a second."""
    client = Client(socket.socket(), sent_s=start_s - 1)
    client.connection.close()
    places = [0, *sorted(cuts), len(message)]
    for number, (first, last) in enumerate(pairwise(places)):
        client.take(memoryview(message[first:last]), start_s + number, BODY)
    return client


@given(st.lists(st.integers(0, len(MESSAGE)), max_size=5))
def test_any_cut_reads_alike(cuts):
    client = fed(MESSAGE, cuts)
    assert client.is_done
    assert (client.status, client.received, client.identical) == (200, 500, True)
    refuse_unless_complete("peer", [client], 500)


def test_the_first_byte_is_the_bodys():
    head = MESSAGE.index(b"\r\n\r\n") + 4
    client = fed(MESSAGE, [head, head + 1])
    assert (client.first_byte_s, client.last_byte_s) == (11.0, 12.0)


@pytest.mark.parametrize(
    "message",
    [
        MESSAGE[:-1],
        MESSAGE[:-1] + bytes([MESSAGE[-1] ^ 1]),
        MESSAGE.replace(b"200", b"504"),
        b"",
    ],
    ids=["cut off", "another byte", "another status", "nothing"],
)
def test_anything_else_refuses_the_run(message):
    with pytest.raises(RunRefusedError, match="peer gave a client"):
        refuse_unless_complete("peer", [fed(MESSAGE), fed(message)], 500)


def test_lags_are_from_the_leaders_first_byte():
    clients = [fed(MESSAGE, start_s=start_s) for start_s in (10.0, 10.002, 10.5)]
    found = lags(clients)
    found.pop("load_late_ms")  # of the clock of now
    assert found == pytest.approx(
        {
            "leader_first_byte_ms": 1000.0,
            "median_lag_ms": 2.0,
            "p99_lag_ms": 500.0,
            "worst_lag_ms": 500.0,
            "all_complete_ms": 1500.0,
        }
    )


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (1.0, 100)])
def test_a_percentile_is_a_value_that_was_seen(share, value):
    assert percentile(range(1, 101), share) == value


@pytest.mark.parametrize(
    ("crowd", "key", "limit_ms"),
    [(CROWDS[0], "worst_lag_ms", 10), (CROWDS[1], "p99_lag_ms", 40)],
    ids=["100", "1000"],
)
@pytest.mark.parametrize(("over_ms", "asked", "reached"), [(-1, 1, True), (1, 2, False)])
def test_the_worst_run_counts(crowd, key, limit_ms, over_ms, asked, reached):
    quick = lags([fed(MESSAGE)]) | {"origin_requests": 1}
    slow = quick | {key: limit_ms + over_ms, "origin_requests": asked}
    report = summary({crowd.label: {EDGE: [quick, slow]}})
    limits = [report.ratios[f"{crowd.label} edge {name}"] for name in (key, "origin_requests")]
    assert [limit["reached"] for limit in limits] == [reached] * 2


def test_ratios_are_of_one_round():
    streams = {
        EDGE: [
            {"mib_per_s": 3.0, "cpu_us_per_mib": 1.0},
            {"mib_per_s": 8.0, "cpu_us_per_mib": 1.0},
        ],
        NGINX: [
            {"mib_per_s": 2.0, "cpu_us_per_mib": 2.0},
            {"mib_per_s": 4.0, "cpu_us_per_mib": 4.0},
        ],
    }
    single = {"added_us": 9.0, "added_p99_us": 9.0}
    report = summary(
        {
            STREAMS[0].label: streams,
            SINGLES[0].label: {EDGE: [single], NGINX: [single | {"added_us": 3.0}]},
        }
    )
    rate = report.ratios[f"{STREAMS[0].label} mib_per_s edge/{NGINX}"]
    assert (rate["median"], rate["low"], rate["reached"]) == (1.75, 1.5, True)
    added = report.ratios[f"{SINGLES[0].label} added_us edge/{NGINX}"]
    assert (added["median"], added["reached"]) == (3.0, False)
