"""What a token costs a hit, without any socket: `python -m benchmarks.access`."""

import asyncio
import base64
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from benchmarks.alternating import alternating
from benchmarks.command import arguments, run
from benchmarks.report import Report
from cache_policies.access import Grant, mint
from cache_policies.access_ring import parse_ring
from cache_policies.message import RequestHead, ResponseHead
from cache_policies.policy import CachePolicy
from cache_policies.stored import Times
from cache_policies.storing import Store, judge_storing
from edge.entry import Entry
from edge.protocol import EdgeProtocol
from edge.worker import Worker
from tests.support.wire import Connection, Wire, worker_without_listener

HITS: Final = 4_000  # of a turn
TOKENS: Final = 1_000  # that are new to the worker, of a turn
REMEMBERED_MAX_US: Final = 0.3
FIRST_SIGHT_MAX_US: Final = 10.0

PREFIX: Final = b"/v/abcdefghijklmnop/"
TARGET: Final = PREFIX + b"0123456789abcdef0123456789abcdef.m4s"
FIELDS: Final = (
    b"Host: edge.test\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\nAccept-Language: en\r\n"
)
RING: Final = f"key k1 {base64.b64encode(bytes(32)).decode()}"
REMEMBERED: Final = ("token", "token-of-network", "tokens-in-turn")
Turn = Callable[[], float]


class Drain(Wire):
    """Where answers go."""

    def write(self, data: Any) -> None:
        """Nobody reads."""


def worker_with(
    ring: str | None, *, signed: bool, policies: dict[str, Any] | None = None
) -> Worker:
    """A worker that has one object of 1 KiB, which needs a token or none."""
    worker = worker_without_listener(ring=ring, policies=policies)
    asked = RequestHead(b"GET", b"http", b"edge.test", TARGET)
    lines = ((b"cache-control", b"max-age=86400"), (b"content-type", b"video/mp4"))
    times = Times(response_wall=time.time(), response_mono=time.monotonic())
    policy = CachePolicy(signed=signed)
    judged = judge_storing(asked, ResponseHead(200, lines), times, policy)
    assert isinstance(judged, Store)
    worker.memory.store(Entry(b"http://edge.test" + TARGET, judged.stored, [bytes(1024)]))
    return worker


def request(grant: Grant | None) -> bytes:
    """One request, as a browser on one connection repeats it."""
    token = b"" if grant is None else b"/~" + mint(parse_ring(RING), grant, 0.0)
    return b"GET " + token + TARGET + b" HTTP/1.1\r\n" + FIELDS + b"\r\n"


def granted(number: int = 0, network: bytes = b"") -> Grant:
    """A grant for an hour; each number has another token."""
    return Grant(PREFIX, int(time.time()) + 3_600 + number, network=network)


def turn_of(worker: Worker, requests: Sequence[bytes], *, anew: bool = False) -> Turn:
    """What measures these requests, one after the other: microseconds of CPU time for each."""
    protocol = worker.protocol()
    assert issubclass(protocol, EdgeProtocol)
    connection = Connection(worker, protocol, Drain())
    connection.protocol.client = ("192.0.2.7", 50_000)
    feed, counters = connection.protocol.data_received, worker.counters
    feed(request(None if worker.door.ring is None else granted()))  # the connection knows the lines

    def turn() -> float:
        if anew:
            worker.door.follow(RING)
        before = counters.hits
        began_ns = time.process_time_ns()
        for each in requests:
            feed(each)
        took_ns = time.process_time_ns() - began_ns
        assert counters.hits == before + len(requests), "some of them were no hits"
        return took_ns / len(requests) / 1e3

    return turn


def turns() -> dict[str, Turn]:
    """What is measured, by name."""
    shut = worker_with(RING, signed=True)
    bound = granted(network=b"192.0.2.0/24")
    few = [request(granted(number)) for number in range(8)]
    return {
        "no-keys": turn_of(worker_with(None, signed=False), [request(None)] * HITS),
        "no-token": turn_of(worker_with(RING, signed=False), [request(None)] * HITS),
        "token": turn_of(shut, [request(granted())] * HITS),
        "token-of-network": turn_of(shut, [request(bound)] * HITS),
        "tokens-in-turn": turn_of(shut, few * (HITS // len(few))),
        "first-sight": turn_of(
            worker_with(RING, signed=True),
            [request(granted(number)) for number in range(TOKENS)],
            anew=True,
        ),
    }


async def measured(rounds: int) -> dict[str, float]:
    """The median of each row's turns in microseconds a request."""
    return await alternating(turns(), rounds)


def measure(*, quick: bool) -> Report:
    """Measure all rows and set them beside what they may cost."""
    rounds = 15 if quick else 101
    took_us = asyncio.run(measured(rounds))
    base_us = took_us["no-token"]
    allowed = dict.fromkeys(REMEMBERED[:2], REMEMBERED_MAX_US) | {"first-sight": FIRST_SIGHT_MAX_US}
    ratios = {
        name: {
            "adds_us": took_us[name] - base_us,
            "allowed_us": most_us,
            "reached": took_us[name] - base_us <= most_us,
        }
        for name, most_us in allowed.items()
    }
    figures = {name: {"hit_us": took} for name, took in took_us.items()}
    return Report(name="access", runs=rounds, figures=figures, ratios=ratios)


if __name__ == "__main__":
    options = arguments(__doc__)
    run(lambda: measure(quick=options.quick), options)
