"""Better renditions join while a real browser plays: no stall, no error, no jump."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support.browser import PHONE, chromium, watched_page
from tests.support.console import console
from tests.support.packaged_clip import ASSET, DURATION_S, ClipServer, package, serving


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clip")
    package(root)
    return root


@pytest.fixture
def clip(folder: Path) -> Iterator[ClipServer]:
    with serving(ClipServer(folder)) as running:
        yield running


@pytest.fixture
def pages(clip: ClipServer) -> Iterator[str]:
    with console({"north": clip.url}, clip.url) as url:
        yield url


def test_better_and_lesser_renditions_join_in_mid_play(browser, clip, pages):
    clip.publish("540p")
    with watched_page(browser) as watched:
        watched.page.goto(f"{pages}/watch/{ASSET}")
        watched.until("video.currentTime > 6 && video.videoHeight === 540")
        joined = watched.video("video.currentTime")
        clip.publish("360p", "540p", "720p")  # the playing one gets another number
        watched.until("video.videoHeight === 720")
        watched.until(f"video.currentTime > {watched.video('video.currentTime')} + 3")
        assert watched.stalls(joined) == []
        assert watched.page.evaluate("seen.heights") == [540, 720]
        labels = watched.page.evaluate("amaroPlayer.qualities.map((one) => one.label)")
        assert labels == ["720p", "540p", "360p"]
        clip.publish("360p", "540p", "720p", complete=True)

        # Who goes back sees the better picture, too.
        watched.video("(video.currentTime = 2)")
        watched.until("!video.seeking && video.currentTime > 2.5")
        assert watched.video("video.videoHeight") == 720
        # To the end: the stream still knows where it ends.
        watched.video(f"(video.currentTime = {DURATION_S - 2})")
        watched.until("video.ended")


def test_a_chosen_quality_stays_chosen(browser, clip, pages):
    clip.publish("540p", "720p")
    with watched_page(browser) as watched:
        page = watched.page
        page.goto(f"{pages}/watch/{ASSET}")
        watched.until("video.currentTime > 0.5")
        watched.video("video.pause()")  # else it may be over before a slow browser has chosen
        page.get_by_role("button", name="Quality").click()
        page.get_by_role("radio", name="540p 1.9").check()
        watched.video("video.play()")
        watched.until("video.videoHeight === 540")
        clip.publish("360p", "540p", "720p", complete=True)
        watched.until("amaroPlayer.qualities.length === 3")
        at = watched.video("video.currentTime")
        watched.until(f"video.currentTime > {at} + 5")
        assert watched.video("video.videoHeight") == 540
        assert watched.video("amaroPlayer.quality") == {"chosen": 1, "shown": "540p"}
        page.get_by_role("radio", name="Automatic").check()
        watched.until("video.videoHeight === 720")


def test_playback_begins_by_itself_when_the_story_is_ready(browser, clip, pages):
    def is_expected(text: str) -> bool:
        return "404" in text

    with watched_page(browser, PHONE, tolerated=is_expected) as watched:
        page = watched.page
        page.goto(f"{pages}/watch/{ASSET}")
        page.get_by_text("is being prepared (40 %)").wait_for()
        clip.publish("360p")
        watched.until("video.currentTime > 1")
        page.get_by_text("Sharper pictures are on their way").wait_for()
        clip.publish("360p", complete=True)
        page.get_by_text("Sharper pictures are on their way").wait_for(state="hidden")


def test_the_path_of_a_story_changes_while_it_plays(browser, clip):
    clip.publish("360p", "540p", complete=True)
    clip.token = "a" * 40
    clip.turns.append((6, "b" * 40))  # as after a long sleep: what the page has opens no more
    with (
        console({"north": clip.url}, clip.url, signed=True) as pages,
        watched_page(browser, tolerated=lambda text: "403" in text) as watched,
    ):
        watched.page.goto(f"{pages}/watch/{ASSET}")
        watched.until("video.currentTime > 0.5 && video.buffered.end(0) > 39")
        refused = clip.refused
        assert refused > 0
        assert watched.stalls(0.5) == []
        clip.token, clip.older = "c" * 40, (clip.token,)
        watched.until(f"amaroPlayer.url.includes('{clip.token}')")  # it asked in time
        clip.older = ()
        watched.page.evaluate("amaroPlayer.start(20)")
        watched.until("video.readyState >= 3 && video.currentTime >= 20")
        assert clip.refused == refused
        assert "error" not in {event[0] for event in watched.page.evaluate("seen.events")}


def test_a_story_that_was_picked_from_a_feed_plays_without_the_origin(browser, clip):
    clip.publish("360p", complete=True)
    clip.token = "a" * 40
    facts = {"duration_s": 40.0, "width": 640, "height": 360, "published": time.time()}
    told = {"asset_id": ASSET, "title": "A clip", "playback": f"{clip.base}/main.m3u8"}
    clip.stories.append(told | {"poster": None} | facts)
    with (
        console({"north": clip.url}, clip.url, signed=True) as pages,
        watched_page(browser, PHONE, tolerated=lambda text: "503" in text) as watched,
    ):
        watched.page.goto(pages)
        clip.has_catalog = False
        watched.page.get_by_role("link", name="A clip").click()
        watched.until("video.currentTime > 0.5")
        assert clip.refused == 0


def test_another_region_takes_over(browser, folder, clip):
    """The nearest edge does not answer: the next one plays the same story."""
    clip.publish("360p", "720p", complete=True)
    far = ClipServer(folder, names=clip.names, complete=True)
    with (
        serving(far),
        console({"north": clip.url, "south": far.url}, far.url) as url,
        watched_page(browser, tolerated=lambda text: "503" in text) as watched,
    ):
        watched.page.goto(f"{url}/watch/{ASSET}")
        watched.until("video.currentTime > 1")
        clip.is_down = True
        watched.page.reload()
        watched.until("video.currentTime > 1")
        assert any("CMCD" in path for path in far.requests)


def test_when_no_edge_answers_there_is_a_sentence_and_a_way_on(browser, clip, pages):
    clip.publish("360p", complete=True)
    clip.is_down = True
    with watched_page(browser, PHONE, tolerated=lambda text: "503" in text) as watched:
        page = watched.page
        page.goto(f"{pages}/watch/{ASSET}")
        page.get_by_text("The video does not arrive.").wait_for()
        clip.is_down = False
        page.get_by_role("button", name="Try again").click()
        watched.until("video.readyState >= 3")
        assert page.get_by_text("The video does not arrive.").is_hidden()
