"""Small real clips for tests, made by the same ffmpeg that the product uses."""

from __future__ import annotations

import subprocess
from pathlib import Path

from imageio_ffmpeg import get_ffmpeg_exe

BOX_HEAD_BYTES = 8


def make_clip(path: Path, *, seconds: float = 2.0, size: str = "320x180", pad: int = 0) -> Path:
    """Write an H.264/AAC clip and return its path; `pad` bytes more in a box that players skip."""
    video = f"testsrc2=size={size}:rate=30:duration={seconds}"
    audio = f"sine=frequency=440:sample_rate=48000:duration={seconds}"
    encoding = (
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "60"),
        *("-c:a", "aac", "-shortest"),
    )
    subprocess.run(
        [
            *(get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-y"),
            *("-f", "lavfi", "-i", video, "-f", "lavfi", "-i", audio, *encoding, str(path)),
        ],
        check=True,
        timeout=180,
    )
    if pad:
        with path.open("ab") as file:
            file.write((BOX_HEAD_BYTES + pad).to_bytes(4, "big") + b"free" + bytes(pad))
    return path
