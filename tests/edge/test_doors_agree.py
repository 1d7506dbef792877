"""Whoever the hit path lets in, the slow path lets in, and gives the same; so over HTTP/2."""

import base64
import random
import time

from cache_policies.access import Grant, mint
from cache_policies.access_ring import parse_ring
from cache_policies.message import RequestHead, ResponseHead
from cache_policies.stored import Times
from cache_policies.storing import Store, judge_storing
from edge.entry import Entry
from edge.hits import look_up
from edge.worker import Worker
from tests.support.paths import NoOrigin, SlowOnly, parse, same
from tests.support.rules import rules
from tests.support.virtual_time import WALL_AT_START, virtual_time
from tests.support.wire import Connection, close_worker, worker_without_listener

REQUESTS = 3_000
SEED = 20_261_122
SECRETS = [base64.b64encode(bytes([number]) * 32).decode() for number in range(2)]
RING, OTHER = (f"key k {secret}\nkey l {secret}\nrevoke 2 /v/old/" for secret in SECRETS)
RULES = rules("""
    rules:
    - {name: videos, match: {path: /v/*}, set: {access: signed}}
    - {name: posters, match: {path: "*.jpg"}, set: {access: open}}
    - {name: reduced, match: {path: "/v/*"}, set: {query: none}}
""")
NOW = int(WALL_AT_START) + 1_000
PATHS = [
    *("/v/abc/1.m4s", "/v/abc/2.m4s", "/v/abc/p.jpg", "/v/abd/1.m4s", "/v/old/1.m4s", "/w/1.m4s"),
    *("/w/p.jpg", "/v/abc/a%20b", "/~somebody/1", "/", "/v/abc/"),
]
INSIDE = ["/v/abc/1.m4s", "/v/abc/2.m4s"]
ODD = ["/v/abc//p.jpg", "/v/abc/../w/p.jpg", "/v/abc/%2e%2e/p.jpg", "/w/..%2fp.jpg"]  # stored, open
OTHERS = ["/v/abc/../abd/1.m4s", "/%76/abc/1.m4s", "/v/abc/none", "/v/abc"]
QUERIES = ["", "", "?CMCD=bl%3D1", "?x=1", "?x=1&CMCD=bl%3D1"]


def tokens() -> list[str]:
    ring = parse_ring(RING)
    grants = [
        Grant(prefix, NOW + 900, region, network)
        for prefix in (b"/v/abc/", b"/v/", b"/v/old/", b"/w/", b"/v/ab/")
        for region, network in ((b"", b""), (b"north", b""), (b"", b"203.0.113.0/24"))
    ]
    good = [mint(ring, grant, NOW) for grant in grants]
    stale = mint(ring, Grant(b"/v/abc/", NOW - 900), NOW)
    forged = mint(parse_ring(OTHER), Grant(b"/v/abc/", NOW + 900), NOW)
    before = mint(parse_ring(RING.partition("revoke")[0]), Grant(b"/v/old/", NOW + 900), NOW)
    made = [f"/~{each.decode()}" for each in (*good, stale, forged, before, good[0][:-1])]
    return [*made, *[made[0]] * 8, made[0] + made[0], made[3] + made[0], "", "", "", ""]


def fill(worker: Worker) -> None:
    policies = worker.in_force.policies
    for path in (*PATHS, *ODD):
        request = RequestHead(b"GET", b"http", b"edge.test", path.encode())
        response = ResponseHead(200, ((b"cache-control", b"max-age=900"), (b"etag", b'"a"')))
        times = Times(response_wall=time.time(), response_mono=time.monotonic())
        policy = policies.for_response(request, response)
        judged = judge_storing(request, response, times, policy)
        if isinstance(judged, Store):
            key, _ = policies.key(b"http", b"edge.test", path.encode())
            worker.memory.store(Entry(key, judged.stored, [path.encode()]))


def test_all_doors_let_the_same_players_in():
    with virtual_time() as loop:
        loop.clock.wall_ahead = NOW - loop.clock.now
        loop.run_until_complete(all_doors_let_the_same_players_in())


async def all_doors_let_the_same_players_in():
    draw = random.Random(SEED)
    worker = worker_without_listener(policies=RULES, ring=RING)
    fill(worker)
    worker.app._exchange.filler.asker.client = NoOrigin()  # type: ignore[assignment]
    quick_class = worker.protocol()
    slow_class = type("Bound", (SlowOnly,), {"shared": quick_class.shared})
    quick, slow = Connection(worker, quick_class), Connection(worker, slow_class)
    choices, opened, shut, followed = tokens(), 0, 0, 0
    token = ""
    for number in range(REQUESTS):
        if draw.random() < 0.5:
            token = draw.choice(choices)
        path = draw.choice(draw.choice([INSIDE, INSIDE, PATHS, ODD, OTHERS]))
        target = token + path + draw.choice(QUERIES)
        head = f"GET {target} HTTP/1.1\r\nHost: edge.test\r\n\r\n".encode()
        hits = worker.counters.hits
        said = quick.feed(head)
        is_hit = worker.counters.hits > hits
        if not said and quick.protocol.tasks:
            said = await quick.settle()
        if not said:  # it was let in, and follows a fill of what nobody has
            quick.close()
            quick = Connection(worker, quick_class)
            followed += 1
            continue
        slow.feed(head)
        both = parse(said), parse(await slow.settle())
        assert same(*both), (SEED, number, target, both)
        facts = quick.protocol._facts
        assert facts is not None
        entry = look_up(
            quick_class.shared, target.encode(), facts, quick.protocol, time.monotonic()
        )
        assert (entry is not None) is is_hit, (SEED, number, target)
        opened += is_hit and bool(token)
        shut += both[0].status == 403
        if both[0].status not in (200, 403):  # nobody has it, and the origin is away
            quick.close(), slow.close()
            quick, slow = Connection(worker, quick_class), Connection(worker, slow_class)
    quick.close()
    slow.close()
    assert opened > REQUESTS * 0.05, opened
    assert shut > REQUESTS * 0.2, shut
    assert 0 < followed < REQUESTS * 0.2, followed
    await close_worker(worker)
