"""A real clip through the pages of a running stack: uploaded, watched, found again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, Page

from tests.support import clips
from tests.support.browser import DESKTOP, PHONE, chromium, watched_page
from tests.support.clip import make_clip
from tests.support.encoders import halted, resume
from tests.support.stack import RunningStack, until

TITLE = "A circle meets a square"
READY_MS = 200_000  # on a machine that is busy with other encoders
SLOWLY = 0.0625  # playback that leaves the encoder time, so that the next one joins in mid-play


@pytest.fixture(scope="module")
def browser(stack: RunningStack) -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def console(stack: RunningStack) -> str:
    return stack.url("console")


@dataclass
class Preparing:
    """A story that can be watched, and those who make its next rendition, halted."""

    asset: str
    encoders: list[psutil.Process]


@pytest.fixture(scope="module")
def preparing(
    browser: Browser,
    console: str,
    stack: RunningStack,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Preparing]:
    """The clip, uploaded through the page, as soon as the page says that it can be watched."""
    clip = clips.half_a_minute(tmp_path_factory.mktemp("pages") / "clip.mp4")
    segmenter = stack.service("segmenter").pid
    assert segmenter is not None
    with watched_page(browser) as watched:
        page = watched.page
        page.goto(f"{console}/upload")
        choose(page, clip)
        page.get_by_label("Title").fill(TITLE)
        page.get_by_role("button", name="Share it").click()
        better = until(lambda: halted(segmenter, "540p"), max_s=READY_MS / 1000, what="encoders")
        try:
            page.get_by_role("heading", name=TITLE).wait_for()
            page.get_by_text("In 360p so far").wait_for(timeout=READY_MS)
            watched.until("video.readyState > 1")  # the preview below the steps
            link = page.get_by_role("link", name="Watch it").get_attribute("href")
            assert link
            yield Preparing(link.split("/")[2].split("?")[0], better)
        finally:
            resume(better)


@pytest.fixture
def asset(preparing: Preparing) -> str:
    """The story, which gets better."""
    resume(preparing.encoders)
    return preparing.asset


def choose(page: Page, path: Path) -> None:
    """Pick a file as the file dialog would."""
    page.locator("#file").set_input_files(path)


@pytest.mark.timeout(480)
def test_the_picture_gets_better_while_one_watches(preparing, browser, console):
    with watched_page(browser) as watched:
        watched.page.goto(f"{console}/watch/{preparing.asset}")
        watched.until("video.currentTime > 6")
        assert "error" not in watched.page.evaluate("seen.events.map(([name]) => name)")
        first = watched.video("video.videoHeight")
        watched.video(f"(video.playbackRate = {SLOWLY})")
        resume(preparing.encoders)
        watched.until(f"parseInt(amaroPlayer.qualities[0].label) > {first}", max_ms=READY_MS)
        joined = watched.video("video.currentTime")
        watched.video("(video.playbackRate = 1)")
        watched.until(f"video.videoHeight > {first}")
        watched.until(f"video.currentTime > {watched.video('video.currentTime')} + 2")
        assert watched.stalls(joined) == []
        seen = watched.page.evaluate("seen")
        assert seen["times"] == sorted(seen["times"])
        assert seen["heights"] == sorted(seen["heights"])
        assert seen["heights"][0] < seen["heights"][-1]
        assert watched.page.get_by_role("heading", name=TITLE).is_visible()


def test_the_feed_shows_the_story(asset, browser, console):
    with watched_page(browser, PHONE) as watched:
        page = watched.page
        page.goto(console)
        card = page.get_by_role("listitem").filter(has_text=TITLE)
        card.wait_for()
        assert card.get_by_text("0:30").is_visible()
        watched.until_page("[...document.images].every((i) => i.complete && i.naturalWidth)")
        page.get_by_role("radio", name="South").check()
        card.wait_for(state="detached")  # other regions have other stories
        page.reload()
        page.get_by_role("radio", name="South", checked=True).wait_for()  # it is remembered
        assert card.count() == 0
        page.get_by_role("radio", name="North").check()
        page.get_by_role("link", name=TITLE).click()
        watched.until("video.currentTime > 0.5")
        assert page.url == f"{console}/watch/{asset}?region=north"


def test_the_player_obeys_the_keyboard(asset, browser, console):
    with watched_page(browser, DESKTOP) as watched:
        page, press = watched.page, watched.page.keyboard.press
        page.goto(f"{console}/watch/{asset}")
        watched.until("video.currentTime > 0.5")
        press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        press("Enter")
        press("Tab")  # the seek bar is the player's first control
        assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Seek"
        press("k")
        watched.until("video.paused")
        before = watched.video("video.currentTime")
        press("ArrowRight")
        watched.until(f"Math.abs(video.currentTime - {before} - 5) < 0.01")
        assert " of 30 seconds" in str(page.get_by_label("Seek").get_attribute("aria-valuetext"))
        page.locator(".preview .picture").wait_for(state="attached")
        press("Home")
        watched.until("video.currentTime === 0")
        press("Tab")  # play
        press("Space")
        watched.until("!video.paused")
        press("m")
        watched.until("video.muted")
        page.get_by_role("button", name="Unmute").wait_for()
        page.get_by_role("button", name="Quality").focus()
        press("Enter")
        press("ArrowDown")
        watched.until("amaroPlayer.quality.chosen >= 0")
        press("Escape")
        assert page.evaluate("document.activeElement.className") == "opener"
        press("f")
        watched.until_page("document.fullscreenElement?.classList.contains('player')")


def test_thumbnails_follow_the_pointer(asset, browser, console):
    with watched_page(browser) as watched:
        watched.page.goto(f"{console}/watch/{asset}")
        watched.until("video.currentTime > 0.5")
        box = watched.page.get_by_label("Seek").bounding_box()
        assert box

        def points_at_a_picture() -> bool:
            for share in (0.3, 0.7):  # each touch asks again for pictures that were not made yet
                at = box["x"] + share * box["width"], box["y"] + box["height"] / 2
                watched.page.mouse.move(*at)
            picture = "getComputedStyle(document.querySelector('.picture')).backgroundImage"
            return watched.page.evaluate(f"{picture} !== 'none'")

        until(points_at_a_picture, max_s=READY_MS / 1000, what="a picture above the seek bar")
        assert watched.page.locator(".preview span").text_content() == "0:20"


def test_an_upload_goes_on_after_a_reload(browser, console, tmp_path):
    sent: list[int] = []
    clip = make_clip(tmp_path / "clip.mp4", pad=22 << 20)
    with watched_page(browser, PHONE) as watched:
        page = watched.page
        network = page.context.new_cdp_session(page)
        network.send("Network.enable")
        slow = {"offline": False, "latency": 0, "downloadThroughput": -1}
        network.send("Network.emulateNetworkConditions", {**slow, "uploadThroughput": 3 << 20})
        page.on(
            "request",
            lambda asked: (
                sent.append(int(asked.headers["upload-offset"]))
                if asked.method == "PATCH"
                else None
            ),
        )
        page.goto(f"{console}/upload")
        choose(page, clip)
        page.get_by_role("button", name="Share it").click()
        watched.until_page("document.getElementById('uploading-bar').value > 30")
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("button", name="Go on").wait_for()
        page.reload()
        network.send("Network.emulateNetworkConditions", {**slow, "uploadThroughput": -1})
        page.get_by_text("An upload is not finished").wait_for()
        choose(page, clip)
        page.get_by_role("button", name="Share it").click()
        page.locator("[data-step=uploading][data-state=done]").wait_for()
        assert sent[0] == 0
        assert 0 < sent[-1] < clip.stat().st_size
        page.reload()  # the page remembers which story it follows
        page.locator("[data-step=complete][data-state=done]").wait_for()  # and it came over whole


@pytest.mark.timeout(300)
def test_what_cannot_be_shown_is_said_in_a_sentence(browser, console, tmp_path):
    text = tmp_path / "dance.mp4"
    text.write_text("this is no video at all\n" * 50)
    with watched_page(browser) as watched:
        page = watched.page
        page.goto(f"{console}/upload")
        choose(page, text)
        page.get_by_role("button", name="Share it").click()
        failure = page.get_by_role("alert").filter(has_text=".")
        failure.wait_for(timeout=READY_MS)
        assert len(str(failure.text_content()).split()) > 4
        page.get_by_role("button", name="Share another").click()
        assert page.get_by_label("Title").is_visible()
