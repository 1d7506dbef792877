"""What can be wrong with a provider, as a probe meets it: how long it takes, and what it finds."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

TIMEOUT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Fault:
    """What becomes of one request."""

    took_s: float  # until that is known
    fails: float  # the part of requests that do
    why: str


FAULTS: Final = {
    "refused": Fault(0.01, 1.0, "connection refused"),
    "black hole": Fault(TIMEOUT_S, 1.0, "no connection within 1 s"),
    "5xx": Fault(0.05, 1.0, "503"),
    "20 s answers": Fault(TIMEOUT_S, 1.0, "no answer within 1 s"),
    "wrong bytes": Fault(0.1, 1.0, "another body"),
    "expired certificate": Fault(0.05, 1.0, "certificate has expired"),
    "DNS gone": Fault(0.1, 1.0, "no such name"),
    "half the requests": Fault(0.05, 0.5, "503"),
}
REQUESTS: Final = 4  # of a round: a known body, two playlists and a segment
ALONE: Final = 1  # a known body only


def fails(fault: Fault, draw: random.Random, requests: int = REQUESTS) -> bool:
    """Say whether a round of probes, of so many requests, meets a fault."""
    return any(draw.random() < fault.fails for _ in range(requests))
