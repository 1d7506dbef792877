"""Ask ffprobe about an upload, in child processes with limits; untrusted bytes stay there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from segmenter.encode import UNTRUSTED
from segmenter.facts import (
    Facts,
    Refusal,
    RefusedError,
    parse_report,
    read_facts,
    read_packets,
)
from segmenter.tools import PROBE_LIMITS, Limits, ToolError, ToolLimitError, ffprobe, run

SIDE_MAX: Final = 8192
CUT_OFF_SIGN: Final = "moov atom not found"
ISO_MEDIA: Final = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")


def probe(source: Path, *, duration_max_s: float, limits: Limits = PROBE_LIMITS) -> Facts:
    """Return the facts of an upload. Raises RefusedError when it can never become watchable."""
    if source.stat().st_size == 0:
        raise RefusedError(Refusal.EMPTY)
    with ThreadPoolExecutor(1) as pool:  # both start-ups at once: 50 ms less to the first frame
        listing = pool.submit(_list_packets, source, limits)
        try:
            report = run([*_quiet(), "-show_streams", "-show_format", "-of", "json", str(source)],
                         limits)  # fmt: skip
            packets = read_packets(listing.result())
        except ToolLimitError as error:
            raise RefusedError(Refusal.TOO_COMPLEX) from error
        except ToolError as error:
            raise RefusedError(_why_unreadable(source, str(error))) from error
    facts = read_facts(parse_report(report.out), packets)
    if facts.video is not None and max(facts.video.width, facts.video.height) > SIDE_MAX:
        raise RefusedError(Refusal.TOO_LARGE)
    if facts.duration_s > duration_max_s:
        raise RefusedError(Refusal.TOO_LONG)
    return facts


def _list_packets(source: Path, limits: Limits) -> str:
    """Return the first real video stream's packets as lines, empty when nobody can list them.

    Raises ToolLimitError: a video with too many is not one without a picture.
    """
    entries = "packet=pts,dts,duration,flags"
    command = [*_quiet(), "-select_streams", "V:0", "-show_entries", entries, "-of", "csv=p=0"]
    try:
        return run([*command, str(source)], limits).out
    except ToolLimitError:
        raise
    except ToolError:  # the other probe gives the reason
        return ""


def _quiet() -> list[str]:
    return [ffprobe(), "-v", "error", *UNTRUSTED]


def _why_unreadable(source: Path, said: str) -> Refusal:
    """Return the reason for a person: cut off when it does begin like a video, else not media."""
    with source.open("rb") as file:
        head = file.read(8)
    is_iso = head[4:8] in ISO_MEDIA
    return Refusal.CUT_OFF if CUT_OFF_SIGN in said and is_iso else Refusal.NOT_MEDIA
