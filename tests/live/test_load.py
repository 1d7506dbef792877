"""The load test against a running stack, for a few seconds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg
import pytest

from tests.support.stack import RunningStack, get, until

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def story(stack: RunningStack, tmp_path: Path) -> str:
    """Something to watch, so that viewers need not wait for what the load uploads."""
    clip = tmp_path / "clip.mp4"
    argv = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi"]
    argv += ["-i", "testsrc2=s=320x180:r=25:d=12", "-f", "lavfi", "-i", "sine=d=12"]
    subprocess.run([*argv, "-preset", "ultrafast", "-shortest", str(clip)], check=True)
    done = stack.amaro("upload", str(clip), "--json")
    assert done.returncode == 0, done.stderr
    path = f"/v/{json.loads(done.stdout)['asset_id']}/main.m3u8"
    edge = stack.url("edge-north")
    until(lambda: get(edge + path).is_success, max_s=120, what="the story can be watched")
    return path


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("story")
def test_load_finds_nothing_wrong(stack: RunningStack, tmp_path: Path):
    report = tmp_path / "load.html"
    argv = [sys.executable, "-m", "locustfiles", "--data", str(stack.data.root)]
    argv += ["--users", "6", "--seconds", "8", "--report", str(report)]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=280, check=False, cwd=ROOT)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    said = ended.stdout + ended.stderr
    for name in ("segment v", "segment a", "playlist main", "feed page", "tus patch"):
        assert name in said
    assert "<html" in report.read_text()
