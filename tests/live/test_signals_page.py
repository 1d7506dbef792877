"""Pages in a browser, with a real hub: they see each other, and what comes new."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from cache_policies.signal_access import shared_ring
from tests.support.browser import PHONE, Watched, chromium, watched_page
from tests.support.console import console
from tests.support.edge_node import TOKEN, RunningNode, edge_node
from tests.support.packaged_clip import ClipServer, serving

ASSET = "a" * 16
TELL = """
self.told = [];  // all that the page says, however short: a busy machine looks seldom
new MutationObserver((changes) => {
  for (const { addedNodes, target, type } of changes) {
    for (const node of addedNodes) told.push(node.textContent);
    if (type === "attributes") told.push(`${target.textContent} ${target.disabled ? "off" : "on"}`);
  }
}).observe(document.getElementById("main"), {
  attributeFilter: ["disabled"], childList: true, subtree: true,
});
"""
KEPT = "still\u200b here"  # as typed; what shows nothing is not sent


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def clip(tmp_path: Path) -> Iterator[ClipServer]:
    with serving(ClipServer(tmp_path, ring=shared_ring(TOKEN))) as running:
        yield running


@pytest.fixture
def node(clip: ClipServer) -> Iterator[RunningNode]:
    hub = ("--realtime", "127.0.0.1:0", "--realtime-origin", "*")
    with edge_node(clip.url, *hub) as running:
        yield running


@pytest.fixture
def url(clip: ClipServer, node: RunningNode) -> Iterator[str]:
    with console({"north": node.url}, clip.url, realtime=True) as running:
        yield running


def story(asset_id: str) -> dict[str, object]:
    told = {"asset_id": asset_id, "title": "Just told", "poster": None, "duration_s": 9.0}
    return told | {"width": 720, "height": 1280, "published": time.time()}


def clients(node: RunningNode) -> str:
    lines = node.admin("GET", "/metrics").text.splitlines()
    return next((each for each in lines if each.startswith("amaro_edge_realtime_clients ")), "")


def test_a_new_story_is_offered_on_the_feed(
    browser: Browser, clip: ClipServer, node: RunningNode, url: str
) -> None:
    with watched_page(browser, PHONE) as watched:
        page = watched.page
        page.goto(url)
        page.get_by_text("No stories here yet").wait_for()
        while not clients(node).endswith(" 1.0"):
            page.wait_for_timeout(50)
        clip.stories.append(story(ASSET))
        node.purge(all=True)
        said = {"topic": "feed:north", "kind": "watchable", "value": {"asset_id": ASSET}}
        told = said | {"key": f"{ASSET}-watchable"}
        offer = page.get_by_role("button", name="A new story is here")
        while not offer.is_visible():  # it may have connected, and not have joined yet
            told["key"] += "+"
            assert node.admin("POST", "/signals", json=told).status_code == 200
            page.wait_for_timeout(100)
        offer.click()
        page.get_by_text("Just told").wait_for()
        assert not offer.is_visible()


def test_what_came_while_there_was_no_hub_is_offered(
    browser: Browser, clip: ClipServer, node: RunningNode, url: str
) -> None:
    with watched_page(browser, tolerated=lambda text: "ws" in text) as watched:
        page = watched.page
        page.goto(url)
        page.get_by_text("No stories here yet").wait_for()
        while not clients(node).endswith(" 1.0"):
            page.wait_for_timeout(50)
        clip.stories.append(story(ASSET))
        node.purge(all=True)
        offer = page.get_by_role("button", name="A new story is here")
        pid = None
        while not offer.is_visible():
            running = node.status()["realtime"]["pid"]
            if running not in {None, pid} and clients(node).endswith(
                " 1.0"
            ):  # it is back, and knows nothing
                os.kill(running, signal.SIGKILL)
                pid = running
            page.wait_for_timeout(1000)
        offer.click()
        page.get_by_text("Just told").wait_for()


def talk(ada: Watched, ben: Watched) -> None:
    """Ben types and sends a line, with the keyboard; ada sees both, and both as text."""
    field = ben.page.get_by_role("textbox", name="Say something to those who watch now")
    field.press_sequentially("<b>hi</b>")
    ada.until_page('told.includes("Somebody is typing …")')
    field.press("Enter")
    ada.until_page('told.includes("Somebody: <b>hi</b>")')
    assert not ada.page.get_by_text("is typing").is_visible()
    assert field.input_value() == ""
    ben.until_page('told.includes("You: <b>hi</b>")')
    assert not ben.page.evaluate('told.includes("Somebody is typing …")')
    field.fill(KEPT)


def test_those_who_watch_see_each_other(browser: Browser, node: RunningNode, url: str) -> None:
    def absent(text: str) -> bool:
        return "404" in text or "ws" in text  # the story itself, and the hub for a while

    with (
        watched_page(browser, PHONE, tolerated=absent) as ada,
        watched_page(browser, PHONE, tolerated=absent) as ben,
    ):
        for each in (ada, ben):
            each.page.goto(f"{url}/watch/{ASSET}")
            each.page.evaluate(TELL)
        for each in (ada, ben):
            each.page.get_by_text("2 people are watching").wait_for()
        ben.page.get_by_role("button", name="Bravo").click()
        ada.until_page('told.includes("👏")')
        talk(ada, ben)
        ben.page.evaluate("told.length = 0")
        os.kill(node.status()["realtime"]["pid"], signal.SIGKILL)
        ben.until_page('told.includes("👏 off")')
        ben.page.get_by_role("button", name="Bravo", disabled=False).wait_for()
        ben.page.get_by_text("2 people are watching").wait_for()
        ben.page.get_by_role("button", name="Send", disabled=False).wait_for()
        field = ben.page.get_by_role("textbox")
        assert field.input_value() == KEPT
        field.press("Enter")
        ada.until_page('told.includes("Somebody: still here")')
