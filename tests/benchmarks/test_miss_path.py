"""The crowd reads what was sent, however it is cut, and a wrong byte refuses the run."""

import socket
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.crowd import Client
from benchmarks.miss_path import lags, refuse_unless_complete, summary
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
        client.take(memoryview(message[first:last]), start_s + number, memoryview(BODY))
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
    assert lags(clients) == pytest.approx(
        {
            "leader_first_byte_ms": 1000.0,
            "median_lag_ms": 2.0,
            "worst_lag_ms": 500.0,
            "all_complete_ms": 1500.0,
        }
    )


@pytest.mark.parametrize(
    ("lag_ms", "asked", "reached"), [(9, 1, [True, True]), (11, 2, [False] * 2)]
)
def test_the_worst_run_counts(lag_ms, asked, reached):
    quick = lags([fed(MESSAGE)]) | {"origin_requests": 1}
    slow = quick | {"worst_lag_ms": lag_ms, "origin_requests": asked}
    report = summary({EDGE: [quick, slow]}, 500)
    limits = [report.ratios[f"edge {key}"] for key in ("worst_lag_ms", "origin_requests")]
    assert [limit["reached"] for limit in limits] == reached
