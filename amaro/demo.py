"""`amaro up --demo`: a clip that is made here and uploaded like anyone's."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from amaro.health import answers_ok
from amaro.processes import Command, spawn, stop, tail

if TYPE_CHECKING:
    from amaro.services import Site
    from amaro.stack import DataDir

TITLE: Final = "Amaro Edge demo"
LENGTH_S: Final = 20
POLL_S: Final = 0.1
WATCHABLE_MAX_S: Final = 120.0

# Small gradients scaled up: twenty seconds of them at full size would take twenty seconds.
PICTURE: Final = (
    "gradients=size=320x180:rate=30:nb_colors=5:type=spiral:speed=0.03:seed=7:"
    "c0=0x1b0b3b:c1=0x6a1e7a:c2=0xf2545b:c3=0xf9c74f:c4=0x118ab2,"
    "format=yuv420p,scale=1280:720:flags=bilinear,"
    "drawtext=fontfile={font}:text='Amaro Edge':fontcolor=white:fontsize=110:"
    "x=(w-tw)/2:y=(h-th)/2-60,"
    "drawtext=fontfile={font}:text='%{{pts\\:hms}}':fontcolor=white@0.85:fontsize=56:"
    "x=(w-tw)/2:y=h/2+50"
)
# Two plucked notes a second, climbing in fifths over a low drone.
SOUND: Final = (
    "aevalsrc='0.12*sin(2*PI*t*220*pow(2\\,mod(floor(t*2)*7\\,12)/12))*exp(-3*mod(t\\,0.5))"
    "+0.06*sin(2*PI*t*440*pow(2\\,mod(floor(t*2)*7\\,12)/12))*exp(-3*mod(t\\,0.5))"
    "+0.05*sin(2*PI*110*t)':sample_rate=48000"
)
ENCODING: Final = (
    *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "22", "-pix_fmt", "yuv420p"),
    *("-g", "60", "-keyint_min", "60", "-sc_threshold", "0", "-flags", "+cgop"),
    *("-c:a", "aac", "-b:a", "128k", "-movflags", "+faststart"),
)


class DemoError(Exception):
    """The demo clip could not be shown; the stack is none the worse for it."""


async def show_demo(site: Site, started: asyncio.Event) -> str:
    """Return the id of a watchable demo clip; one is made and uploaded the first time."""
    clip = site.data.root / "demo.mp4"
    if not clip.exists():
        await _make(site.data, clip)
    await started.wait()
    memory = site.data.root / "demo.json"
    asset_id = _shown_before(memory)
    if asset_id is None or not await answers_ok(playlist_url(site, asset_id)):
        asset_id = await _upload(site.data, clip)
        memory.write_text(json.dumps({"asset_id": asset_id}))
        await _until_watchable(playlist_url(site, asset_id))
    return str(asset_id)


def _shown_before(memory: Path) -> str | None:
    """Return the id of the clip that an earlier run uploaded, None when nobody knows."""
    try:
        return str(json.loads(memory.read_text())["asset_id"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def playlist_url(site: Site, asset_id: str) -> str:
    """Return the playlist at the origin itself, which knows first."""
    return f"{site.url(site.ports.origin)}/v/{asset_id}/main.m3u8"


async def _make(data: DataDir, clip: Path) -> None:
    """Generate the clip; it appears under its name only when it is whole."""
    from imageio_ffmpeg import get_ffmpeg_exe  # noqa: PLC0415

    draft, font = clip.with_suffix(".part.mp4"), data.run / "demo.ttf"
    _write_font(font)
    argv = (
        *(get_ffmpeg_exe(), "-nostdin", "-hide_banner", "-loglevel", "error", "-y"),
        *("-f", "lavfi", "-i", PICTURE.format(font=_filter_quoted(font))),
        *("-f", "lavfi", "-i", SOUND),
        *("-t", str(LENGTH_S), *ENCODING, str(draft)),
    )
    await _run(data, argv)
    draft.replace(clip)
    font.unlink()


async def _upload(data: DataDir, clip: Path) -> str:
    command = ("-m", "amaro", "upload", str(clip), "--title", TITLE, "--json")
    said = await _run(data, (sys.executable, *command, "--data", str(data.root)))
    return str(json.loads(said)["asset_id"])


async def _until_watchable(url: str) -> None:
    try:
        async with asyncio.timeout(WATCHABLE_MAX_S):
            while not await answers_ok(url):  # noqa: ASYNC110 (another process knows)
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise DemoError(f"the clip was not watchable within {WATCHABLE_MAX_S:.0f} s") from None


async def _run(data: DataDir, argv: tuple[str, ...]) -> str:
    """Run a command to its end and return the last line that it wrote."""
    command = Command(argv=argv, environment={}, log=data.logs / "demo.log")
    process = await spawn(command)
    try:
        status = await process.wait()
    finally:
        await stop(process, grace_s=1.0)
    last = tail(command.log, lines=1)
    if status != 0:
        raise DemoError(f"{Path(argv[0]).name} failed ({command.log}): {last}")
    return last


def _write_font(path: Path) -> None:
    """Write the font that Pillow carries, because a server may have none."""
    from io import BytesIO  # noqa: PLC0415

    from PIL import ImageFont  # noqa: PLC0415

    font = ImageFont.load_default(size=10)
    if not isinstance(font, ImageFont.FreeTypeFont) or not isinstance(font.path, BytesIO):
        raise DemoError("this Pillow carries no TrueType font")
    path.write_bytes(font.path.getvalue())


def _filter_quoted(path: Path) -> str:
    """Return a path as a filter option's value: escaped for the option, then for the graph."""
    option = "".join(f"\\{c}" if c in "\\':" else c for c in str(path))
    return "".join(f"\\{c}" if c in "\\'[],;" else c for c in option)
