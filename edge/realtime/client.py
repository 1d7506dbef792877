"""One connected page, as the hub knows it."""

from __future__ import annotations

from typing import Protocol

from cache_policies.signal_access import Claims
from edge.realtime.allowance import Allowance
from edge.realtime.marks import Mark
from edge.realtime.messages import Close


class Line(Protocol):
    """How a page is reached."""

    def send(self, frame: bytes, *, lasting: bool) -> None:
        """Have it sent; only what is not lasting may be lost."""

    def ping(self) -> None:
        """Ask whether it is there."""

    def close(self, why: Close) -> None:
        """Say why, and end the connection."""


class Client:
    """What a page may do, what it hears, and how it has behaved."""

    __slots__ = (
        "address",
        "allowance",
        "bucket",
        "claims",
        "line",
        "lines",
        "opened_mono",
        "refusals",
        "token",
        "topics",
        "unanswered",
    )

    def __init__(self, line: Line, *, burst: float, now_mono: float) -> None:
        self.line = line
        self.address = b""  # whose connection this is; known once it has shaken hands
        self.claims: Claims | None = None
        self.token = ""  # that says so
        self.topics: dict[str, Mark] = {}  # those it is in, and the last lasting signal it has of
        self.allowance = Allowance(burst, now_mono)
        self.lines: Allowance | None = None  # of text; most pages only watch
        self.refusals = 0
        self.unanswered = 0  # pings
        self.opened_mono = now_mono
        self.bucket = 0  # of those that are pinged together
