"""The page "Failover" in a browser, before real members, one of which is gone."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.support.browser import DESKTOP, chromium, watched_page
from tests.support.console import console
from tests.support.failover_group import TOKEN, group

SOON = "{fresh: 10s, hold_off: 2s, hold_off_max: 4s, dwell: 500ms, step: 200ms, rise: 2}"


def test_the_failover_page(tmp_path: Path):
    with (
        group(tmp_path, detection=SOON) as members,
        console({"north": "http://127.0.0.1:1"}, "http://127.0.0.1:1", members=members.urls) as url,
        chromium() as browser,
        watched_page(browser, DESKTOP) as watched,
    ):
        page = watched.page
        watched.tolerated = lambda text: "401" in text or "409" in text or "503" in text
        members.wait_for("a")
        follower = next(name for name in members.urls if name != members.leader())
        members.end(follower, signal.SIGKILL)
        page.goto(f"{url}/failover")
        page.get_by_label("Admin token").fill("wrong")
        page.get_by_role("button", name="Show").click()
        page.get_by_text("That is not the members\u2019 token.").wait_for()
        page.get_by_label("Admin token").fill(TOKEN)
        page.get_by_role("button", name="Show").click()
        page.get_by_text(f"{follower} does not answer").wait_for()
        page.locator(".carried li", has_text="a 100 %").first.wait_for()
        assert page.locator(".service tbody tr").count() == 3

        button = page.locator("#give")
        page.locator("#target").select_option("b")
        page.get_by_label("Who are you").fill("ada")
        page.get_by_label("Why", exact=True).fill("a test")
        assert button.is_disabled()
        page.get_by_label("Type media to confirm").fill("medi")
        assert button.is_disabled()
        page.get_by_label("Type media to confirm").fill("media")
        page.get_by_role("button", name="Switch media to b").click()
        page.get_by_text("Done: b is used first.").wait_for()
        assert button.is_disabled()  # the next one is typed anew
        page.get_by_text("Switched: media to b, by ada").wait_for()
        page.locator(".carried li", has_text="b 100 %").first.wait_for()
        page.locator("#timeline li", has_text="(because: a test)").first.wait_for()

        page.locator("#kind").select_option("unfreeze")
        page.locator("#service").select_option("")
        page.get_by_label("Type everything to confirm").fill("everything")
        page.get_by_role("button", name="Unfreeze everything").click()
        page.get_by_text("Not done: nothing is frozen by these names.").wait_for()
        assert TOKEN not in page.url
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") == 390
