"""What `miss_path` measures: crowds on one cold object, streams of cold objects, single ones."""

from dataclasses import dataclass
from typing import Final

from benchmarks.peers import EDGE

KIB: Final = 1024
MIB: Final = 1024 * KIB
NGINX: Final = "nginx-tuned"
SERVERS: Final = (EDGE, NGINX, "varnish")


@dataclass(frozen=True, slots=True)
class Crowd:
    """Clients who are connected, were answered before, and ask at once for one cold object."""

    label: str
    clients: int
    size: int  # of the object, which the origin sends at 1 MiB/s
    worst_lag_ms: float | None = None  # at most, of the last first byte
    p99_lag_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """Clients who ask for one cold object after another."""

    label: str
    size: int
    objects: int  # in a turn
    before: int = 0  # objects that the caches hold already: more than they may keep
    connections: int = 4


@dataclass(frozen=True, slots=True)
class Single:
    """One client who waits for each first byte before it asks for the next object."""

    label: str
    size: int
    objects: int  # in a turn


CROWDS: Final = (
    Crowd("crowd-100", 100, 8 * MIB, worst_lag_ms=10.0),
    Crowd("crowd-1000", 1000, MIB, p99_lag_ms=40.0),
)
STREAMS: Final = (
    Stream("cold-4MiB", 4 * MIB, 40),
    Stream("cold-1MiB", MIB, 160),
    Stream("cold-1MiB-evicting", MIB, 160, before=1200),
)
SINGLES: Final = (Single("first-byte-1KiB", KIB, 500),)
ROWS: Final = (*CROWDS, *SINGLES, *STREAMS)
LABELS: Final = tuple(row.label for row in ROWS)
