"""Ranges of what is not stored: they cost the slices that they need, once, and are kept."""

import asyncio
import time
from typing import Any

import pytest

from cache_policies.load import load_policies
from edge.arena import SLICE_BYTES
from edge.in_force import compiled
from edge.purges import PurgeKind
from edge.settings import MIB
from tests.support.edges import (
    Asked,
    Edge,
    Got,
    edge_and_origin,
    until,
)
from tests.support.ranged_origin import RangedOrigin

BODY = b"".join(b"%07d\n" % number for number in range(9 * SLICE_BYTES // 8)) + b"the end"
SLICES = 10


async def part(edge: Edge, first: int, last: int, *lines: str) -> Got:
    return await edge.get("/film", f"Range: bytes={first}-{last}", *lines)


def is_part(got: Got, first: int, last: int) -> bool:
    where = b"bytes %d-%d/%d" % (first, last, len(BODY))
    return (got.status, got.get("content-range"), got.body, got.whole) == (
        *(206, where),
        *(BODY[first : last + 1], True),
    )


async def test_a_seek_costs_one_slice() -> None:
    async with edge_and_origin(RangedOrigin(BODY)) as (edge, origin):
        first = 5 * SLICE_BYTES + 1000
        got = await part(edge, first, first + 99)
        assert is_part(got, first, first + 99)
        assert got.says.startswith("amaro-edge; fwd=uri-miss; fwd-status=206; stored; ttl=")
        assert origin.script.parts == [(5 * SLICE_BYTES, 6 * SLICE_BYTES - 1)]
        await until(lambda: not edge.worker.tasks)
        again = await part(edge, first + 50, first + 2000)
        assert is_part(again, first + 50, first + 2000)
        assert "hit" in again.says
        assert len(origin.asked) == 1
        before = await part(edge, 5 * SLICE_BYTES - 10, 5 * SLICE_BYTES + 10)
        assert is_part(before, 5 * SLICE_BYTES - 10, 5 * SLICE_BYTES + 10)
        assert "fwd=partial; fwd-status=206" in before.says
        assert origin.script.parts[1:] == [(4 * SLICE_BYTES, 5 * SLICE_BYTES - 1)]
        assert origin.asked[1].get("if-range") == b'"v1"'


async def test_the_whole_takes_what_is_there_and_asks_for_the_rest() -> None:
    async with edge_and_origin(RangedOrigin(BODY)) as (edge, origin):
        for number in (3, 9):
            at = number * SLICE_BYTES
            assert is_part(await part(edge, at, at + 5), at, at + 5)
        whole = await edge.get("/film")
        assert (whole.status, whole.body) == (200, BODY)
        assert "fwd=partial" in whole.says
        await until(lambda: not edge.worker.tasks)
        wanted = sorted(origin.script.parts)
        assert wanted == [edge_span(number) for number in range(SLICES)]  # each exactly once
        assert "hit" in (await edge.get("/film")).says
        assert (await edge.get("/film")).body == BODY
        assert is_part(await part(edge, 10, 4 * SLICE_BYTES), 10, 4 * SLICE_BYTES)
        assert len(origin.asked) == SLICES
        assert edge.worker.memory.fill_bytes == 0
        assert len(edge.worker.memory) == 1


def edge_span(number: int) -> tuple[int, int]:
    return number * SLICE_BYTES, min((number + 1) * SLICE_BYTES, len(BODY)) - 1


async def test_age_and_ttl_count_the_wait_for_a_slice() -> None:
    ranged, go = RangedOrigin(BODY), asyncio.Event()

    async def gated(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if ranged.parts:
            await go.wait()
        await ranged(asked, writer)

    async with edge_and_origin(gated) as (edge, origin):
        assert is_part(await part(edge, 0, 9), 0, 9)
        stored_mono = time.monotonic()
        waiting = asyncio.create_task(part(edge, SLICE_BYTES, SLICE_BYTES + 9))
        await until(lambda: len(origin.asked) == 2 and time.monotonic() > stored_mono + 2)
        ranged.lines = (*ranged.lines, "Age: 2")  # the second is of the same age
        go.set()
        got = await waiting
        assert is_part(got, SLICE_BYTES, SLICE_BYTES + 9)
        assert int(got.get("age") or 0) >= 2
        assert int(got.says.partition("ttl=")[2].partition(";")[0]) <= 598


async def test_many_players_cost_each_slice_once() -> None:
    async with edge_and_origin(RangedOrigin(BODY)) as (edge, origin):
        spans = [(n * 300_000, n * 300_000 + 400_000) for n in range(20)] * 3
        answers = await asyncio.gather(*(part(edge, *span) for span in spans))
        assert all(is_part(got, *span) for got, span in zip(answers, spans, strict=True))
        assert len(origin.script.parts) == len(set(origin.script.parts))


@pytest.mark.parametrize(
    ("lines", "status", "first", "last"),
    [
        (("Range: bytes=-7",), 206, len(BODY) - 7, len(BODY) - 1),
        ((f"Range: bytes={len(BODY) - 3}-",), 206, len(BODY) - 3, len(BODY) - 1),
        (('If-Range: "v1"', "Range: bytes=7-9"), 206, 7, 9),
        (('If-Range: "v0"', "Range: bytes=7-9"), 200, 0, len(BODY) - 1),
        (("Range: bytes=0-",), 206, 0, len(BODY) - 1),
    ],
    ids=str,
)
async def test_every_form_of_range(lines, status: int, first: int, last: int) -> None:
    async with edge_and_origin(RangedOrigin(BODY)) as (edge, _):
        for _ in range(2):
            got = await edge.get("/film", *lines)
            assert got.status == status
            assert got.body == BODY[first : last + 1]


async def test_a_range_beyond_the_end() -> None:
    async with edge_and_origin(RangedOrigin(BODY)) as (edge, _):
        beyond = f"Range: bytes={len(BODY) + 5}-{len(BODY) + 9}"
        for _ in range(2):
            got = await edge.get("/film", beyond)
            assert (got.status, got.get("content-range")) == (416, b"bytes */%d" % len(BODY))
        assert is_part(await part(edge, 1, 2), 1, 2)
        got = await edge.get("/film", beyond)
        assert got.status == 416
        assert "hit" in got.says
        head = await edge.get("/film", method="HEAD")
        assert (head.status, head.get("content-length")) == (200, b"%d" % len(BODY))
        assert "hit" in head.says


async def test_a_small_object_is_whole_at_once() -> None:
    async with edge_and_origin(RangedOrigin(b"small")) as (edge, origin):
        got = await edge.get("/s", "Range: bytes=1-2")
        assert (got.status, got.body) == (206, b"ma")
        whole = await edge.get("/s")
        assert (whole.body, "hit" in whole.says) == (b"small", True)
        assert len(origin.asked) == 1


@pytest.mark.parametrize(
    "odd", [{"etag": 'W/"v1"'}, {"ranges": False}], ids=["weak tag", "no ranges"]
)
async def test_what_cannot_be_combined_is_fetched_whole(odd: dict[str, Any]) -> None:
    async with edge_and_origin(RangedOrigin(BODY, **odd)) as (edge, asked):
        assert is_part(await part(edge, 9_000_000, 9_000_009), 9_000_000, 9_000_009)
        assert is_part(await part(edge, 1_000_000, 1_000_009), 1_000_000, 1_000_009)
        await until(lambda: not edge.worker.tasks)
        assert (await edge.get("/film")).body == BODY
        assert len(asked.asked) <= 2


@pytest.mark.parametrize("why", ["private", "no-store"])
async def test_what_may_not_be_stored_is_passed_in_part(why: str) -> None:
    script = RangedOrigin(BODY, lines=(f"Cache-Control: {why}",))
    async with edge_and_origin(script) as (edge, origin):
        for _ in range(2):
            got = await part(edge, 9_000_000, 9_000_009)
            assert is_part(got, 9_000_000, 9_000_009)
            assert "hit" not in got.says
        assert origin.script.parts[1:] == [(9_000_000, 9_000_009)] * 2
        assert len(edge.worker.memory) == 0


async def test_authorization_gets_its_part_alone() -> None:
    async with edge_and_origin(RangedOrigin(BODY)) as (edge, origin):
        assert is_part(await part(edge, 5, 9, "Authorization: me"), 5, 9)
        assert origin.script.parts == [(5, 9)]
        assert is_part(await part(edge, 5, 9), 5, 9)
        assert is_part(
            await part(edge, 3_000_000, 3_000_001, "Authorization: me"), 3_000_000, 3_000_001
        )
        assert origin.asked[-1].get("authorization") == b"me"
        assert origin.script.parts[-1] == (3_000_000, 3_000_001)


async def test_a_further_part_brings_its_head_along() -> None:
    script = RangedOrigin(BODY, lines=("Cache-Control: max-age=60", "X: 1"))
    async with edge_and_origin(script) as (edge, origin):
        assert (await part(edge, 5, 9)).get("x") == b"1"
        await until(lambda: not edge.worker.tasks)
        script.lines = ("Cache-Control: max-age=600", "X: 2")
        far = 4 * SLICE_BYTES
        assert is_part(await part(edge, far, far + 3), far, far + 3)
        await until(lambda: not edge.worker.tasks)
        again = await part(edge, 5, 9)
        assert is_part(again, 5, 9)
        assert (again.get("x"), again.get("cache-control")) == (b"2", b"max-age=600")
        assert int(again.says.partition("hit; ttl=")[2]) > 60
        assert len(origin.asked) == 2


async def test_a_part_that_is_not_to_be_stored_leaves_the_others() -> None:
    async with edge_and_origin(RangedOrigin(BODY)) as (edge, origin):
        assert is_part(await part(edge, 5, 9), 5, 9)
        await until(lambda: not edge.worker.tasks)
        far = 4 * SLICE_BYTES
        got = await part(edge, far, far + 3, "Cache-Control: no-store")
        assert is_part(got, far, far + 3)
        assert origin.script.parts[-1] == (far, far + 3)
        assert "hit" in (await part(edge, 5, 9)).says
        assert len(origin.asked) == 2


async def test_another_version_is_never_mixed_in() -> None:
    script = RangedOrigin(BODY)
    async with edge_and_origin(script) as (edge, _):
        assert is_part(await part(edge, 5, 9), 5, 9)
        await until(lambda: not edge.worker.tasks)
        script.body, script.etag = BODY[::-1], '"v2"'
        got = await part(edge, SLICE_BYTES - 5, SLICE_BYTES + 5)  # half of it is here
        assert got.status == 206
        assert not got.whole
        assert BODY[SLICE_BYTES - 5 : SLICE_BYTES] == got.body
        got = await part(edge, SLICE_BYTES - 5, SLICE_BYTES + 5)
        assert got.body == script.body[SLICE_BYTES - 5 : SLICE_BYTES + 6]
        got = await part(edge, 2 * SLICE_BYTES, 2 * SLICE_BYTES + 5)
        assert got.body == script.body[2 * SLICE_BYTES : 2 * SLICE_BYTES + 6]


async def test_a_change_before_the_first_byte_goes_unnoticed() -> None:
    script = RangedOrigin(BODY)
    async with edge_and_origin(script) as (edge, _):
        assert is_part(await part(edge, 5, 9), 5, 9)
        await until(lambda: not edge.worker.tasks)
        script.body, script.etag = BODY[::-1], '"v2"'
        got = await part(edge, 3 * SLICE_BYTES, 3 * SLICE_BYTES + 5)
        assert (got.status, got.body) == (206, script.body[3 * SLICE_BYTES : 3 * SLICE_BYTES + 6])


async def test_a_stale_part_is_validated_and_its_slices_stay() -> None:
    script = RangedOrigin(BODY)
    async with edge_and_origin(script) as (edge, _):
        assert is_part(await part(edge, 5, 9), 5, 9)
        edge.purge(PurgeKind.URL, b"/film", soft=True)
        got = await part(edge, 6, 12)
        assert is_part(got, 6, 12)
        assert "fwd=stale; fwd-status=304" in got.says
        assert len(script.parts) == 1
        edge.purge(PurgeKind.URL, b"/film", soft=True)
        far = 4 * SLICE_BYTES
        assert is_part(await part(edge, far, far + 3), far, far + 3)
        assert len(script.parts) == 2
        script.body, script.etag = BODY[::-1], '"v2"'
        edge.purge(PurgeKind.URL, b"/film", soft=True)
        got = await part(edge, far, far + 3)
        assert got.body == script.body[far : far + 4]
        assert len(script.parts) == 3


@pytest.mark.parametrize("kind", [PurgeKind.URL, PurgeKind.ALL])
async def test_a_purge_takes_the_slices(kind: PurgeKind) -> None:
    script = RangedOrigin(BODY)
    async with edge_and_origin(script) as (edge, _):
        await part(edge, 5, 9)
        script.body, script.etag = BODY[::-1], '"v2"'
        edge.purge(kind, b"/film" if kind is PurgeKind.URL else b"")
        assert (await part(edge, 5, 9)).body == script.body[5:10]


async def test_a_purge_while_the_first_slice_is_on_its_way() -> None:
    go = asyncio.Event()
    script = RangedOrigin(BODY)

    async def held(asked: Asked, writer: asyncio.StreamWriter) -> None:
        answered = RangedOrigin(script.body, script.etag)
        await go.wait()
        await answered(asked, writer)

    async with edge_and_origin(held) as (edge, origin):
        asking = asyncio.create_task(part(edge, 5, 9))
        await until(lambda: len(origin.asked) == 1)
        edge.purge(PurgeKind.ALL)
        go.set()
        assert is_part(await asking, 5, 9)
        await until(lambda: not edge.worker.tasks)
        entry = edge.worker.memory.find(b"http://edge.test/film", ())
        assert entry is None or entry.stored.purge_sequence >= 1


async def test_a_slice_that_breaks_off_goes_on() -> None:
    script = RangedOrigin(BODY, cut_after=lambda number: 1000 if number == 0 else None)
    async with edge_and_origin(script) as (edge, _):
        assert is_part(await part(edge, 5, 500_000), 5, 500_000)
        assert script.parts == [(0, SLICE_BYTES - 1), (1000, SLICE_BYTES - 1)]


async def test_a_dead_origin_is_an_error_where_nothing_was_sent() -> None:
    script = RangedOrigin(BODY)
    async with edge_and_origin(script) as (edge, origin):
        await part(edge, 5, 9)
        await until(lambda: not edge.worker.tasks)  # the whole slice is here
        await origin.stop()
        got = await part(edge, 3 * SLICE_BYTES, 3 * SLICE_BYTES + 9)
        assert got.status == 502
        assert is_part(await part(edge, 7, 99), 7, 99)


async def test_memory_keeps_a_bounded_part_of_what_is_too_large() -> None:
    script = RangedOrigin(BODY)
    async with edge_and_origin(script, object_max_bytes=3 * MIB) as (edge, _):
        for number in range(SLICES - 1):
            at = number * SLICE_BYTES
            assert is_part(await part(edge, at, at + 9), at, at + 9)
            await until(lambda: not edge.worker.tasks)
        entry = edge.worker.memory.find(b"http://edge.test/film", ())
        assert list(entry.parts) == [6, 7, 8]
        assert edge.worker.memory.used_bytes < 5 * MIB
        whole = await edge.get("/film")
        assert whole.body == BODY
        assert edge.worker.memory.used_bytes < 5 * MIB


async def test_a_player_that_leaves_has_cost_one_slice_more_at_most() -> None:
    script = RangedOrigin(BODY)
    async with edge_and_origin(script) as (edge, _):
        client = await edge.client()
        client.send(b"GET /film HTTP/1.1\r\nHost: edge.test\r\nRange: bytes=100-\r\n\r\n")
        await client.reader.readuntil(b"\r\n\r\n")
        await client.close()
        await until(lambda: not edge.worker.tasks)
        assert script.sent_bytes <= 5 * SLICE_BYTES  # what the sockets took before


async def test_ranges_are_not_cut_into_slices_where_a_policy_says_so() -> None:
    rules = load_policies(
        b"rules: [{name: whole, match: {path: /film}, set: {slices: false}}]", "here"
    )
    async with edge_and_origin(RangedOrigin(BODY)) as (edge, origin):
        edge.worker.in_force.policies = compiled(rules.to_mapping())
        assert is_part(await part(edge, 5, 9), 5, 9)
        assert origin.script.parts == [(0, len(BODY) - 1)]


def several(got: Got) -> list[tuple[bytes, bytes]]:
    """The parts of a multipart answer: where each lies, and its bytes."""
    kind = got.get("content-type") or b""
    assert kind.startswith(b"multipart/byteranges; boundary="), kind
    boundary = kind.partition(b"boundary=")[2]
    assert len(got.body) == int(got.get("content-length") or 0)
    first, *parts, end = (b"\r\n" + got.body).split(b"\r\n--" + boundary)
    assert (first, end) == (b"", b"--\r\n")
    found = []
    for part in parts:
        head, _, body = part.partition(b"\r\n\r\n")
        fields = dict(line.split(b": ") for line in head.strip().split(b"\r\n"))
        found.append((fields[b"content-range"], body))
    return found


@pytest.mark.parametrize("stored", ["nothing", "slices", "all", "a running fill"])
async def test_several_parts_from_wherever_they_are(stored: str) -> None:
    spans = [(5, 9), (3 * SLICE_BYTES - 4, 3 * SLICE_BYTES + 4), (9_000_000, 9_000_100)]
    wanted = [
        (b"bytes %d-%d/%d" % (*span, len(BODY)), BODY[span[0] : span[1] + 1]) for span in spans
    ]
    asking = "Range: bytes=" + ",".join(f"{first}-{last}" for first, last in spans)
    go = asyncio.Event()
    script = RangedOrigin(BODY)

    async def gated(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await go.wait()
        await script(asked, writer)

    async with edge_and_origin(gated) as (edge, origin):
        task = None
        if stored == "a running fill":
            task = asyncio.create_task(edge.get("/film"))
            await until(lambda: len(origin.asked) == 1)
            asked = asyncio.create_task(edge.get("/film", asking))
            await until(lambda: edge.worker.fills.waiting == 2)
            go.set()
            got = await asked
            assert (await task).body == BODY
        else:
            go.set()
            if stored == "all":
                await edge.get("/film")
            elif stored == "slices":
                assert (await edge.get("/film", asking)).status == 206
                await until(lambda: not edge.worker.tasks)
            got = await edge.get("/film", asking)
            assert ("hit" in got.says) == (stored != "nothing")
        assert got.status == 206
        assert got.get("content-range") is None
        assert several(got) == wanted
