"""A body that breaks off goes on where it broke, or visibly ends there: never anything between."""

from collections.abc import Callable

import pytest

from edge.settings import MIB
from tests.support.edges import edge_and_origin, running_edge, running_origin, until
from tests.support.ranged_origin import RangedOrigin

SMALL = bytes(range(40, 72))
LARGE = bytes(range(256)) * 4096 * 3


def once(after: int) -> Callable[[int], int | None]:
    """Break off the first answer only."""
    return lambda number: after if number == 0 else None


def next_once(script: RangedOrigin, after: int) -> Callable[[int], int | None]:
    """Break off the next answer only."""
    at = script.requests
    return lambda number: after if number == at else None


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
async def test_a_body_cut_at_every_byte_comes_whole(chunked: bool) -> None:
    script = RangedOrigin(SMALL, chunked=chunked)
    async with edge_and_origin(script) as (edge, origin):
        for cut in range(len(SMALL)):
            script.cut_after = next_once(script, cut)
            origin.asked.clear()
            got = await edge.get(f"/{cut}")
            assert (got.status, got.body, got.whole) == (200, SMALL, True), cut
            assert [asked.get("range") for asked in origin.asked] == [None, b"bytes=%d-" % cut]
            assert origin.asked[1].get("if-range") == b'"v1"'
            assert "hit" in (await edge.get(f"/{cut}")).says


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
async def test_an_origin_that_breaks_off_again_and_again(chunked: bool) -> None:
    script = RangedOrigin(LARGE, chunked=chunked, cut_after=lambda n: 500_000 if n < 6 else None)
    async with edge_and_origin(script) as (edge, origin):
        got = await edge.get("/")
        assert got.body == LARGE
        assert len(origin.asked) == 7
        assert edge.worker.counters.resumed == 6


async def test_resuming_has_an_end() -> None:
    async with edge_and_origin(RangedOrigin(LARGE, cut_after=lambda _: 10)) as (edge, origin):
        got = await edge.get("/")
        assert not got.whole
        assert LARGE.startswith(got.body)
        assert len(origin.asked) == 9


@pytest.mark.parametrize(
    ("change", "rest"),
    [
        ({"etag": '"v2"'}, "another version"),
        ({"etag": 'W/"v1"'}, "a weak tag"),
        ({"ranges": False, "etag": '"v2"'}, "another version, whole"),
        ({"body": LARGE + b"more"}, "another length"),
    ],
)
async def test_other_bytes_are_never_joined(change: dict[str, object], rest: str) -> None:
    async def script(asked, writer) -> None:
        await before(asked, writer)
        for name, value in change.items():
            setattr(before, name, value)

    before = RangedOrigin(LARGE, cut_after=once(1_000_000))
    async with edge_and_origin(script) as (edge, _):
        got = await edge.get("/")
        assert (got.whole, got.body) == (False, LARGE[:1_000_000]), rest
        await until(lambda: len(edge.worker.tasks) == 0)
        assert len(edge.worker.memory) == 0


@pytest.mark.parametrize("etag", ['W/"v1"', "", "v1"])
async def test_without_a_strong_tag_nothing_is_asked_again(etag: str) -> None:
    script = RangedOrigin(LARGE, etag=etag, cut_after=once(1_000))
    async with edge_and_origin(script) as (edge, origin):
        assert not (await edge.get("/")).whole
        assert len(origin.asked) == 1


async def test_the_same_bytes_once_more_do_without_ranges() -> None:
    script = RangedOrigin(LARGE, ranges=False, cut_after=once(1_000_000))
    async with edge_and_origin(script) as (edge, origin):
        assert (await edge.get("/")).body == LARGE
        assert len(origin.asked) == 2


async def test_what_is_not_stored_goes_on_too() -> None:
    script = RangedOrigin(LARGE, lines=("Cache-Control: private",), cut_after=once(1_000_000))
    async with edge_and_origin(script) as (edge, origin):
        got = await edge.get("/", "Authorization: me", 'If-None-Match: "v0"')
        assert got.body == LARGE
        assert origin.asked[1].get("authorization") == b"me"
        assert origin.asked[1].get("if-none-match") is None


async def test_a_passed_part_goes_on_to_its_own_end() -> None:
    script = RangedOrigin(LARGE, lines=("Cache-Control: no-store",), cut_after=once(40))
    async with edge_and_origin(script) as (edge, origin):
        got = await edge.get("/", "Authorization: me", "If-Match: *", "Range: bytes=100-199")
        assert (got.status, got.body) == (206, LARGE[100:200])
        assert origin.asked[1].get("range") == b"bytes=140-199"


async def test_a_windowed_body_goes_on() -> None:
    script = RangedOrigin(LARGE, cut_after=once(2_000_000))
    async with edge_and_origin(script, object_max_bytes=MIB) as (edge, _):
        assert (await edge.get("/")).body == LARGE


async def test_the_rest_comes_from_another_origin() -> None:
    dies = RangedOrigin(LARGE, cut_after=lambda _: 1_000_000)
    lives = RangedOrigin(LARGE)
    async with (
        running_origin(dies) as first,
        running_origin(lives) as second,
        running_edge(f"{first.url},{second.url}") as edge,
    ):
        assert (await edge.get("/")).body == LARGE
        assert (len(first.asked), len(second.asked)) == (1, 1)
