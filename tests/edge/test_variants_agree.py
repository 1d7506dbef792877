"""Of several variants both paths select the same one, or none, however the fields are written."""

from dataclasses import dataclass

from hypothesis import example, given, settings
from hypothesis import strategies as st

from cache_policies.message import Fields
from edge.entry import Entry
from edge.protocol import EdgeProtocol
from tests.support.edges import until
from tests.support.film_origin import FilmOrigin
from tests.support.paths import Parsed, SlowOnly, judged, parse, same
from tests.support.virtual_time import virtual_time
from tests.support.wire import Connection, close_worker, worker_without_listener

KEY = b"http://edge.test/film"
VARY = ["Accept-Encoding", "Accept-Language", "Accept-Encoding, Accept-Language", "X-Device"]
VALUES = {
    "Accept-Encoding": ["gzip", "gzip, br", "br,gzip", "GZIP", "gzip;q=1.0", "identity", ""],
    "Accept-Language": ["tr", "tr, en;q=0.5", "en;q=0.5, tr", "TR"],
    "X-Device": ["tv", "TV", "tv, phone"],
}
OTHER_LINES = [
    "Range: bytes=0-1",
    "Range: bytes=-3,0-0",
    "Range: bytes=99-",
    'If-None-Match: "0"',
    'If-None-Match: "1", "2"',
    'If-Range: "0"',
    "User-Agent: player",
]

_lines = [f"{name}: {value}" for name, values in VALUES.items() for value in values]
_written = st.sampled_from(_lines).flatmap(
    lambda line: st.sampled_from([line, line.lower().partition(":")[0] + ":" + line.split(":")[1]])
)
selecting = st.lists(_written, max_size=3)
asked = st.tuples(selecting, st.lists(st.sampled_from(OTHER_LINES), max_size=1)).map(
    lambda both: [*both[0], *both[1]]
)


def pairs(lines: list[str]) -> Fields:
    split = [line.partition(":") for line in lines]
    return tuple((name.lower().encode(), value.strip().encode()) for name, _, value in split)


@dataclass(frozen=True)
class Said:
    answer: Parsed
    at_once: bool


async def said_by(
    quick: bool, vary: list[str], stored: list[list[str]], many: list[list[str]]
) -> list[Said]:
    """What a path says when these variants are stored; the origin has none of them."""
    worker = worker_without_listener()
    worker.app._exchange.filler.asker.client = FilmOrigin(frozenset())  # type: ignore[assignment]
    for number, lines in enumerate(stored):
        fields = (
            (b"cache-control", b"max-age=900"),
            (b"etag", b'"%d"' % number),
            (b"vary", vary[number % len(vary)].encode()),
        )
        found = judged(KEY, fields, pairs(lines))
        assert worker.memory.store(Entry(KEY, found, [b"variant %d" % number]))
    bound = worker.protocol()
    assert issubclass(bound, EdgeProtocol)
    if not quick:
        bound = type("Bound", (SlowOnly,), {"shared": bound.shared})
    player = Connection(worker, bound)
    heard = []
    for lines in many:
        head = "\r\n".join(["GET /film HTTP/1.1", "Host: edge.test", *lines, "", ""])
        said = player.feed(head.encode())
        await until(lambda: player.protocol.cycle is None)
        await until(lambda: not worker.tasks)
        heard.append(Said(parse(said + player.wire.take()), said != b""))
    player.close()
    await close_worker(worker)
    return heard


@settings(max_examples=100)
@given(
    vary=st.lists(st.sampled_from(VARY), min_size=1, max_size=2),
    stored=st.lists(selecting, min_size=1, max_size=4),
    again=st.lists(st.integers(0, 3), max_size=2),
    many=st.lists(asked, min_size=1, max_size=3),
)
@example([VARY[2]], [["Accept-Encoding: gzip", "Accept-Language: tr"], []], [0, 1], [])
@example([VARY[0]], [["Accept-Encoding: gzip, br"]], [], [["Accept-Encoding: br,gzip"]])
@example([VARY[0]], [["Accept-Encoding: gzip"], []], [1], [["accept-encoding:gzip"]])
def test_both_paths_select_the_same_variant(
    vary: list[str], stored: list[list[str]], again: list[int], many: list[list[str]]
) -> None:
    asks = [*many, *(stored[number % len(stored)] for number in again)]
    told = []
    for quick in (True, False):
        with virtual_time() as loop:
            told.append(loop.run_until_complete(said_by(quick, vary, stored, asks)))
    for lines, one, other in zip(asks, *told, strict=True):
        assert same(one.answer, other.answer), (lines, one, other)
        assert not other.at_once
        assert one.at_once == ("amaro-edge; hit" in (one.answer.get("cache-status") or ""))
    if len({*vary}) == 1:  # of one kind none has taken another's place but by its own values
        assert all(one.at_once for one in told[0][len(many) :])
