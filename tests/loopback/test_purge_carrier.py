"""Purges through a real Valkey: heard by all, acknowledged, and worth no waiting when it is ill."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis

from failover.breaker import State
from origin.distribution import Told
from origin.purge_carrier import (
    CHANNEL,
    MESSAGE_MAX_BYTES,
    ValkeyCarrier,
    acknowledgement,
    message,
)
from origin.purge_log import Batch, Kind, Logged, Wanted
from tests.support.edge_node import eventually
from tests.support.valkeys import RunningValkey, valkey

BATCH = Batch(log="l", after=6, purges=(Logged(7, Wanted(Kind.TAG, "x")),))
ACK: dict[str, Any] = {
    "log": "l",
    "number": 7,
    "edge": "a",
    "id": "a1",
    "admin": "http://a",
    "region": "north",
    "workers": 2,
}


@pytest.fixture
def server() -> Iterator[RunningValkey]:
    with valkey() as running:
        yield running


@contextmanager
def subscriber(server: RunningValkey) -> Iterator[queue.Queue[dict[str, Any]]]:
    """An edge that acknowledges all it hears, and what it has heard."""
    heard: queue.Queue[dict[str, Any]] = queue.Queue()
    is_over = threading.Event()
    client = redis.Redis(**server.options)
    listening = client.pubsub(ignore_subscribe_messages=True)
    listening.subscribe(CHANNEL)

    def run() -> None:
        while not is_over.is_set():
            found = listening.get_message(timeout=0.05)
            if found is not None:
                said = json.loads(found["data"])
                client.rpush(said["ack"], json.dumps(ACK))
                client.expire(said["ack"], 60)
                heard.put(said)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        eventually(lambda: server.ask("PUBSUB", "NUMSUB", CHANNEL)[1] == 1)
        yield heard
    finally:
        is_over.set()
        thread.join()
        listening.close()
        client.close()


@contextmanager
def carrier_to(server: RunningValkey) -> Iterator[ValkeyCarrier]:
    carrier = ValkeyCarrier(server.url)
    try:
        yield carrier
    finally:
        carrier.close()


def state(carrier: ValkeyCarrier) -> State:
    assert carrier._way._way is not None
    return carrier._way._way.breaker.state


def carried(
    carrier: ValkeyCarrier, heard: Callable[[str, Told], None] = lambda _address, _told: None
) -> int:
    return carrier.carry(BATCH, heard)


def test_what_is_published_is_acknowledged(server: RunningValkey) -> None:
    acks: queue.Queue[tuple[str, Told]] = queue.Queue()
    with carrier_to(server) as carrier:
        assert not carried(carrier)  # nobody listens
        with subscriber(server) as heard:
            # a busy machine may take longer than a purge waits
            eventually(lambda: carried(carrier, lambda *ack: acks.put(ack)))
            said = heard.get(timeout=30)
            assert acks.get(timeout=30) == ("http://a", Told(7, "a", "north", 2, "a1"))
    assert said == BATCH.to_mapping() | {"ack": "amaro:1:{b00}:acks:l-7"}


def test_a_server_that_is_paused_costs_little_and_is_left_alone(server: RunningValkey) -> None:
    with carrier_to(server) as carrier, subscriber(server):
        eventually(lambda: carried(carrier))
        with server.paused():
            eventually(lambda: not carried(carrier) and state(carrier) is not State.CLOSED)
            began = time.process_time()
            for _ in range(100):
                assert not carried(carrier)
            assert time.process_time() - began < 5.0
        eventually(lambda: carried(carrier), "carrying again")


def test_a_server_that_is_gone_is_no_error(server: RunningValkey) -> None:
    with carrier_to(server) as carrier:
        server.kill()
        assert not carried(carrier)
        server.start_again()
        with subscriber(server):
            eventually(lambda: carried(carrier), "carrying again")


def test_a_long_message_says_that_there_is_something_to_read() -> None:
    purges = tuple(Logged(n, Wanted(Kind.TAG, "x" * 1000)) for n in range(100))
    said = message(Batch(log="l", after=0, purges=purges), "list")
    assert len(said) < MESSAGE_MAX_BYTES
    assert json.loads(said) == {"log": "l", "after": 0, "number": 99, "ack": "list"}


@pytest.mark.parametrize(
    "said",
    [b"", b"[]", b"{}", *(json.dumps(ACK | wrong).encode() for wrong in (
        {"log": "m"}, {"number": "7"}, {"error": "a worker hangs"},
    ))],
)  # fmt: skip
def test_what_acknowledges_nothing(said: bytes) -> None:
    assert acknowledgement(said, BATCH) is None


def test_who_does_not_say_who_it_is() -> None:
    said = json.dumps({"log": "l", "number": 9, "edge": "", "admin": None, "workers": "2"})
    assert acknowledgement(said.encode(), BATCH) == ("", Told(9))
