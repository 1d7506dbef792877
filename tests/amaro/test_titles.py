"""Titles of stories: asked for once, and none where there is none."""

from __future__ import annotations

import asyncio
import json

from amaro.titles import Titles
from tests.support.edges import response, running_origin

STORY, UNTITLED, GONE = "k3jd72lqafh5xz7a", "bbbbbbbbbbbbbbbb", "cccccccccccccccc"


async def script(asked, writer: asyncio.StreamWriter) -> None:
    story = asked.target.rpartition(b"/")[2].decode()
    if story == GONE:
        writer.write(response(b"not found", status="404 Not Found"))
    else:
        title = "Kolo <b>at</b> night" if story == STORY else None
        writer.write(response(json.dumps({"title": title}).encode()))


async def test_titles():
    async with running_origin(script) as origin:
        titles = Titles(origin.url)
        for _ in range(2):
            await titles.learn([STORY, UNTITLED, GONE, "/films/one", "../../etc/passwd"])
        assert [titles.of(each) for each in (STORY, UNTITLED, GONE, "/films/one")] == [
            "Kolo <b>at</b> night", "", "", ""
        ]  # fmt: skip
        assert sorted(asked.target for asked in origin.asked) == [
            f"/api/assets/{each}".encode() for each in (UNTITLED, GONE, STORY)
        ]


async def test_without_an_origin_nobody_is_asked():
    titles = Titles(None)
    await titles.learn([STORY])
    assert titles.of(STORY) == ""
    silent = Titles("http://127.0.0.1:1")
    await silent.learn([STORY])
    assert silent.of(STORY) == ""
