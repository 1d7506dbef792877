"""Whatever the hit path answers, the slow path answers alike."""

import gzip
import random
import time

from cache_policies.message import RequestHead, ResponseHead
from cache_policies.policy import CachePolicy
from cache_policies.stored import Times
from cache_policies.storing import Store, judge_storing
from edge.entry import Entry
from edge.worker import Worker
from tests.support.paths import SlowOnly, parse, same
from tests.support.steering import MULTIVARIANT, steered, text
from tests.support.virtual_time import virtual_time
from tests.support.wire import Connection, close_worker, worker_without_listener

REQUESTS = 10_000
SEED = 20_261_121
BIG = bytes(range(256)) * 4096 * 2 + b"the rest"  # three slices

HLS = "content-type: application/vnd.apple.mpegurl"
STORED = [  # target, status, body, field lines, age in seconds, request fields that select it
    ("/plain", 200, b"plain body", ["cache-control: max-age=900"], 5, []),
    ("/tagged", 200, b"tagged", ["cache-control: max-age=900", 'etag: "a"'], 0, []),
    ("/weak", 200, b"weak one", ["cache-control: s-maxage=900", 'etag: W/"w"'], 0, []),
    (
        "/dated",
        200,
        b"dated body",
        ["cache-control: max-age=900", "last-modified: Wed, 18 Nov 2020 10:00:00 GMT"],
        0,
        [],
    ),
    ("/big", 200, BIG, ["cache-control: max-age=900", 'etag: "big"', "age: 17"], 3, []),
    ("/empty", 200, b"", ["cache-control: max-age=900", 'etag: "e"'], 0, []),
    ("/missing", 404, b"no such thing", ["cache-control: max-age=900"], 0, []),
    ("/moved", 301, b"", ["cache-control: max-age=900", "location: /plain"], 0, []),
    ("/nothing", 204, b"", ["cache-control: max-age=900"], 0, []),
    ("/stale", 200, b"stale", ["cache-control: max-age=10"], 60, []),
    ("/checked", 200, b"checked", ["cache-control: no-cache", 'etag: "c"'], 0, []),
    (
        "/many",
        200,
        b"many lines",
        ["cache-control: max-age=900", "set-cookie: a=1", "set-cookie: b=2", "cache-status: x"],
        0,
        [],
    ),
    (
        "/varied",
        200,
        b"gzip variant",
        ["cache-control: max-age=900", "vary: Accept-Encoding", 'etag: "gz"'],
        0,
        [(b"accept-encoding", b"gzip")],
    ),
    (
        "/varied",
        200,
        b"plain variant",
        ["cache-control: max-age=900", "vary: Accept-Encoding", 'etag: "id"'],
        0,
        [],
    ),
    (
        "/odd",
        200,
        b"0123456789",
        ["cache-control: max-age=900", "content-range: bytes 4-9/10"],
        0,
        [],
    ),
    ("/query?a=1&b=2", 200, b"query", ["cache-control: max-age=900"], 0, []),
    ("/v/a/main.m3u8", 200, MULTIVARIANT, [HLS, "cache-control: max-age=900", 'etag: "m"'], 4, []),
    ("/v/b/main.m3u8", 200, b"#EXTM3U\n", [HLS, "cache-control: max-age=900", 'etag: "a"'], 0, []),
    (
        "/v/c/main.m3u8",
        200,
        gzip.compress(MULTIVARIANT, mtime=0),
        [HLS, "cache-control: max-age=900", "vary: accept-encoding", "content-encoding: gzip"],
        0,
        [(b"accept-encoding", b"gzip")],
    ),
]
TARGETS = [
    *sorted({row[0] for row in STORED}),
    "/plain?CMCD=bl%3D1000",
    "/query?a=1&CMCD=bl%3D1&b=2",
    "/query?a=1",
    "/unknown",
]
FIELDS = [
    "Accept-Encoding: gzip",
    "Accept-Encoding: gzip;q=1.0",
    "Accept-Encoding: br",
    "Accept-Language: tr",
    "Cookie: session=1",
    "Range: bytes=0-0",
    "Range: bytes=2-5",
    "Range: bytes=-3",
    "Range: bytes=4-",
    "Range: bytes=1048570-1048580",
    "Range: bytes=99999999-",
    "Range: bytes=5-2",
    "Range: bytes=0-1,3-4",
    "Range: lines=1-2",
    'If-None-Match: "a"',
    'If-None-Match: W/"a", "big"',
    "If-None-Match: *",
    'If-None-Match: W/"w"',
    "If-Modified-Since: Wed, 18 Nov 2020 10:00:00 GMT",
    "If-Modified-Since: Tue, 17 Nov 2020 10:00:00 GMT",
    "If-Modified-Since: junk",
    'If-Range: "big"',
    'If-Range: "other"',
    'If-Match: "a"',
    "Cache-Control: max-age=0",
    "Cache-Control: max-stale=1000",
    "Cache-Control: min-fresh=10",
    "Pragma: no-cache",
    "Authorization: Basic x",
    "Connection: keep-alive",
    "Connection: close",
    "Connection: Accept-Encoding",
    "X-Forwarded-For: 1.2.3.4",
    "Content-Length: 0",
    "User-Agent: browser",
]


def fill(worker: Worker) -> None:
    wall, mono = time.time(), time.monotonic()
    for target, status, body, lines, age_s, selecting in STORED:
        pairs = [line.split(": ", 1) for line in lines]
        pairs += [["surrogate-key", "t"]]
        if HLS not in lines:
            pairs += [["content-type", "video/mp4"]]
        fields = tuple((name.encode(), value.encode()) for name, value in pairs)
        request = RequestHead(b"GET", b"http", b"edge.test", target.encode(), tuple(selecting))
        times = Times(response_wall=wall - age_s, response_mono=mono - age_s)
        judged = judge_storing(request, ResponseHead(status, fields), times, CachePolicy())
        assert isinstance(judged, Store), (target, judged)
        slices = [body[at : at + (1 << 20)] for at in range(0, len(body), 1 << 20)]
        worker.memory.store(Entry(b"http://edge.test" + target.encode(), judged.stored, slices))


def generate(draw: random.Random) -> tuple[bytes, bytes]:
    """A request line and field lines; the latter repeat, as a player's do."""
    method = draw.choices(["GET", "HEAD", "POST"], [80, 15, 5])[0]
    version = draw.choices(["1.1", "1.0"], [95, 5])[0]
    line = f"{method} {draw.choice(TARGETS)} HTTP/{version}"
    host = draw.choices(["edge.test", "EDGE.test:80", "other.test"], [90, 5, 5])[0]
    lines = [f"Host: {host}", *draw.sample(FIELDS, draw.choice([0, 0, 1, 1, 2, 3]))]
    return line.encode(), "".join(f"\r\n{each}" for each in lines).encode() + b"\r\n\r\n"


def vary_a_line(draw: random.Random, tail: bytes) -> bytes:
    """The same field lines, but for one after Host that has another value."""
    host, *lines = tail[2:-4].split(b"\r\n")
    if not lines:
        return tail
    place = draw.randrange(len(lines))
    name = lines[place].partition(b":")[0] + b":"
    alike = [each.encode() for each in FIELDS if each.encode().startswith(name)]
    lines[place] = draw.choice(alike)
    return b"\r\n" + b"\r\n".join([host, *lines]) + b"\r\n\r\n"


def test_both_paths_give_the_same_answers():
    with virtual_time() as loop:
        loop.run_until_complete(both_paths_give_the_same_answers())


async def both_paths_give_the_same_answers():
    draw = random.Random(SEED)
    worker = worker_without_listener()
    worker.following.steering.follow(text(steered()))
    fill(worker)
    quick_class = worker.protocol()
    slow_class = type("Bound", (SlowOnly,), {"shared": quick_class.shared})
    quick, slow = Connection(worker, quick_class), Connection(worker, slow_class)
    answered = by_tail = by_gap = 0
    tail = b""
    for number in range(REQUESTS):
        line, fresh_tail = generate(draw)
        if not tail or draw.random() < 0.2:
            tail = fresh_tail
        elif draw.random() < 0.5:
            tail = vary_a_line(draw, tail)
        before = quick.protocol._facts
        again = None if before is None else quick_class.shared.lines.again(before, line + tail)
        by_gap += again is not None
        began_mono = time.monotonic()
        said = quick.feed(line + tail)
        if not said:  # it went the slow way by itself: nothing to compare
            quick.close()
            await quick.settle()
            quick = Connection(worker, quick_class)
            continue
        answered += 1
        by_tail += before is not None and quick.protocol._facts is before
        slow.feed(line + tail)
        also_said = await slow.settle()
        both = parse(said), parse(also_said)
        passed_s = time.monotonic() - began_mono
        assert same(*both, passed_s), (SEED, number, line + tail, said, also_said)
    quick.close()
    slow.close()
    assert answered > REQUESTS * 0.4, answered
    assert by_tail > REQUESTS * 0.05, by_tail
    assert by_gap > REQUESTS * 0.02, by_gap
    await close_worker(worker)
