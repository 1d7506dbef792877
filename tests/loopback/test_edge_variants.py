"""A miss of one variant tells the origin of the others, which may answer it without a body."""

import asyncio

import pytest

from cache_policies.other_variants import TAGS_MAX
from edge.purges import PurgeKind
from edge.settings import MIB
from tests.support.edges import Asked, Edge, Got, edge_and_origin, response, until

FRESH = "Cache-Control: max-age=600"
VARY = "Vary: Accept-Language"


class Negotiator:
    """An origin that knows German and English, and answers tags that it is told of."""

    def __init__(self, *lines: str, says: str = FRESH) -> None:
        self.lines = (VARY, *lines)
        self.says = says
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        await self.open.wait()
        wanted = (asked.get("accept-language") or b"").decode()
        language = "de" if "de" in wanted else "en"
        told = (self.says, *self.lines, f'ETag: "{language}"', f"X-For: {wanted}")
        if f'"{language}"'.encode() in (asked.get("if-none-match") or b""):
            writer.write(response(b"", *told, status="304 Not Modified"))
        else:
            writer.write(response(language.encode() * 20_000, *told))


async def ask(edge: Edge, language: str, *lines: str) -> Got:
    return await edge.get("/a", f"Accept-Language: {language}", *lines)


async def test_another_variant_that_the_origin_chooses_is_the_answer() -> None:
    async with edge_and_origin(Negotiator()) as (edge, origin):
        await ask(edge, "de")
        await ask(edge, "en")
        assert origin.asked[1].get("if-none-match") == b'"de"'
        got = await ask(edge, "fr")
        assert origin.asked[2].get("if-none-match") == b'"en", "de"'
        assert (got.status, got.body) == (200, b"en" * 20_000)
        assert got.get("x-for") == b"fr"
        assert "fwd=vary-miss; fwd-status=304; stored; ttl=" in got.says
        for language in ("fr", "en", "de"):
            again = await ask(edge, language)
            assert "hit" in again.says
            assert again.get("x-for") == language.encode()
        assert len(origin.asked) == 3


async def test_a_player_that_has_it_gets_a_304() -> None:
    async with edge_and_origin(Negotiator()) as (edge, origin):
        await ask(edge, "en")
        got = await ask(edge, "fr", 'If-None-Match: "en"')
        assert (got.status, got.get("etag")) == (304, b'"en"')
        part = await ask(edge, "fr", "Range: bytes=0-1")
        assert (part.status, part.body) == (206, b"en")
        assert len(origin.asked) == 2


async def test_those_who_wait_for_a_variant_share_the_304() -> None:
    origin_script = Negotiator()
    async with edge_and_origin(origin_script) as (edge, origin):
        await ask(edge, "en")
        origin_script.open.clear()
        waiters = [asyncio.create_task(ask(edge, language)) for language in ("fr", "fr", "it")]
        await until(lambda: len(origin.asked) == 3)
        await until(lambda: edge.worker.fills.waiting == 3)
        origin_script.open.set()
        got = [await waiter for waiter in waiters]
        assert [each.get("x-for") for each in got] == [b"fr", b"fr", b"it"]
        assert {each.body for each in got} == {b"en" * 20_000}
        assert len(origin.asked) == 3
        assert sum("collapsed" in each.says for each in got) == 1


async def test_at_most_so_many_tags_are_sent() -> None:
    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        tag = (asked.get("accept-language") or b"").decode()
        writer.write(response(b"body", FRESH, VARY, f'ETag: "{tag}"'))

    async with edge_and_origin(script) as (edge, origin):
        for number in range(TAGS_MAX + 3):
            await ask(edge, f"l{number}")
        sent = origin.asked[-1].get("if-none-match")
        latest = [f'"l{number}"' for number in range(TAGS_MAX + 1, 1, -1)]
        assert sent == ", ".join(latest).encode()


@pytest.mark.parametrize("line", ['ETag: "else"', 'ETag: W/"a"', "X: no tag"])
async def test_a_304_that_chooses_none_is_asked_again_without_conditions(line: str) -> None:
    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.get("if-none-match") is None:
            writer.write(response(b"body", FRESH, VARY, 'ETag: "a"'))
        else:
            writer.write(response(b"", FRESH, VARY, line, status="304 Not Modified"))

    async with edge_and_origin(script) as (edge, origin):
        await ask(edge, "en")
        got = await ask(edge, "fr")
        assert (got.status, got.body) == (200, b"body")
        assert [asked.get("if-none-match") for asked in origin.asked] == [None, b'"a"', None]
        assert "hit" in (await ask(edge, "en")).says


async def test_what_is_for_one_user_is_kept_from_others() -> None:
    async with edge_and_origin(Negotiator()) as (edge, origin):
        await ask(edge, "en")
        mine = await ask(edge, "fr", "Authorization: Basic eDp5")
        assert (mine.status, mine.body) == (200, b"en" * 20_000)
        assert "stored" not in mine.says
        assert "hit" not in (await ask(edge, "fr")).says
        assert len(origin.asked) == 3


async def test_a_purge_meanwhile_keeps_it_from_those_who_come_later() -> None:
    script = Negotiator("Surrogate-Key: all")
    async with edge_and_origin(script) as (edge, origin):
        await ask(edge, "en")
        script.open.clear()
        before = asyncio.create_task(ask(edge, "fr"))
        await until(lambda: len(origin.asked) == 2)
        edge.purge(PurgeKind.TAG, b"all")
        after = asyncio.create_task(ask(edge, "fr"))
        await until(lambda: edge.worker.fills.waiting == 2)
        script.open.set()
        assert (await before).body == b"en" * 20_000
        assert (await after).body == b"en" * 20_000
        assert origin.asked[-1].get("if-none-match") is None
        assert "hit" in (await ask(edge, "fr")).says
        assert len(origin.asked) == 3


async def test_bodies_that_variants_share_are_let_go_of() -> None:
    async with edge_and_origin(Negotiator()) as (edge, _):
        memory = edge.worker.memory
        for language in ("en", "fr", "it", "es"):
            await ask(edge, language)
        assert len(memory) == 4
        edge.purge(PurgeKind.ALL)

        def is_free() -> bool:
            memory.sweep_held()
            return memory.used_bytes == 0

        await until(is_free)


async def test_a_variant_that_is_there_in_part_is_not_offered() -> None:
    body = bytes(2 * MIB)
    fields = (FRESH, VARY, 'ETag: "a"')

    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.get("range") is None:
            writer.write(response(body, *fields))
        else:
            where = f"Content-Range: bytes 0-{MIB - 1}/{2 * MIB}"
            writer.write(response(body[:MIB], *fields, where, status="206 Partial Content"))

    async with edge_and_origin(script) as (edge, origin):
        assert (await ask(edge, "en", "Range: bytes=0-9")).status == 206
        assert (await ask(edge, "fr")).body == body
        assert [asked.get("if-none-match") for asked in origin.asked] == [None, None]
