"""Ports for who cannot have one chosen by the kernel, or wants the same one again later."""

from __future__ import annotations

import fcntl
import os
import random
import tempfile
from pathlib import Path

from amaro.ports import LOOPBACK, is_free

FIRST, END = 10_000, 32_000  # below those that the kernel gives to whoever asks for any
SPAN = 20


def own_ports() -> range:
    """Return ports that are free now, and that no other test process takes before this one ends."""
    draw = random.Random()
    while True:
        base = draw.randrange(FIRST, END, SPAN)
        ports = range(base, base + SPAN)
        if _is_ours(base) and all(is_free(LOOPBACK, port) for port in ports):
            return ports


def own_port() -> int:
    """Return the first of such ports."""
    return own_ports()[0]


def _is_ours(base: int) -> bool:
    """Whether no other test process has chosen this base; it has no listener there for a while."""
    name = f"amaro-ports-{os.getuid()}-{base}"
    fd = os.open(Path(tempfile.gettempdir()) / name, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # left to the end of the process
    except BlockingIOError:
        os.close(fd)
        return False
    return True
