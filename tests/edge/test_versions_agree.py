"""The same request over HTTP/1.1 and HTTP/2: same key, same status, same fields, same body."""

from dataclasses import dataclass
from typing import Any, TypeAlias

from hypothesis import example, given, settings
from hypothesis import strategies as st

from cache_policies.message import Fields
from edge.arena import SLICE_BYTES, Slice, Slot
from edge.entry import Entry
from edge.protocol import EdgeProtocol
from edge.sliced import SlicedEntry
from edge.worker import Worker
from tests.support.edges import until
from tests.support.film_origin import FRESH, FilmOrigin
from tests.support.generated_ranges import BODY, LENGTH, part_lines
from tests.support.http2_wire import Http2Wire
from tests.support.paths import Parsed, judged, parse, same
from tests.support.virtual_time import virtual_time
from tests.support.wire import Connection, Wire, close_worker, worker_without_listener

SLICES = [BODY[at : at + SLICE_BYTES] for at in range(0, LENGTH, SLICE_BYTES)]
FRAMING = frozenset({"connection", "keep-alive", "transfer-encoding"})
VARIED: Fields = (*FRESH, (b"vary", b"Accept-Encoding, Accept-Language"))
STORED: list[tuple[str, int, list[bytes], Fields, Fields]] = [
    # target, status, slices, fields, request fields that select it
    ("/small", 200, [b"0123456789"], FRESH, ()),
    ("/empty", 200, [], FRESH, ()),
    ("/whole", 200, SLICES, FRESH, ()),
    ("/missing", 404, [b"no such thing"], FRESH, ()),
    ("/nothing", 204, [], FRESH, ()),
    ("/query?a=1&b=2", 200, [b"a query"], FRESH, ()),
    ("/varied", 200, [b"as it is"], VARIED, ()),
    ("/varied", 200, [b"packed"], VARIED, ((b"accept-encoding", b"gzip"),)),
    (
        "/varied",
        200,
        [b"paketli"],
        VARIED,
        ((b"accept-encoding", b"gzip"), (b"accept-language", b"tr")),
    ),
]
MOVED = "/moved"  # its slices lie in an arena
SLICED = {"/one": {1}, "/gap": {0, 2}, "/none": set[int](), MOVED: {0, 2}}
PARTLY = frozenset(target.encode() for target in SLICED)
TARGETS = [
    *sorted({row[0] for row in STORED} | SLICED.keys()),
    "/small?CMCD=bl%3D1000",
    "/query?a=1&CMCD=bl%3D1&b=2",
    "/unknown",
]
OTHER_LINES = [
    "Accept-Encoding: gzip",
    "Accept-Encoding: gzip;q=1.0",
    "Accept-Encoding: br",
    "Accept-Language: tr",
    "Accept-Language: de, tr;q=0.5",
    "Cookie: a=1",
    "User-Agent: player",
    "Cache-Control: max-age=0",
    "Cache-Control: only-if-cached",
    "Pragma: no-cache",
    'If-Match: "v1"',
    "Via: 1.1 other",
    "X-Forwarded-For: 1.2.3.4",
]


class SecureWire(Wire):
    """Says that it is encrypted: HTTP/2 is, and the scheme is a part of the key."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return True if name == "sslcontext" else default


@dataclass(frozen=True)
class Heard:
    """What one request led to."""

    answer: Parsed
    at_once: bool  # without a task
    prefix: bytes | None  # of the key, where it was read from a plain head


Told: TypeAlias = tuple[list[Heard], list[tuple[bytes, bytes, Fields]]]


def stocked(origin: FilmOrigin) -> Worker:
    worker = worker_without_listener()
    worker.app._exchange.filler.asker.client = origin  # type: ignore[assignment]
    for target, status, slices, lines, selecting in STORED:
        key = b"https://edge.test" + target.encode()
        stored = judged(key, lines, selecting, status=status, age_s=3)
        assert worker.memory.store(Entry(key, stored, slices))
    for target, numbers in SLICED.items():
        key = b"https://edge.test" + target.encode()
        parts: dict[int, Slice] = {number: SLICES[number] for number in numbers}
        entry = SlicedEntry(key, judged(key, FRESH), LENGTH, parts)
        assert worker.memory.store(entry)
        for number in numbers if target == MOVED else ():
            worker.memory.hot.taken = entry, number
            worker.memory.hot.step(worker.memory.holds)
            assert isinstance(entry.slice(number), Slot)
    return worker


async def over_http1(method: str, target: str, many: list[list[str]]) -> Told:
    origin = FilmOrigin(PARTLY)
    worker = stocked(origin)
    bound = worker.protocol()
    assert issubclass(bound, EdgeProtocol)
    player = Connection(worker, bound, SecureWire())
    heard = []
    for lines in many:
        head = "\r\n".join([f"{method} {target} HTTP/1.1", "Host: edge.test", *lines, "", ""])
        said = player.feed(head.encode())
        facts = player.protocol._facts
        at_once = said != b""
        await until(lambda: player.protocol.cycle is None)
        answer = parse(said + player.wire.take())
        heard.append(Heard(answer, at_once, None if facts is None else facts.prefix))
        await until(lambda: not worker.tasks)
    player.close()
    await close_worker(worker)
    return heard, origin.asked


async def over_http2(method: str, target: str, many: list[list[str]]) -> Told:
    origin = FilmOrigin(PARTLY)
    worker = stocked(origin)
    bound = worker.protocol()
    assert issubclass(bound, EdgeProtocol)
    player = Http2Wire(worker, bound.shared)
    pseudo = [(b":method", method), (b":path", target), (b":authority", "edge.test")]
    heard = []
    for lines in many:
        fields = [(name, value.encode()) for name, value in pseudo]
        fields.append((b":scheme", b"https"))
        for line in lines:
            name, _, value = line.partition(": ")
            fields.append((name.lower().encode(), value.encode()))
        answer, at_once = await player.ask(fields)
        facts = player.protocol._facts
        heard.append(Heard(answer, at_once, None if facts is None else facts.prefix))
        await until(lambda: not worker.tasks)
    player.close()
    await close_worker(worker)
    return heard, origin.asked


def beside_framing(answer: Parsed) -> Parsed:
    kept = tuple(line for line in answer.fields if line[0] not in FRAMING)
    return Parsed(answer.status, kept, answer.body)


lines = st.one_of(
    part_lines,
    st.lists(st.sampled_from(OTHER_LINES), max_size=3, unique_by=lambda line: line[:9]),
    st.tuples(part_lines, st.sampled_from(OTHER_LINES)).map(lambda both: [*both[0], both[1]]),
)


@settings(max_examples=100)
@given(
    method=st.sampled_from(["GET"] * 5 + ["HEAD"]),
    target=st.sampled_from(TARGETS),
    many=st.lists(lines, min_size=1, max_size=3),
)
@example("GET", "/small", [["Range: bytes=0-1,5-6"]])
@example("GET", "/gap", [[f"Range: bytes=0-1,{2 * SLICE_BYTES}-{2 * SLICE_BYTES + 9}"]])
@example("GET", "/whole", [["Range: bytes=-5", 'If-Range: "v1"'], []])
@example("GET", "/varied", [["Accept-Language: tr", "Accept-Encoding: gzip"], []])
@example("GET", MOVED, [["Range: bytes=0-1,9-9"], ["Range: bytes=7-80006"]])
@example("HEAD", "/whole", [["Range: bytes=0-1,5-6"]])
def test_both_versions_give_the_same_answers(
    method: str, target: str, many: list[list[str]]
) -> None:
    told = []
    for over in (over_http1, over_http2):
        with virtual_time() as loop:
            told.append(loop.run_until_complete(over(method, target, many)))
    (heard1, asked1), (heard2, asked2) = told
    for lines, one, two in zip(many, heard1, heard2, strict=True):
        assert same(beside_framing(one.answer), beside_framing(two.answer)), (lines, one, two)
        assert one.at_once == two.at_once, (lines, one, two)
        assert one.prefix in (None, two.prefix) or two.prefix is None
    assert asked1 == asked2
