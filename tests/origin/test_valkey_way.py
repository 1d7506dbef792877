"""What threads do aside for a way to Valkey: one search and one probe at a time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from redis.exceptions import AskError

from failover.breaker import BreakerPolicy, State
from origin import valkey_way
from origin.valkey_way import AwayError, ValkeyWay
from tests.support.edge_node import eventually

PATIENCE_S = 30.0
AT_ONCE = BreakerPolicy(failures=1, probe_every_s=0.0)


@dataclass
class Servers:
    """Servers that fail whoever asks but for one command, which they are slow to answer."""

    slow: str
    said: Exception = field(default_factory=ConnectionError)
    asked: int = 0
    may_answer: threading.Event = field(default_factory=threading.Event)

    def execute(self, _client: object, *command: str) -> Any:
        if command[0] != self.slow:
            raise ConnectionError
        self.asked += 1
        self.may_answer.wait(PATIENCE_S)
        raise self.said


@contextmanager
def way_to(servers: Servers, url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ValkeyWay]:
    monkeypatch.setattr(valkey_way, "_execute", servers.execute)
    monkeypatch.setattr(valkey_way, "FIND_EVERY_S", 0.0)
    way = ValkeyWay(url, AT_ONCE)
    try:
        yield way
    finally:
        servers.may_answer.set()
        way.close()


def asks(way: ValkeyWay) -> bool:
    """Whether it was of use; it never is."""
    with pytest.raises(AwayError):
        way.ask("GET", "a")
    return False


def is_closed(way: ValkeyWay) -> bool:
    return way._way is not None and way._way.breaker.state is State.CLOSED


@pytest.mark.parametrize(
    ("slow", "url"),
    [
        ("SENTINEL", "redis+sentinel://a.invalid,b.invalid,c.invalid/main"),
        ("CLUSTER", "redis+cluster://a.invalid,b.invalid,c.invalid"),
        ("EXISTS", "redis://a.invalid"),
    ],
)
def test_nothing_queues_behind_servers_that_hold_their_answers(
    slow: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = Servers(slow)
    with way_to(servers, url, monkeypatch) as way:
        for _ in range(100):
            asks(way)
        assert way._aside._work_queue.qsize() <= 2  # a search and a probe that begin just now
        servers.may_answer.set()
        eventually(lambda: asks(way) or servers.asked > 9, "a search, or a probe, after the first")


def test_a_server_whose_slot_is_on_its_way_answers_a_probe_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    servers = Servers("EXISTS", AskError("1 127.0.0.1:1"))
    servers.may_answer.set()
    with way_to(servers, "redis://a.invalid", monkeypatch) as way:
        asks(way)
        assert not is_closed(way)
        asks(way)  # has it probed
        eventually(lambda: is_closed(way), "a breaker that is closed")
