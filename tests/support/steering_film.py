"""What a viewer goes through while a provider fails: filmed in the page, by its clock."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from tests.support.steered_page import FORGIVE, GONE, HOSTS, STATE, Stage, Viewer, plays

LEAD_S: Final = 4.0  # is shown from before the fault
ORDER_S: Final = 10.0  # after it: when a controller moves players at the latest
RECOVERY_S: Final = 15.0
RETURN_S: Final = 17.0  # when it has them come back
END_S: Final = 24.0
FRAME_WIDTH, FRAME_HEIGHT = 112, 63
NAMES: Final = {host: name for name, host in HOSTS.items()} | {GONE: "gone"}

RECORD: Final = f"""
self.film = {{samples: [], asked: [], errors: [], frames: [], first: null}};
self.addEventListener("DOMContentLoaded", () => {{
  const state = () => {STATE};
  const {{film}} = self;
  const canvas = new OffscreenCanvas({FRAME_WIDTH}, {FRAME_HEIGHT});
  const picture = async (now) => {{
    if (!now?.size) return;
    const at = performance.now();
    canvas.getContext("2d").drawImage(amaroPlayer.video, 0, 0, canvas.width, canvas.height);
    const blob = await canvas.convertToBlob({{type: "image/jpeg", quality: 0.9}});
    const bytes = new Uint8Array(await blob.arrayBuffer());
    film.frames.push([at, now.at, now.on, btoa(String.fromCharCode(...bytes))]);
  }};
  setInterval(() => {{
    const now = state();
    if (now) film.samples.push([performance.now(), now.at, now.end - now.at, now.on]);
  }}, 100);
  setInterval(() => picture(state()), 1000);
  const player = setInterval(() => {{
    if (!self.amaroPlayer) return;
    clearInterval(player);
    amaroPlayer.video.requestVideoFrameCallback((now) => (film.first = now));
  }}, 1);
  const engine = setInterval(() => {{
    const hls = self.amaroPlayer?.engine;
    if (!hls) return;
    clearInterval(engine);
    const asks = (url) => film.asked.push([performance.now(), url]);
    hls.on("hlsFragLoading", (_, {{frag}}) => asks(frag.url));
    hls.on("hlsLevelLoading", (_, {{url}}) => asks(url));
    hls.on("hlsAudioTrackLoading", (_, {{url}}) => asks(url));
    hls.on("hlsError", (_, {{type}}) => {{
      if (type === "networkError") film.errors.push(performance.now());
    }});
  }}, 1);
}});
"""


@dataclass(frozen=True)
class Picture:
    """A frame as it was seen."""

    second: float
    playhead_s: float
    pathway: str
    jpeg: bytes


@dataclass(kw_only=True)
class Film:
    """All of it in seconds since the film's beginning."""

    fault: str
    struck_s: float
    ordered_s: float
    recovered_s: float
    returned_s: float
    end_s: float
    samples: list[tuple[float, float, float, str]]  # second, playhead, seconds ahead, pathway
    asked: list[tuple[float, str]]  # of which provider
    errors: list[float]
    pictures: list[Picture]
    stalls: list[object]
    first_frame_s: float | None = None  # of who came while it lasted,
    first_frame_behind_s: float | None = None  # and whose page asked first whom it had befallen

    @property
    def ahead_s(self) -> float:
        """What was buffered when it struck."""
        return min(self.samples, key=lambda each: abs(each[0] - self.struck_s))[2]

    @property
    def left_s(self) -> float | None:
        """How long after it the player was elsewhere."""
        moved = [at for at, _, _, on in self.samples if at > self.struck_s and on == "two"]
        return moved[0] - self.struck_s if moved else None

    @property
    def back_s(self) -> float | None:
        """How long after the order to return it was back."""
        back = [at for at, _, _, on in self.samples if at > self.returned_s and on == "one"]
        return back[0] - self.returned_s if back else None

    @property
    def least_s(self) -> float:
        """The least that was ever buffered from then on."""
        return min(ahead for at, _, ahead, _ in self.samples if at >= self.struck_s)

    @property
    def shows_it(self) -> bool:
        """Whether nobody saw anything, and all came back."""
        firsts = (self.first_frame_s, self.first_frame_behind_s)
        calm = not self.stalls and self.left_s is not None and self.back_s is not None
        return calm and all(each is not None and each <= 6.0 for each in firsts)


def film(running: Stage, fault: str) -> Film:
    """One viewer before, in and after a fault; two that come while it lasts."""
    running.cdns["one"].recover()
    running.steer("one", "two")
    with running.viewer(script=RECORD) as viewer:
        viewer.plays_from("one")
        _rest(viewer, LEAD_S)
        struck = _now_s(viewer)
        running.strike(fault)
        marks = [struck]
        _rest(viewer, struck + ORDER_S - _now_s(viewer))
        marks.append(_now_s(viewer))
        running.steer("two", "one")
        _rest(viewer, struck + RECOVERY_S - _now_s(viewer))
        marks.append(_now_s(viewer))
        running.cdns["one"].recover()
        viewer.watched.page.evaluate(FORGIVE)
        _rest(viewer, struck + RETURN_S - _now_s(viewer))
        marks.append(_now_s(viewer))
        running.steer("one", "two")
        _rest(viewer, struck + END_S - _now_s(viewer))
        developed = _developed(viewer, fault, marks)
    developed.first_frame_s = _first_frame_s(running, fault, "")
    developed.first_frame_behind_s = _first_frame_s(running, fault, running.pages_behind(fault))
    return developed


def _first_frame_s(running: Stage, fault: str, pages: str) -> float | None:
    """How long who comes while it lasts waits for a picture, from the page's request on."""
    running.cdns["one"].recover()
    running.steer("one", "two")
    running.strike(fault)
    with running.viewer(pages=pages, script=RECORD) as viewer:
        viewer.until(plays, what="the first frame")
        first: float | None = viewer.watched.page.evaluate("film.first")
    return None if first is None else first / 1000.0


def _developed(viewer: Viewer, fault: str, marks: list[float]) -> Film:
    told: dict[str, Any] = viewer.watched.page.evaluate("film")
    begin_s = marks[0] - LEAD_S

    def second(at_ms: float) -> float:
        return at_ms / 1000.0 - begin_s

    struck, ordered, recovered, returned = (each - begin_s for each in marks)
    return Film(
        fault=fault,
        struck_s=struck,
        ordered_s=ordered,
        recovered_s=recovered,
        returned_s=returned,
        end_s=_now_s(viewer) - begin_s,
        samples=[(second(at), *rest) for at, *rest in told["samples"] if second(at) >= 0.0],
        asked=[
            (second(at), NAMES.get(urlsplit(url).hostname or "", "here"))
            for at, url in told["asked"]
            if second(at) >= 0.0
        ],
        errors=[second(at) for at in told["errors"] if second(at) >= 0.0],
        pictures=[
            Picture(second(at), playhead_s, on, base64.b64decode(data))
            for at, playhead_s, on, data in told["frames"]
            if second(at) >= 0.0
        ],
        stalls=viewer.watched.stalls(viewer.since_s),
    )


def _now_s(viewer: Viewer) -> float:
    return float(viewer.watched.page.evaluate("performance.now()")) / 1000.0


def _rest(viewer: Viewer, seconds: float) -> None:
    viewer.watched.page.wait_for_timeout(max(0.0, seconds) * 1000.0)
