"""Headless Chromium for tests: a page that fails them on console errors and policy violations."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
ARGUMENTS = (
    "--no-sandbox",
    "--headless=new",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
WAIT_MS = 180_000
DRY_S = 1.0  # less than this ahead of the playhead is an empty buffer

# What a video element went through, from its first moment on: its events, and each of its sizes.
OBSERVE = """
self.seen = {events: [], heights: [], times: [], violations: []};
document.addEventListener("securitypolicyviolation", (e) =>
  self.seen.violations.push(`${e.violatedDirective} ${e.blockedURI}`));
const ahead = ({buffered, currentTime}) => {
  for (let i = 0; i < buffered.length; i++)
    if (buffered.start(i) <= currentTime + 0.05 && currentTime < buffered.end(i))
      return buffered.end(i) - currentTime;
  return 0;
};
for (const name of ["waiting", "stalled", "error", "playing", "seeking", "ended"])
  document.addEventListener(name, (e) => {
    if (e.target instanceof HTMLVideoElement && !e.target.closest(".picked"))
      self.seen.events.push([name, e.target.currentTime, ahead(e.target)]);
  }, true);
document.addEventListener("resize", (e) => {
  if (e.target instanceof HTMLVideoElement) self.seen.heights.push(e.target.videoHeight);
}, true);
document.addEventListener("timeupdate", (e) => self.seen.times.push(e.target.currentTime), true);
"""


@dataclass
class Watched:
    """A page with what went wrong on it."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    tolerated: Callable[[str], bool] = lambda _: False

    def note(self, message: ConsoleMessage) -> None:
        """Remember an error of the page's console."""
        text = f"{message.text} {message.location.get('url', '')}"
        if message.type == "error" and not self.tolerated(text):
            self.complaints.append(text)

    def check(self) -> None:
        """Fail when the page complained or its security policy was violated."""
        violations = self.page.evaluate("self.seen ? self.seen.violations : []")
        assert not [*self.complaints, *violations]

    def video(self, expression: str) -> object:
        """The value of a JavaScript expression about `video`."""
        return self.page.evaluate(
            f"(() => {{ const video = amaroPlayer.video; return {expression}; }})()"
        )

    def stalls(self, since_s: float) -> list[object]:
        """Where playback ran dry, failed or jumped back at `since_s` or after it.

        Chromium also says `waiting` when a busy machine decodes too slowly; then there is enough
        in the buffer, and no player could help it.
        """
        seen = self.page.evaluate("seen")
        times = [at for at in seen["times"] if at >= since_s]
        back = [("back", after) for before, after in pairwise(times) if after < before]
        late = [event for event in seen["events"] if event[1] >= since_s]
        dry = [event for event in late if event[0] == "waiting" and event[2] < DRY_S]
        return [*back, *dry, *(event for event in late if event[0] in {"error", "stalled"})]

    def until(self, expression: str, *, max_ms: float = WAIT_MS) -> None:
        """Return when a JavaScript expression about `video` is true."""
        self.until_page(
            f"(video => video && ({expression}))(self.amaroPlayer?.video)", max_ms=max_ms
        )

    def until_page(self, code: str, *, max_ms: float = WAIT_MS) -> None:
        """Return when a JavaScript expression is true; the page's policy forbids to poll inside."""
        deadline = time.monotonic() + max_ms / 1000
        while not self.page.evaluate(code):
            assert time.monotonic() < deadline, f"{code}: not within {max_ms / 1000:.0f} s"
            self.page.wait_for_timeout(100)


@contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    """A headless browser while the block runs."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, headless=True, args=[*ARGUMENTS, *arguments]
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def watched_page(
    browser: Browser,
    viewport: dict[str, int] = DESKTOP,
    *,
    tolerated: Callable[[str], bool] = lambda _: False,
    **options: object,
) -> Iterator[Watched]:
    """A page in a context of its own; leaving the block checks that it had nothing to complain."""
    context: BrowserContext = browser.new_context(viewport=viewport, **options)  # type: ignore[arg-type]
    context.set_default_timeout(WAIT_MS)
    context.add_init_script(OBSERVE)
    page = context.new_page()
    watched = Watched(page, tolerated=tolerated)
    page.on("console", watched.note)
    page.on("pageerror", lambda error: watched.complaints.append(str(error)))
    try:
        yield watched
        watched.check()
    finally:
        context.close()
