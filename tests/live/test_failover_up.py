"""`amaro up --failover`: a playing page is moved between its edges, by order and by itself."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import psutil
import pytest

from amaro.failover_members import KIND
from tests.support.browser import chromium, watched_page
from tests.support.clip import make_clip
from tests.support.stack import RunningStack, get, start_stack, until

pytestmark = pytest.mark.timeout(600)
# Who was too slow once, as on a busy machine, is left alone for five minutes; they are over.
FORGIVING = """(() => {
  amaroPlayer.video.loop = true;
  for (const each of amaroPlayer.engine?.networkControllers ?? [])
    if (each.penalizedPathways) each.penalizedPathways = {};
  return amaroPlayer.pathway;
})()"""


@contextmanager
def silent(stack: RunningStack, name: str) -> Iterator[None]:
    """Stop all that a service consists of: it takes connections, and says nothing."""
    pid = stack.service(name).pid
    assert pid is not None
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for each in processes:
        each.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for each in processes:
            with suppress(psutil.NoSuchProcess):
                each.send_signal(signal.SIGCONT)


def test_a_page_that_plays_is_moved(tmp_path):
    stack = start_stack(tmp_path / "stack", "--failover")
    try:
        edges = [stack.url("edge-north"), stack.url("edge-south")]
        assert edges == [f"http://127.0.0.{n}:{stack.port_base}" for n in (2, 3)]
        assert stack.stack.of_kind(KIND)
        clip = make_clip(tmp_path / "clip.mp4", seconds=8.0)
        sent = stack.amaro("upload", str(clip), "--wait", "--json")
        shown = json.loads(sent.stdout)
        path = urlsplit(shown["playback_url"]).path
        until(  # members have just begun, and a page asks once
            lambda: all("#EXT-X-CONTENT-STEERING" in get(each + path).text for each in edges),
            max_s=180,
            what="steered playlists",
        )
        with (
            chromium() as browser,
            watched_page(browser, tolerated=lambda text: "127.0.0." in text) as watched,
        ):
            watched.page.goto(shown["watch_url"])
            for target in ("edge-south", "edge-north"):
                done = stack.amaro("failover", "switch", "media", target, "--why", "a test")
                assert done.returncode == 0, done.stderr
                watched.until_page(f"{FORGIVING} === '{target}'")
                watched.page.get_by_text(f"plays from {target}").wait_for()
            with silent(stack, "edge-north"):
                watched.until_page("amaroPlayer.pathway === 'edge-south'")
            watched.check()  # the page's policy lets it go to both
    finally:
        assert stack.end() == 0
