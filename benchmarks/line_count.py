"""Whether a server's access log has a line for every request."""

import time
from pathlib import Path

from benchmarks.pairing import RunRefusedError

WRITTEN_WITHIN_S = 5.0


def refuse_unless_logged(name: str, log: Path, requests: int) -> None:
    """Wait until the log has that many lines; raise RunRefusedError when it does not get them."""
    deadline = time.monotonic() + WRITTEN_WITHIN_S
    while (lines := lines_of(log)) < requests:
        if time.monotonic() > deadline:
            raise RunRefusedError(f"{name} logged {lines} of {requests} requests")
        time.sleep(0.1)


def lines_of(log: Path) -> int:
    """Return how many lines a file has."""
    with log.open("rb") as file:
        return sum(piece.count(b"\n") for piece in iter(lambda: file.read(1 << 20), b""))
