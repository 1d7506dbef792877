"""A request with the debug token is told how it was answered; the token goes no further."""

import asyncio
import re

from tests.support.edges import Asked, edge_and_origin, response

TOKEN = "a-secret"


async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
    assert asked.get("amaro-debug") is None
    writer.write(response(b"body", "Cache-Control: max-age=600"))


def timing(value: bytes | None) -> list[str]:
    return [re.sub(r"[0-9.]{3,}", "N", part) for part in (value or b"").decode().split(", ")]


async def test_only_the_token_opens_it() -> None:
    async with edge_and_origin(script, debug_token=TOKEN) as (edge, origin):
        first = await edge.get("/a", f"Amaro-Debug: {TOKEN}")
        assert first.body == b"body"
        assert timing(first.get("server-timing"))[:3] == [
            'edge;dur=N;desc="miss compulsory"',
            "origin;dur=N",
            'worker;desc="0"',
        ]
        hit = await edge.get("/a", f"Amaro-Debug: {TOKEN}")
        assert timing(hit.get("server-timing"))[0] == 'edge;dur=N;desc="hit-slow fresh"'
        key = re.search(rb'key;desc="([0-9a-f]{16})"', hit.get("server-timing") or b"")
        assert key is not None
        for lines in ([], ["Amaro-Debug: other"], ["Amaro-Debug:"]):
            assert (await edge.get("/a", *lines)).get("server-timing") is None
        assert len(origin.asked) == 1


async def test_without_a_token_nobody_is_told() -> None:
    async with edge_and_origin(script) as (edge, _):
        for value in ("", "x"):
            assert (await edge.get("/a", f"Amaro-Debug: {value}")).get("server-timing") is None
