"""What is fuzzed: each target takes a source of chance, and fails when a promise is broken."""

import asyncio
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import Any

import h11

from cache_policies.dates import parse_date
from cache_policies.freshness import judge, may_serve_on_error
from cache_policies.invalidation import invalidated_keys
from cache_policies.key import normalise
from cache_policies.load import load_policies
from cache_policies.message import Fields, RequestHead, ResponseHead
from cache_policies.other_variants import chosen, may_answer
from cache_policies.partial import carried_part, continues, strong_etag
from cache_policies.policies import Policies, compile_policies
from cache_policies.policy import CachePolicy
from cache_policies.renewing import renew
from cache_policies.reuse import may_reuse
from cache_policies.source import PolicyFileError
from cache_policies.stored import Times
from cache_policies.storing import Store, judge_storing
from cache_policies.validation import freshen, freshen_by_head
from cache_policies.why import Reuse
from edge.delivery import Shape, plan
from edge.entry import Entry
from edge.fetch import Fetch
from edge.purges import Purge, PurgeKind
from edge.responses import ResponseReader
from edge.worker import Worker
from origin.uploads import parse_checksum, parse_metadata
from tests.support.fuzz_http2 import http2_streams
from tests.support.mutation import (
    REQUESTS,
    RESPONSES,
    VALUES,
    chunked_anyhow,
    fields,
    mutated,
)
from tests.support.simulated_player import Pipe, Player
from tests.support.virtual_time import virtual_time
from tests.support.wire import close_worker, worker_without_listener

WALL, MONO = 1_700_000_000.0, 50_000.0
ASCII = bytes(min(byte, 0x7E) if byte > 0x7F else byte for byte in range(256))
POLICIES = [
    b"rules:\n  - name: a\n    match: {path: /v/**, method: GET}\n    set: {ttl: 1h}\n",
    (
        b"rules:\n- name: b\n  match:\n    host: ['*.test']\n    status: [200, 4xx]\n"
        b"  set:\n    stale_if_error: 60s\n    tags: [x]\n    query: {keep: [a]}\n"
    ),
    b"rules: []\n",
]


# requests, in any chunking, and against another reading


@dataclass
class Echo:
    """Answers in a fill client's place, and writes down what it was asked."""

    asked: list[tuple[bytes, bytes, bytes]]
    status: int = 200
    fields: Fields = ((b"cache-control", b"no-store"), (b"date", b"x"), (b"content-length", b"2"))
    length: int | None = 2

    async def fetch(self, _upstream: object, fetch: Fetch) -> "Echo":
        body = b""
        if fetch.body is not None:
            async for piece in fetch.body:
                body += piece
        self.asked.append((fetch.method, fetch.target, body))
        return replace(self, asked=[b"ok"] if fetch.method != b"HEAD" else [])  # type: ignore[list-item]

    async def read(self) -> Any:
        return self.asked.pop() if self.asked else b""

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class Outcome:
    """What became of the bytes that a player sent."""

    sent: bytes
    ended: bool
    asked: tuple[tuple[bytes, bytes, bytes], ...]


async def edge_outcome(worker: Worker, pieces: list[bytes]) -> Outcome:
    """Feed a connection piece by piece; whatever needs no waiting for has happened then."""
    echo = Echo([])
    worker.app._exchange.filler.asker.client = echo  # type: ignore[assignment]
    player = Player(worker, worker.protocol(), "10.0.0.9")
    pipe: Pipe = player.connect(1e12)
    for piece in pieces:
        pipe.send(piece)
        if len(pieces) < 40:
            await asyncio.sleep(1e-6)
    await asyncio.sleep(0.01)
    sent = re.sub(rb"(age: |ttl=)\d+", rb"\1N", bytes(pipe.received))
    sent = re.sub(
        rb"HTTP/1.1 [45].*?\r\nconnection: close\r\n\r\n.*\n", b"refused", sent, flags=re.DOTALL
    )
    outcome = Outcome(sent, pipe.ended, tuple(echo.asked))
    player.leave()
    await asyncio.sleep(0.01)
    worker.connections.pop()
    return outcome


def h11_requests(data: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """The requests that h11 reads before it refuses, if it does."""
    found: list[tuple[bytes, bytes, bytes]] = []
    while data:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        while data.startswith(b"\r\n"):  # RFC 9112 §2.2; h11 does not
            data = data[2:]
        connection.receive_data(data)
        body = b""
        try:
            while not isinstance(event := connection.next_event(), h11.EndOfMessage):
                if isinstance(event, h11.Request):
                    request = event
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
                else:
                    return found
        except h11.RemoteProtocolError:
            return found
        found.append((request.method, request.target, body))
        if connection.their_state is h11.MUST_CLOSE:
            return found
        data = connection.trailing_data[0]
    return found


def request_streams(draw: random.Random) -> None:
    """Any chunking is read alike, and never as more requests than h11 reads."""
    with virtual_time() as loop:
        loop.run_until_complete(_request_streams(draw))


async def _request_streams(draw: random.Random) -> None:
    worker = worker_without_listener(uncacheable_s=0.0)  # each run is the first
    judged = judge_storing(
        RequestHead(b"GET", b"http", b"edge.test", b"/hit"),
        ResponseHead(200, ((b"cache-control", b"max-age=99999"), (b"etag", b'"hit"'))),
        Times(response_wall=time.time(), response_mono=asyncio.get_running_loop().time()),
        CachePolicy(),
    )
    assert isinstance(judged, Store)
    for _ in range(12):
        data = b"".join(mutated(draw, REQUESTS) for _ in range(draw.choice([1, 1, 2, 3])))
        outcomes = []
        for store_hit in (False, True, True):
            if store_hit:
                worker.memory.store(Entry(b"http://edge.test/hit", judged.stored, [b"hit body"]))
            pieces = chunked_anyhow(draw, data) if store_hit else [data]
            outcomes.append(await edge_outcome(worker, pieces))
            if not store_hit:
                if b"HTTP/1.0" not in data:  # h11 keeps no such connection
                    compare_with_h11(data, outcomes[0])
                again = await edge_outcome(worker, chunked_anyhow(draw, data))
                assert alike(again, outcomes[0]), (data, outcomes[0], again)
            if store_hit:
                worker.memory.apply(Purge(sequence=0, kind=PurgeKind.ALL), 0.0)
        assert alike(outcomes[1], outcomes[2]), (data, outcomes[1:])
    await close_worker(worker)


def alike(one: Outcome, other: Outcome) -> bool:
    """The same, but for what a cut may swallow of earlier answers that are still on their way."""
    shorter, longer = sorted((one.sent, other.sent), key=len)
    swallowed = one.ended and other.ended and longer.startswith(shorter)
    return one.asked == other.asked and (shorter == longer or swallowed)


def compare_with_h11(data: bytes, outcome: Outcome) -> None:
    """See that the origin is asked what h11 reads, in that order, and nothing else.

    For a part of what may not be stored it is asked twice: for the whole, then for the part.
    Targets beyond ASCII are passed on, which h11 refuses: here such bytes are others.
    """
    read = [keyed(each) for each in h11_requests(data.translate(ASCII))]
    asked = [keyed((m, t.translate(ASCII), b.translate(ASCII))) for m, t, b in outcome.asked]
    last = None
    for each in asked:
        if read and each == read[0]:
            last = read.pop(0)
        else:
            assert each == last, (data, outcome, read)


def keyed(request: tuple[bytes, bytes, bytes]) -> tuple[bytes, bytes, bytes]:
    """A request as an origin gets it."""
    method, target, body = request
    target = re.sub(rb"^[Hh][Tt][Tt][Pp]s?://[^/?#]*", b"", target) or b"/"
    target = target if target.startswith((b"/", b"*")) else b"/" + target
    if method in (b"GET", b"HEAD"):
        target, body = normalise(target)[1], b""
    return method, target, body


# responses


def response_streams(draw: random.Random) -> None:
    """Any chunking is read alike, and what counts as whole is what h11 reads, too."""
    for _ in range(60):
        data = mutated(draw, RESPONSES)
        method = draw.choice([b"GET", b"GET", b"HEAD"])
        clean = draw.random() < 0.8
        whole = read_response(method, [data], clean)
        again = read_response(method, chunked_anyhow(draw, data), clean)
        assert whole == again, (method, data, whole, again)
        other = h11_response(method, data)
        if whole[0] == "complete" and other is not None:
            assert whole[1:] == other, (method, data, whole)


def read_response(method: bytes, pieces: list[bytes], clean: bool) -> tuple[Any, ...]:
    reader = ResponseReader(method, 65_536)
    for piece in pieces:
        if not reader.complete:
            reader.feed(piece)
    reader.end_of_stream(clean=clean)
    if reader.complete and reader.error is None:
        return "complete", reader.status, b"".join(reader.pieces)
    return ("broken",)


def h11_response(method: bytes, data: bytes) -> tuple[int, bytes] | None:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    connection.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    connection.receive_data(b"")
    status, body = 0, b""
    try:
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif event in (h11.NEED_DATA, h11.PAUSED):
                return None
    except h11.RemoteProtocolError:
        return None
    return status, body


# decisions


def decisions(draw: random.Random) -> None:
    """No field value breaks a decision, and time never makes a stored response better."""
    policy = CachePolicy()
    for _ in range(60):
        method = draw.choice([b"GET", b"GET", b"GET", b"HEAD", b"POST", b"PUT"])
        target = mutated(draw, [b"/a/b?c=d", b"/", b"/x?CMCD=1"], 1) or b"/"
        request = RequestHead(method, b"http", b"edge.test", target, fields(draw))
        status = draw.choice([200, 200, 200, 203, 204, 206, 301, 304, 404, 500, 503, 599, 999])
        response = ResponseHead(status, fields(draw))
        times = Times(response_wall=WALL, response_mono=MONO, response_delay_s=0.1)
        invalidated_keys(request, response)
        carried_part(response)
        strong_etag(response)
        continues(response, b'"tag"', 3, draw.choice([None, 9]))
        judged = judge_storing(request, response, times, policy)
        if not isinstance(judged, Store):
            continue
        stored = judged.stored
        assert 0.0 <= stored.lifetime_s <= 2**31, (response, stored)
        ranks = [rank(judge(stored, MONO + later)) for later in (0, 1, 9, 61, 5_000, 1e9)]
        assert ranks == sorted(ranks), (response, ranks)
        errors = [may_serve_on_error(stored, MONO + later) for later in (0, 5, 70, 1e9)]
        assert errors == sorted(errors, reverse=True), (response, errors)
        may_reuse(replace(request, fields=fields(draw)), stored, policy, MONO + 5)
        length = draw.choice([0, 1, 9, 10_000])
        planned = plan(replace(request, fields=fields(draw)), stored, length)
        if planned.shape is Shape.PART:
            assert 0 <= planned.first <= planned.last < length, (request, planned)
        later = Times(response_wall=WALL + 9, response_mono=MONO + 9)
        for fresh in (
            freshen(stored, ResponseHead(304, fields(draw)), later, policy),
            freshen_by_head(stored, ResponseHead(200, fields(draw)), later, policy),
        ):
            assert fresh is None or fresh.variant == stored.variant
        other = replace(request, method=b"GET", fields=fields(draw))
        told = ResponseHead(304, fields(draw))
        if may_answer(stored, other) and chosen([stored], told) == 0:
            renewed = renew(stored, other, told, later, Policies.bare())
            assert renewed is None or renewed.stored.vary == stored.vary


def rank(reuse: Reuse) -> int:
    return [Reuse.FRESH, Reuse.STALE_WHILE_REVALIDATE, Reuse.EXPIRED].index(reuse)


def values(draw: random.Random) -> None:
    """Dates, targets, tus metadata: read or refused, never anything else."""
    for _ in range(200):
        value = mutated(draw, VALUES, 3)
        moment = parse_date(value, WALL)
        if moment is not None:
            assert parse_date(formatdate(moment, usegmt=True).encode(), WALL) == moment, value
        token, key, cmcd = normalise(value)
        assert normalise(key)[1] == key, value
        assert len(token) + len(key) + len(cmcd) <= len(value), value
        text = value.decode("latin-1")
        parse_metadata(text)
        parse_checksum(text)


def policy_files(draw: random.Random) -> None:
    """A policy file is read, or refused with places; what was read decides about any request."""
    for _ in range(15):
        text = mutated(draw, POLICIES, 3)
        try:
            policies: Policies = compile_policies(load_policies(text, "p.yaml"))
        except PolicyFileError:
            continue
        request = RequestHead(b"GET", b"http", b"a.test", b"/v/x?a=1", fields(draw))
        policies.for_request(request)
        policies.for_response(request, ResponseHead(200, fields(draw)))


TARGETS: dict[str, Callable[[random.Random], None]] = {
    target.__name__: target
    for target in (
        *(request_streams, response_streams, http2_streams),
        *(decisions, values, policy_files),
    )
}
