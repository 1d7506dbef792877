"""What is not there of a body is brought: the answer is the one that the whole would give."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.arena import SLICE_BYTES
from edge.entry import Entry
from edge.protocol import EdgeProtocol
from edge.sliced import SlicedEntry
from tests.support.edges import until
from tests.support.film_origin import FRESH, FilmOrigin
from tests.support.generated_ranges import BODY, LENGTH, part_lines
from tests.support.paths import Parsed, judged, parse
from tests.support.virtual_time import virtual_time
from tests.support.wire import Connection, close_worker, worker_without_listener

SLICES = [BODY[at : at + SLICE_BYTES] for at in range(0, LENGTH, SLICE_BYTES)]
OF_THE_WAY = frozenset({"age", "cache-status", "date"})  # how and when it came to be here
KEY = b"http://edge.test/film"


async def heard(there: frozenset[int], many: list[list[str]]) -> list[Parsed]:
    """What a player hears of an edge that has these slices, and an origin that has all."""
    worker = worker_without_listener()
    origin = FilmOrigin(frozenset({b"/film"}))
    worker.app._exchange.filler.asker.client = origin  # type: ignore[assignment]
    stored = judged(KEY, FRESH)
    parts = {number: SLICES[number] for number in there}
    is_whole = len(parts) == len(SLICES)
    entry = Entry(KEY, stored, SLICES) if is_whole else SlicedEntry(KEY, stored, LENGTH, {**parts})
    assert worker.memory.store(entry)
    bound = worker.protocol()
    assert issubclass(bound, EdgeProtocol)
    player = Connection(worker, bound)
    answers = []
    for lines in many:
        head = "\r\n".join(["GET /film HTTP/1.1", "Host: edge.test", *lines, "", ""])
        player.protocol.data_received(head.encode())
        await until(lambda: player.protocol.cycle is None)
        await until(lambda: not worker.tasks)
        answers.append(parse(player.wire.take()))
    assert not (is_whole and origin.asked)
    brought = [dict(fields).get(b"range") for _, _, fields in origin.asked]
    assert len(brought) == len({*brought}) <= len(SLICES) - len(there)
    player.close()
    await close_worker(worker)
    return answers


def beside_the_way(answer: Parsed) -> Parsed:
    kept = tuple(line for line in answer.fields if line[0] not in OF_THE_WAY)
    return Parsed(answer.status, kept, answer.body)


@settings(max_examples=60)
@given(
    there=st.frozensets(st.integers(0, len(SLICES) - 1), max_size=len(SLICES) - 1),
    many=st.lists(st.one_of(part_lines, part_lines, st.just([])), min_size=1, max_size=3),
)
@example(frozenset({1}), [[f"Range: bytes={SLICE_BYTES - 5}-{2 * SLICE_BYTES + 5}"]])
@example(frozenset({0, 2}), [["Range: bytes=-9,0-3,2000000-2000009"], []])
@example(frozenset(), [["Range: bytes=5-9", 'If-Range: W/"v1"'], ["Range: bytes=5-9"]])
def test_an_answer_is_the_same_whatever_was_there(
    there: frozenset[int], many: list[list[str]]
) -> None:
    told = []
    for numbers in (frozenset(range(len(SLICES))), there):
        with virtual_time() as loop:
            told.append(loop.run_until_complete(heard(numbers, many)))
    for lines, of_whole, of_some in zip(many, *told, strict=True):
        assert beside_the_way(of_whole) == beside_the_way(of_some), (lines, of_whole, of_some)
