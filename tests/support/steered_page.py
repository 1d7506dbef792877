"""A watch page that is steered between two CDNs, which fail one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser

from tests.support.browser import Watched, chromium, watched_page
from tests.support.cdn import FAULTS, Cdn, cdn, key_hash
from tests.support.console import console
from tests.support.edge_node import RunningNode, edge_node
from tests.support.packaged_clip import ASSET, ClipServer, Cut, serving
from tests.support.steering import order, steered
from tests.support.tls import EDGE

HOSTS: Final = {"one": "127.0.0.2", "two": "127.0.0.3"}
GONE: Final = "gone.invalid"  # is in no DNS (RFC 6761 §6.4)
DNS_GONE: Final = "its-dns-gone"
EVERY_FAULT: Final = (*FAULTS, DNS_GONE)
NAMES: Final = ("360p", "540p")
PICTURE: Final = "testsrc2=s=640x360:r=25"
CUT: Final = Cut(
    names=NAMES, segment_s=2, picture=PICTURE
)  # one is asked for soon after each fault
BUFFER_S: Final = 10  # and up to a segment more, so at most 12
TTL_S: Final = 1
ATTEMPTS_MAX: Final = 4
SLEPT_MAX_MS: Final = 1000  # between two looks of 100 ms

# What is buffered from the playhead on, and where the last segment came from.
STATE = """(() => {
  const {video, engine} = self.amaroPlayer ?? {};
  if (!video) return null;
  const {buffered, currentTime} = video;
  let end = currentTime;
  for (let i = 0; i < buffered.length; i++)
    if (buffered.start(i) <= currentTime + 0.1) end = Math.max(end, buffered.end(i));
  const level = engine?.levels?.[engine.loadLevel];
  return {at: currentTime, end, on: level?.pathwayId ?? "", size: video.videoWidth};
})()"""
SMALL_BUFFER = f"""
self.errors = [];
self.moves = [];
self.slept = 0; // ms
let looked = performance.now();
setInterval(() => {{
  self.slept = Math.max(self.slept, performance.now() - looked);
  looked = performance.now();
}}, 100);
self.addEventListener("DOMContentLoaded", () => {{
  const set = () => {{
    const engine = self.amaroPlayer?.engine;
    if (!engine) return setTimeout(set, 1);
    Object.assign(engine.config, {{maxBufferLength: {BUFFER_S}, maxMaxBufferLength: {BUFFER_S}}});
    engine.on("hlsLevelsUpdated", (_, {{levels: [{{pathwayId}}]}}) =>
      self.moves.push(
        [pathwayId, engine.mainForwardBufferInfo?.len ?? 0, performance.now()]));
    engine.on("hlsError", (_, {{details, fatal, error, response, frag, url, errorAction}}) =>
      self.errors.push(
        [details, fatal, `${{error}}`, response?.code, frag?.url ?? url, errorAction]));
  }};
  set();
}});
"""
# Which answers took more than a second, of those that came.
LATE = """performance.getEntriesByType("resource").filter((each) => each.duration > 1000)
  .map((each) => each.name)"""
# hls.js leaves a pathway alone for five minutes; they are over.
FORGIVE = """(() => {
  for (const each of amaroPlayer.engine.networkControllers)
    if (each.penalizedPathways) each.penalizedPathways = {};
})()"""


def plays(now: dict[str, Any]) -> bool:
    """Whether there was a first frame."""
    return bool(now["size"] > 0 and now["at"] > 0.2)


@dataclass(kw_only=True)
class Stage:
    """Everything that runs, and the controller's place: `steer` says where players are to go."""

    browser: Browser
    pages: str  # that begin at an edge
    behind: dict[str, str]  # that begin at a host of `HOSTS`, or at one that is in no DNS
    edge: RunningNode
    cdns: dict[str, Cdn]
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    scenes: int = 0
    replays: list[str] = field(default_factory=list)  # why each was needed

    def steer(self, *names: str, ttl_s: float = TTL_S, hosts: dict[str, str] | None = None) -> None:
        """Have players try these pathways in this order."""
        hosts = HOSTS | (hosts or {})
        service = steered(
            server_uri=f"{self.url}/.amaro/steer",
            ttl_s=ttl_s,
            pathways=[{"id": name, "host": hosts[name]} for name in names],
            shares=[[names[0], 1.0]],
            order=list(names),
        )
        put = self.edge.admin("PUT", "/steering", json=order(service, number=next(self.numbers)))
        assert put.status_code == 200, put.text

    def strike(self, fault: str) -> None:
        """Have this befall the first provider."""
        if fault == DNS_GONE:  # a name is looked up anew where it is new: as a third provider's
            self.steer("gone", "two", hosts={"gone": GONE})
        else:
            FAULTS[fault](self.cdns["one"])

    def recover(self, viewer: Viewer) -> None:
        """End it, and have players come back as a controller does after a hold-off."""
        self.steer("two", "one")
        self.cdns["one"].recover()
        viewer.watched.page.evaluate(FORGIVE)
        self.steer("one", "two")

    def shows(self, scene: Callable[[Viewer], None], *, struck: str = "", pages: str = "") -> None:
        """Play a scene to its end; anew, a few times, where the machine had no time for it.

        The viewer comes after what has `struck`.
        """
        self.scenes += 1
        for attempt in range(ATTEMPTS_MAX):
            self.cdns["one"].recover()
            self.steer("one", "two")
            if struck:
                self.strike(struck)
            with self.viewer(pages=pages) as viewer:
                try:
                    scene(viewer)
                except AssertionError as failed:
                    if attempt + 1 == ATTEMPTS_MAX or not (late := viewer.disturbed_by):
                        raise
                    self.replays.append(f"late from a healthy host: {late}; {failed}")
                else:
                    return

    @property
    def url(self) -> str:
        return f"https://{self.edge.settings.listen}"

    def pages_behind(self, fault: str) -> str:
        """Pages that ask first whom this befalls."""
        return self.behind["gone" if fault == DNS_GONE else "one"]

    @contextmanager
    def viewer(self, *, pages: str = "", script: str = "") -> Iterator[Viewer]:
        """A page that plays; a script of its own runs first."""
        with watched_page(
            self.browser, tolerated=lambda _: True, ignore_https_errors=False
        ) as watched:
            watched.page.add_init_script(SMALL_BUFFER + script)
            viewer = Viewer(watched)
            watched.page.on("request", lambda each: viewer.asked.append(each.url))
            watched.page.goto(f"{pages or self.pages}/watch/{ASSET}")
            yield viewer


@dataclass
class Viewer:
    """Somebody who watches."""

    watched: Watched
    samples: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)  # URLs
    since_s: float = 0.2  # of the video
    began_mono: float = field(default_factory=time.monotonic)

    def state(self) -> dict[str, Any]:
        """Where the playhead is, the end of the buffer, and the pathway in use."""
        state = self.watched.page.evaluate(STATE) or {"at": 0, "end": 0, "on": "", "size": 0}
        self.samples.append((time.monotonic() - self.began_mono, state))
        return state

    def until(
        self, wanted: Callable[[dict[str, Any]], bool], *, max_s: float = 60.0, what: str = "it"
    ) -> dict[str, Any]:
        """The first state of which `wanted` holds."""
        deadline = time.monotonic() + max_s
        while not wanted(state := self.state()):
            assert time.monotonic() < deadline, self.told(what)
            self.watched.page.wait_for_timeout(100)
        return state

    def told(self, what: str) -> str:
        """What a failed test says."""
        errors = self.watched.page.evaluate("JSON.stringify(self.errors)")
        return f"{what}: not in time; {self.samples[-1]}, errors {errors}"

    def plays_from(self, name: str) -> dict[str, Any]:
        """Have it play from a pathway, with 8 to 12 s in its buffer, and look on from here."""
        self.until(plays, what="the first frame")
        self.watched.video("video.pause()")  # a busy machine may be no faster than the video
        state = self.until(
            lambda now: now["on"] == name and now["end"] - now["at"] >= 8.0,
            what=f"playing from {name}",
        )
        self.watched.video("video.play()")
        self.since_s = state["at"] + 0.05
        return state

    @property
    def disturbed_by(self) -> list[str]:
        """What is well and was too slow: others have this machine, and nothing is shown."""
        slept_ms, errors = self.watched.page.evaluate("[self.slept, self.errors]")
        late = [each[4] or "" for each in errors if each[0].endswith("TimeOut")]
        late += self.watched.page.evaluate(LATE)
        found = [url for url in late if HOSTS["one"] not in url and GONE not in url]
        return [*found, *([f"the page: {slept_ms:.0f} ms"] if slept_ms > SLEPT_MAX_MS else [])]

    def asked_once(self, host: str) -> None:
        """It left this host at its first silence, for another."""
        assert sum(f"//{host}:" in url and "/main.m3u8?CMCD=" in url for url in self.asked) == 1
        moves = self.watched.page.evaluate("self.moves.map(([to]) => to)")
        assert moves[:1] in ([], ["two"])

    def left_calmly(self) -> None:
        """It left the host of the playlist with enough in its buffer, or after a long wait."""
        to, ahead_s, at_ms = self.watched.page.evaluate("self.moves")[0]
        assert to == "one"
        assert ahead_s >= 6.0 or at_ms > 15_000.0

    def check(self) -> None:
        """Nothing was seen of it: no stall, no error, no step back."""
        stalls = self.watched.stalls(self.since_s)
        assert not stalls, stalls


@contextmanager
def stage(folder: Path, work: Path) -> Iterator[Stage]:
    """An edge with a packaged clip behind it, two CDNs before it, the pages and a browser."""
    clip = ClipServer(folder)
    clip.publish(*NAMES, complete=True)
    trusted = f"--ignore-certificate-errors-spki-list={key_hash(EDGE)}"
    tls = ("--tls-cert", EDGE.certificate, "--tls-key", EDGE.key)
    with serving(clip), edge_node(clip.url, *tls) as edge, ExitStack() as running:
        port, own = edge.settings.listen.port, f"https://{edge.settings.listen}"
        urls = {name: f"https://{host}:{port}" for name, host in HOSTS.items()}
        urls["gone"] = f"https://{GONE}:{port}"
        cdns = {
            name: running.enter_context(cdn(host, port, own, work / name))
            for name, host in HOSTS.items()
        }

        def pages(edges: dict[str, str]) -> str:
            to = console(edges, clip.url, providers=[*urls.values(), own])
            return running.enter_context(to)

        yield Stage(
            browser=running.enter_context(chromium(trusted)),
            pages=pages({"north": own}),
            behind={
                name: pages({name: urls[name], "two": urls["two"]}) for name in ("one", "gone")
            },
            edge=edge,
            cdns=cdns,
        )
