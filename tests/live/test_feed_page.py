"""The feed page in a browser: page by page, as one scrolls."""

from __future__ import annotations

import time
from pathlib import Path

from tests.support.browser import PHONE, chromium, watched_page
from tests.support.console import console
from tests.support.packaged_clip import ClipServer, serving

STORIES = 40


def story(number: int) -> dict[str, object]:
    """A card of the feed; every third is a portrait."""
    wide = number % 3 != 0
    return {
        "asset_id": f"story{number:011d}",
        "title": f"Story {number} <b>told & written</b>",
        "poster": None,
        "duration_s": 61.6 + number,
        "width": 1280 if wide else 720,
        "height": 720 if wide else 1280,
        "playback": f"/v/story{number:011d}/main.m3u8",
        "published": time.time() + 600 - 3600 * number,  # the first is new for a while
    }


def test_scrolling_loads_every_page_once(tmp_path: Path):
    clip = ClipServer(tmp_path, stories=[story(number) for number in range(STORIES)])
    with (
        serving(clip),
        console({"north": clip.url, "south": clip.url}, clip.url) as url,
        chromium() as browser,
        watched_page(browser, PHONE) as watched,
    ):
        page = watched.page
        page.goto(url)
        page.get_by_text("Story 0 <b>told & written</b>").wait_for()  # text, never markup
        assert len(page.locator(".card").all()) < STORIES
        watched.until_page(
            "scrollTo(0, document.body.scrollHeight),"
            f" document.querySelectorAll('.card').length >= {STORIES}"
        )
        names = page.locator(".card").evaluate_all("cards => cards.map((c) => c.dataset.asset)")
        assert names == [story(number)["asset_id"] for number in range(STORIES)]
        assert page.get_by_role("status").text_content() == f"{STORIES} stories shown"
        assert page.locator(".card time").first.text_content() == "just now"
        assert page.locator(".card .length").first.text_content() == "1:021 minute 2 seconds long"
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]

        clip.is_down = True
        watched.tolerated = lambda text: "503" in text
        page.get_by_role("radio", name="South").check()
        page.get_by_role("heading", name="The stories do not load").wait_for()
        clip.is_down = False
        page.get_by_role("button", name="Try again").click()
        page.get_by_text("Story 0 <b>told & written</b>").wait_for()
