"""`amaro up --signed`: who has the feed, or the upload's answer, can watch; who guesses cannot."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from tests.support.browser import PHONE, chromium, watched_page
from tests.support.clip import make_clip
from tests.support.stack import get, start_stack

if TYPE_CHECKING:
    from pathlib import Path


def test_a_signed_stack(tmp_path: Path) -> None:
    stack = start_stack(tmp_path / "stack", "--signed")
    try:
        clip = make_clip(tmp_path / "clip.mp4")
        done = stack.amaro("upload", str(clip), "--wait", "--json")
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        bare = f"{stack.url('edge-north')}/v/{answer['asset_id']}/main.m3u8"
        shut = get(bare)
        assert (shut.status_code, shut.headers["cache-status"].rpartition("=")[2]) == (
            403,
            "token-missing",
        )
        main = get(answer["playback_url"])
        assert main.status_code == 200
        names = [line for line in main.text.splitlines() if line and not line.startswith("#")]
        media = get(urljoin(answer["playback_url"], names[0]))  # relative: it inherits the token
        assert media.status_code == 200
        assert media.text.startswith("#EXTM3U")
        for edge in ("edge-north", "edge-south"):
            url = stack.url(edge)
            (story,) = get(f"{url}/feed/north").json()["stories"]
            assert [get(url + story[name]).status_code for name in ("playback", "poster")] == [
                200
            ] * 2
        with chromium() as browser, watched_page(browser, PHONE) as watched:  # no 403 on the way
            page = watched.page
            page.goto(stack.url("console"))
            page.locator("#cards a").first.click()
            watched.until("video.currentTime > 0.3")
            page.get_by_text("You are the first to watch").wait_for()  # the same keys open signals
    finally:
        assert stack.end() == 0
