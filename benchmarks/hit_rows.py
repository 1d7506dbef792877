"""What `hit_path` measures: one row of load each, and the ratios that are to be reached."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from benchmarks.pairing import CONNECTIONS
from benchmarks.peers import EDGE

KIB: Final = 1024
MIB: Final = 1024 * KIB
BOTH: Final = (EDGE, "nginx-tuned")
PLAIN: Final = (EDGE, "nginx-tuned", "nginx-default", "varnish")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One kind of request, asked of each of `servers` in turn."""

    label: str
    size: int  # of the object
    answer_bytes: int | None = None  # of the body of each answer; None: the whole object
    status: int = 200
    script: str = "browser.lua"  # makes the requests
    connections: int = CONNECTIONS  # over which wrk sends them
    fields: tuple[tuple[str, str], ...] = ()  # of a request beside the browser's
    prefix: str = ""  # of the path: a token
    parts: bool = False  # of the object are asked for, one after the other: see `parts`
    tls: bool = False
    http2: bool = False  # over TLS
    logs: bool = False  # every server writes a line for every request
    rounds: int = 7  # of turns, in a full run
    turn_s: int = 1
    workers: int = 1  # each on a core of its own, the last one beside the load
    nopush: bool = True  # tcp_nopush of the tuned nginx: off where that is faster
    servers: tuple[str, ...] = PLAIN
    targets: Mapping[str, float]  # least median ratio to a server

    @property
    def path(self) -> str:
        """The path of the object, as it is asked for."""
        return f"{self.prefix}/fast/{self.size}"

    @property
    def body_bytes(self) -> int:
        """The length of the body of each answer."""
        return self.size if self.answer_bytes is None else self.answer_bytes


def logged(row: Row, targets: Mapping[str, float]) -> Row:
    """Return a row once more, with every server's log on."""
    return replace(row, label=f"{row.label}-logs", logs=True, targets=targets)


_OFF: Final = (
    Row(
        label="1KiB",
        size=KIB,
        targets={"nginx-tuned": 1.1, "nginx-default": 1.3, "varnish": 1.4},
    ),
    Row(
        label="1KiB-changing-fields",
        size=KIB,
        script="changing.lua",  # nothing for a connection to remember
        targets={},
    ),
    Row(label="1MiB", size=MIB, targets={"nginx-tuned": 1.8, "nginx-default": 1.8}),
    Row(
        label="64KiB-ranges",
        size=4 * MIB,
        answer_bytes=64 * KIB,
        status=206,
        parts=True,
        fields=(("Range", "bytes=65536-131071"),),
        nopush=False,  # else its answers of this size end 40 ms late: 0.9 instead of 33 thousand/s
        targets={"nginx-tuned": 1.2, "nginx-default": 1.2},
    ),
    Row(
        label="304",
        size=64 * KIB,
        answer_bytes=0,
        status=304,
        fields=(("If-None-Match", f'"{64 * KIB}"'),),
        targets={"nginx-tuned": 1.2, "nginx-default": 1.2},
    ),
)
_TLS: Final = (
    Row(label="1KiB-tls", size=KIB, tls=True, servers=BOTH, targets={"nginx-tuned": 1.0}),
    Row(label="1MiB-tls", size=MIB, tls=True, servers=BOTH, targets={"nginx-tuned": 1.0}),
)
_HTTP2: Final = (
    Row(
        label="1KiB-h2",
        size=KIB,
        tls=True,
        http2=True,
        rounds=5,
        turn_s=20,
        servers=BOTH,
        targets={"nginx-tuned": 1.4},
    ),
    Row(
        label="1MiB-h2",
        size=MIB,
        tls=True,
        http2=True,
        rounds=5,
        turn_s=20,
        servers=BOTH,
        targets={"nginx-tuned": 0.9},
    ),
)
_LOGS_TARGETS: Final = {"1KiB": {"nginx-tuned": 1.0}}
ROWS: Final = (
    *_OFF,
    *_TLS,
    *_HTTP2,
    *(logged(row, _LOGS_TARGETS.get(row.label, {})) for row in _OFF),
    Row(label="1KiB-two-workers", size=KIB, workers=2, servers=BOTH, targets={}),
)

BY_LABEL: Final = {row.label: row for row in ROWS}

STEADY: Final = "1KiB"  # the row that is also asked at a steady rate
STEADY_SHARE: Final = 0.7  # of a server's maximum
STEADY_ROUNDS: Final = 3
STEADY_SERVERS: Final = (EDGE, "nginx-tuned", "varnish")
"""Not nginx as it comes: it closes after 1 000 requests, and h2load opens no connection anew."""
