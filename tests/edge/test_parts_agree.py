"""Parts, of the whole and of slices, moved or not: each path gives the same, or gives none."""

import re
from typing import TypeAlias

from hypothesis import example, given, settings
from hypothesis import strategies as st

from cache_policies.message import Fields
from edge.arena import SLICE_BYTES, Slot
from edge.entry import Entry
from edge.sliced import SlicedEntry
from tests.support.generated_ranges import BODY, LENGTH, MODIFIED, part_lines
from tests.support.paths import BothPaths, Parsed, judged, same
from tests.support.virtual_time import virtual_time
from tests.support.wire import close_worker, worker_without_listener

FIELDS: Fields = (
    (b"cache-control", b"max-age=900"),
    (b"content-type", b"video/mp4"),
    (b"etag", b'"v1"'),
    (b"last-modified", MODIFIED.encode()),
)
SETS = {"/whole": {0, 1, 2, 3}, "/one": {1}, "/gap": {0, 2}, "/end": {1, 2, 3}, "/none": set()}
SLICES = [BODY[at : at + SLICE_BYTES] for at in range(0, LENGTH, SLICE_BYTES)]
MOVED = "-moved"  # the slices of these targets lie in an arena


def fill(paths: BothPaths) -> None:
    memory = paths.worker.memory
    for target, numbers in SETS.items():
        for ending in ("", MOVED):
            key = b"http://edge.test" + (target + ending).encode()
            stored = judged(key, FIELDS)
            entry = (
                Entry(key, stored, SLICES)
                if target == "/whole"
                else SlicedEntry(key, stored, LENGTH, {each: SLICES[each] for each in numbers})
            )
            assert memory.store(entry)
            for number in numbers if ending else ():
                memory.hot.taken = entry, number
                memory.hot.step(memory.holds)
                assert isinstance(entry.slice(number), Slot) == (number != 3)  # a short one stays


Asks: TypeAlias = list[bytes]
Said: TypeAlias = list[tuple[Parsed | None, Parsed | None]]


async def said_to(each: list[Asks]) -> tuple[list[Said], int]:
    """What both paths say to each connection's requests, and the bytes past the transport."""
    worker = worker_without_listener()
    paths = BothPaths(worker)
    fill(paths)
    said = [await paths.ask(asks) for asks in each]
    await close_worker(worker)
    return said, paths.direct_bytes


def ask(*each: Asks) -> tuple[list[Said], int]:
    with virtual_time() as loop:
        return loop.run_until_complete(said_to(list(each)))


def head_of(method: str, target: str, lines: list[str]) -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: edge.test", *lines, "", ""]).encode()


def needed(whole: Parsed, method: str) -> set[int]:
    """The slices that an answer is made of, read from what the whole answered."""
    if method == "HEAD" or whole.status not in (200, 206):
        return set()
    spans = [(0, LENGTH - 1)]
    if whole.status == 206:
        said = [whole.get("content-range") or ""] if whole.get("content-range") else []
        said += [
            line.decode("latin-1")
            for line in re.findall(rb"content-range: (bytes \d+-\d+/\d+)\r\n", whole.body)
        ]
        found = [re.match(r"bytes (\d+)-(\d+)/", each) for each in said]
        spans = [(int(each[1]), int(each[2])) for each in found if each is not None]
        assert spans
    return {
        number
        for first, last in spans
        for number in range(first // SLICE_BYTES, last // SLICE_BYTES + 1)
    }


SIXTEEN = ",".join(f"{at * 100_000}-{at * 100_000 + 9}" for at in range(16))


@settings(max_examples=100)
@given(
    target=st.sampled_from(sorted(SETS)),
    method=st.sampled_from(["GET"] * 5 + ["HEAD"]),
    many=st.lists(part_lines, min_size=1, max_size=3),
)
@example("/one", "GET", [[f"Range: bytes={SLICE_BYTES + 7}-{SLICE_BYTES + 70_000}"]])
@example("/end", "GET", [[f"Range: bytes={2 * SLICE_BYTES - 50_000}-{2 * SLICE_BYTES + 50_000}"]])
@example("/end", "GET", [[f"Range: bytes={SLICE_BYTES + 1}-"]])
@example("/gap", "GET", [["Range: bytes=5-9,3-6", 'If-Range: "v1"']])
@example("/gap", "GET", [[f"Range: bytes=0-0,{LENGTH}-"]])
@example("/end", "GET", [["Range: bytes=-5,2000000-2000009"]])
@example("/whole", "GET", [[f"Range: bytes={SIXTEEN}"], [f"Range: bytes={SIXTEEN},-1"]])
@example("/none", "GET", [[f"Range: bytes={LENGTH}-"], ['If-None-Match: "v1"', "Range: bytes=0-1"]])
@example("/one", "HEAD", [["Range: bytes=0-1"]])
def test_a_part_is_the_same_from_wherever_it_comes(
    target: str, method: str, many: list[list[str]]
) -> None:
    each = [
        [head_of(method, place, lines) for lines in many]
        for place in ("/whole", target, target + MOVED)
    ]
    (of_whole, *others), _ = ask(*each)
    for said in others:
        for lines, (whole, _), (quick, slow) in zip(many, of_whole, said, strict=True):
            assert whole is not None
            has_all = needed(whole, method) <= SETS[target]
            assert (quick is not None) == has_all, (lines, whole)
            if quick is not None and slow is not None:
                assert same(quick, whole), (lines, quick, whole)
                assert same(quick, slow), (lines, quick, slow)


def test_a_part_of_a_moved_slice_goes_past_the_transport() -> None:
    first, size = SLICE_BYTES + 7, 100_000
    lines = [f"Range: bytes={first}-{first + size - 1}"]
    targets = ("/one", "/whole")
    said, direct_bytes = ask(*[[head_of("GET", each + MOVED, lines)] for each in targets])
    for ((quick, slow),) in said:
        assert quick is not None
        assert slow is not None
        assert quick.body == BODY[first : first + size]
        assert same(quick, slow)
    assert direct_bytes > len(targets) * 4096  # more than heads, at least: sockets differ
