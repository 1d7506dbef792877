"""Somebody who shares: a small clip by tus in pieces, with a break in the middle, to the end."""

from __future__ import annotations

import subprocess
import time
from base64 import b64encode
from pathlib import Path
from tempfile import TemporaryDirectory

import gevent
import imageio_ffmpeg
from locust import constant, events, task
from locust.contrib.fasthttp import FastHttpUser
from locust.env import Environment

from locustfiles import targets

PIECES = 3
PLAYABLE_WITHIN_S = 90.0
POLL_S = 0.5
TUS = {"tus-resumable": "1.0.0"}
WATCHABLE = {"playable", "complete"}
LOST = {"failed", "cancelled"}


@events.init.add_listener
def generate_clip(environment: Environment, **_: object) -> None:
    """Make the clip once, before anybody uploads it."""
    with TemporaryDirectory() as folder:
        out = Path(folder) / "clip.mp4"
        argv = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi"]
        argv += ["-i", "testsrc2=s=640x360:r=25:d=6", "-f", "lavfi", "-i", "sine=d=6"]
        argv += ["-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-pix_fmt", "yuv420p"]
        argv += ["-c:a", "aac", "-shortest", "-movflags", "+faststart", str(out)]
        subprocess.run(argv, check=True, timeout=60)
        environment.amaro_clip = out.read_bytes()  # type: ignore[attr-defined]


class Uploader(FastHttpUser):
    """One uploader; there are few of them, because every upload is work for an encoder."""

    fixed_count = 1
    wait_time = constant(20.0)
    network_timeout = 30.0
    host = "http://unused"  # requests name their server in full

    def on_start(self) -> None:
        """Learn where uploads go."""
        self.aims = targets.from_environment()

    @task
    def share(self) -> None:
        """Upload, wait until it can be watched, and see that every edge has it."""
        if self.aims.origin is None:
            gevent.sleep(60)
            return
        began = time.monotonic()
        clip: bytes = self.environment.amaro_clip
        created = self.create(len(clip))
        if created is None or not self.send(created[0], clip):
            return
        why = self.wait_playable(created[1])
        self.environment.events.request.fire(
            request_type="UPLOAD",
            name="to first playable",
            response_time=1000 * (time.monotonic() - began),
            response_length=len(clip),
            exception=RuntimeError(why) if why else None,
            context={},
        )
        if why is None:
            for edge in self.aims.edges.values():
                self.client.get(f"{edge}/v/{created[1]}/main.m3u8", name="playlist main (new)")

    def create(self, length: int) -> tuple[str, str] | None:
        """Create an upload; (its URL, its asset) (tus 1.0, creation)."""
        said = {"filename": "load.mp4", "filetype": "video/mp4", "title": "Load test"}
        said["region"] = targets.REGION
        metadata = ",".join(f"{k} {b64encode(v.encode()).decode()}" for k, v in said.items())
        headers = {**TUS, "upload-length": str(length), "upload-metadata": metadata}
        url = f"{self.aims.origin}/uploads/"
        with self.client.post(
            url, name="tus create", headers=headers, catch_response=True
        ) as answer:
            fields = answer.headers or {}
            location, asset_id = fields.get("location"), fields.get("amaro-asset-id")
            if answer.status_code != 201 or not location or not asset_id:
                answer.failure(f"status {answer.status_code}: {answer.text}")
                return None
            return (location if "://" in location else f"{self.aims.origin}{location}"), asset_id

    def send(self, url: str, clip: bytes) -> bool:
        """Send the clip in pieces, asking after each break where to go on."""
        size = -(-len(clip) // PIECES)
        offset: int | None = 0
        while offset is not None and offset < len(clip):
            piece = clip[offset : offset + size]
            headers = {
                **TUS,
                "content-type": "application/offset+octet-stream",
                "upload-offset": str(offset),
            }
            with self.client.patch(
                url,
                data=piece,  # type: ignore[arg-type]  # bytes go as they are
                name="tus patch",
                headers=headers,
                catch_response=True,
            ) as answer:
                if answer.status_code != 204:
                    answer.failure(f"status {answer.status_code}: {answer.text}")
                    return False
            if offset + len(piece) == len(clip):
                return True
            offset = self.where(url)
        return offset is not None

    def where(self, url: str) -> int | None:
        """How many bytes the origin has (tus 1.0, HEAD)."""
        with self.client.head(url, name="tus head", headers=TUS, catch_response=True) as answer:
            text = (answer.headers or {}).get("upload-offset") or ""
            if answer.status_code != 200 or not text.isdigit():
                answer.failure(f"status {answer.status_code}, offset {text!r}")
                return None
            return int(text)

    def wait_playable(self, asset_id: str) -> str | None:
        """None once the story can be watched, else why it cannot."""
        deadline = time.monotonic() + PLAYABLE_WITHIN_S
        while time.monotonic() < deadline:
            url = f"{self.aims.origin}/api/assets/{asset_id}"
            with self.client.get(url, name="asset state", catch_response=True) as answer:
                if answer.status_code != 200:
                    answer.failure(f"status {answer.status_code}")
                    return f"status {answer.status_code}"
                asset = answer.json()
            if asset["state"] in WATCHABLE:
                return None
            if asset["state"] in LOST:
                return str(asset["error"] or asset["state"])
            gevent.sleep(POLL_S)
        return f"not within {PLAYABLE_WITHIN_S:.0f} s"
