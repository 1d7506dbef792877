"""The encoders of a segmenter, seen and halted from outside."""

from __future__ import annotations

import contextlib

import psutil


def encoders(segmenter_pid: int, part: str = "") -> list[psutil.Process]:
    """Its ffmpeg processes that name `part`, the launcher still starting included."""
    found = []
    for child in psutil.Process(segmenter_pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            line = " ".join(child.cmdline())  # read once: the process may be gone the next time
            if "ffmpeg" in line and part in line:
                found.append(child)
    return found


def encoders_of(segmenter_pid: int, rendition: str) -> list[psutil.Process]:
    """The processes that make a rendition."""
    return encoders(segmenter_pid, f"/{rendition}/")


def halted(segmenter_pid: int, rendition: str) -> list[psutil.Process]:
    """Stop the processes that make a rendition, so that it is not made before we go on.

    A launcher that has not become the tool yet may not have asked the kernel to end it with us.
    """
    found = encoders_of(segmenter_pid, rendition)
    with contextlib.suppress(psutil.NoSuchProcess):
        if any(process.name().startswith("python") for process in found):
            return []
        for process in found:
            process.suspend()
        if all(process.status() == psutil.STATUS_STOPPED for process in found):
            return found
    return []


def resume(processes: list[psutil.Process]) -> None:
    """Have them go on, if they are still there."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.resume()
