"""What a worker counts: plain integers, named for operators in tables.

A worker says its counts as {name: number}: the name of a row, then the values of labels that the
row leaves open, and the bound of a histogram's bucket, with spaces between them.
"""

from collections import Counter
from collections.abc import Callable, Collection
from typing import Final, NamedTuple, TypeAlias

from edge.eviction_gauges import EVICTION_GAUGES
from edge.histogram import SECONDS, STALLS_S, Histogram
from edge.outcome import NOWHERE, Outcome
from edge.refusals import REFUSALS

_REFUSED: Final = {reason: "refused_" + reason.replace("-", "_") for reason in REFUSALS}

COUNTERS: Final[dict[str, tuple[str, dict[str, str], str]]] = {  # attribute: (metric, labels, help)
    "hits": (
        "amaro_edge_requests_total",
        {"result": "hit", "tier": "memory", "reason": "fresh"},
        "Requests by how they were answered, from where and why",
    ),
    "hit_bytes": (
        "amaro_edge_sent_bytes_total",
        {"tier": "memory", "reason": "fresh"},
        "Body bytes sent to players",
    ),
    "fills": ("amaro_edge_fills_total", {"upstream": "origin"}, "Requests sent upstream"),
    "peer_fills": ("amaro_edge_fills_total", {"upstream": "peer"}, ""),
    "edge_fills": ("amaro_edge_fills_total", {"upstream": "edge"}, ""),
    "fills_failed": ("amaro_edge_fills_failed_total", {}, "Fills that ended without a response"),
    "retries": ("amaro_edge_retries_total", {"result": "made"}, "Further attempts at a fill"),
    "retries_refused": ("amaro_edge_retries_total", {"result": "refused"}, ""),
    "resumed": ("amaro_edge_resumed_total", {}, "Bodies that broke off, asked for the rest"),
    "collapsed": ("amaro_edge_collapsed_total", {}, "Requests that shared a running fill"),
    "released": ("amaro_edge_released_total", {}, "Waiters sent to fetches of their own"),
    "stored": ("amaro_edge_stored_total", {}, "Responses put into memory"),
    "cookies": ("amaro_edge_stored_cookies_total", {}, "Those of them that set a cookie"),
    "evicted": ("amaro_edge_evicted_total", {}, "Entries that made room in memory"),
    "switches": ("amaro_edge_eviction_switches_total", {}, "Changes of the policy that evicts"),
    "fill_bytes": ("amaro_edge_fill_bytes_total", {"upstream": "origin"}, "Body bytes received"),
    "peer_bytes": ("amaro_edge_fill_bytes_total", {"upstream": "peer"}, ""),
    "edge_bytes": ("amaro_edge_fill_bytes_total", {"upstream": "edge"}, ""),
    "disk_bytes": ("amaro_edge_fill_bytes_total", {"upstream": "disk"}, ""),
    "disk_hits": ("amaro_edge_disk_reads_total", {"result": "hit"}, "Look-ups on disk by outcome"),
    "disk_misses": ("amaro_edge_disk_reads_total", {"result": "miss"}, ""),
    "disk_stale": ("amaro_edge_disk_reads_total", {"result": "stale"}, ""),
    "disk_purged": ("amaro_edge_disk_reads_total", {"result": "purged"}, ""),
    "disk_skipped": ("amaro_edge_disk_reads_total", {"result": "skipped"}, ""),
    "disk_damaged": ("amaro_edge_disk_reads_total", {"result": "damaged"}, ""),
    "valkey_bytes": ("amaro_edge_fill_bytes_total", {"upstream": "valkey"}, ""),
    **{
        f"valkey_{what}": ("amaro_edge_valkey_reads_total", {"result": result}, text)
        for what, result, text in (
            ("hits", "hit", "Look-ups in Valkey by outcome"),
            *(("misses", "miss", ""), ("stale", "stale", ""), ("purged", "purged", "")),
            *(("skipped", "skipped", ""), ("damaged", "damaged", "")),
        )
    },
    "valkey_failed": ("amaro_edge_valkey_errors_total", {}, "Operations that Valkey refused"),
    "valkey_writes": (
        *("amaro_edge_valkey_writes_total", {"result": "written"}),
        "Values for Valkey",
    ),
    "valkey_writes_skipped": ("amaro_edge_valkey_writes_total", {"result": "skipped"}, ""),
    "valkey_written_bytes": (
        *("amaro_edge_valkey_written_bytes_total", {}),
        "Bytes written to Valkey",
    ),
    "disk_failed": ("amaro_edge_disk_errors_total", {}, "Operations that the disk refused"),
    "disk_writes": ("amaro_edge_disk_writes_total", {"result": "written"}, "Objects for the disk"),
    "disk_writes_skipped": ("amaro_edge_disk_writes_total", {"result": "skipped"}, ""),
    "disk_written_bytes": ("amaro_edge_disk_written_bytes_total", {}, "Bytes written to disk"),
    "prewarm_fetches": ("amaro_edge_prewarm_fetches_total", {}, "Objects fetched ahead"),
    "samples_lost": (
        "amaro_edge_samples_lost_total",
        {},
        "Requests whose samples nobody had time to read",
    ),
    "log_dropped": ("amaro_edge_access_log_dropped_total", {}, "Log lines that were not written"),
    "readers_cut": ("amaro_edge_readers_cut_total", {}, "Slow readers cut when memory was short"),
    **{
        name: (
            "amaro_edge_requests_total",
            {"result": "refused", "tier": NOWHERE, "reason": reason},
            "",
        )
        for reason, name in _REFUSED.items()
    },
}

GAUGES: Final[dict[str, tuple[str, dict[str, str], str]]] = {
    "connections": ("amaro_edge_connections", {}, "Open player connections"),
    "objects": ("amaro_edge_memory_objects", {}, "Entries in memory"),
    "used_bytes": ("amaro_edge_memory_bytes", {}, "Bytes that count against the memory budget"),
    "budget_bytes": ("amaro_edge_memory_budget_bytes", {}, "The memory budget"),
    "openness": (
        "amaro_edge_openness",
        {},
        "Of the worst worker: 5 lets every priority begin, 1 playback alone",
    ),
    "limit_clients": ("amaro_edge_limit_clients", {}, "Clients that limits remember by name"),
    "origin_requests": ("amaro_edge_origin_requests", {}, "Requests that are with origins"),
    "origin_waiting": ("amaro_edge_origin_waiting", {}, "Requests that wait for their share"),
    "tokens_known": ("amaro_edge_access_tokens", {}, "Access tokens that are remembered"),
    "fills_running": ("amaro_edge_fills_running", {}, "Fills in progress"),
    "prewarm_waiting_bytes": (
        "amaro_edge_prewarm_waiting_bytes",
        {},
        "Bytes fetched ahead that nobody has asked for yet",
    ),
    **EVICTION_GAUGES,
    "loop_stall_max_s": (
        "amaro_edge_loop_stall_max_seconds",
        {},
        "The longest that a worker's event loop stood still since the last scrape",
    ),
    "loop_busy_max_s": (
        "amaro_edge_loop_busy_max_seconds",
        {},
        "The longest that it stood still for work of its own, not for want of a core",
    ),
}
Pick: TypeAlias = Callable[[float, float], float]
WORST: Final[dict[str, Pick]] = {  # the node's value is that of its worst worker
    "loop_busy_max_s": max,
    "loop_stall_max_s": max,
    "openness": min,
    "origin_up": min,
    "valkey_up": min,
    "edge_up": min,
}


class Family(NamedTuple):
    """A metric whose label values are known when the node runs; their sets are bounded."""

    metric: str
    labels: tuple[str, ...]
    help: str


FAMILIES: Final[dict[str, Family]] = {
    "requests": Family("amaro_edge_requests_total", ("result", "tier", "reason"), ""),
    "sent_bytes": Family("amaro_edge_sent_bytes_total", ("tier", "reason"), ""),
    "cut": Family("amaro_edge_cut_total", ("by",), "Answers that did not reach their end"),
    "prewarmed": Family(
        "amaro_edge_prewarmed_total",
        ("reason", "result"),
        "Objects fetched ahead by why, and whether somebody asked for them",
    ),
    "prewarmed_bytes": Family(
        "amaro_edge_prewarmed_bytes_total", ("reason", "result"), "Their bytes; all unused is waste"
    ),
    "prewarm_waits": Family(
        "amaro_edge_prewarm_waits_total",
        ("reason",),
        "Looks at which fetching ahead had to wait, 40 a second",
    ),
    "origin_failures": Family(
        "amaro_edge_origin_failures_total",
        ("origin", "reason"),
        "Fills and probes that an origin failed",
    ),
    "edge_asked": Family(
        "amaro_edge_region_asked_total",
        ("edge", "result"),
        "What other edges of the region were asked, by what came of it",
    ),
    "steering_asked": Family(
        "amaro_edge_steering_requests_total",
        ("service", "told", "on"),
        "Steering requests by the pathway that the player was told, and the one it is on",
    ),
    "steering_untagged": Family(
        "amaro_edge_steering_untagged_total",
        ("reason",),
        "Playlists of a steered service that left without its tag",
    ),
    "edge_answered": Family(
        "amaro_edge_region_requests_total",
        ("result",),
        "Requests of other edges of the region by what came of them",
    ),
}
GAUGE_FAMILIES: Final[dict[str, Family]] = {
    "origin_up": Family("amaro_edge_origin_up", ("origin",), "0 while it is asked last"),
    "valkey_up": Family("amaro_edge_valkey_up", ("server",), "0 while it is not asked"),
    "edge_up": Family("amaro_edge_region_up", ("edge",), "0 while that edge is not asked"),
    "edge_in_flight": Family(
        "amaro_edge_region_in_flight", ("edge",), "What that edge is being asked for now"
    ),
}


class HistogramFamily(NamedTuple):
    """Histograms over the same bounds, one for each set of label values."""

    metric: str
    labels: tuple[str, ...]
    help: str
    bounds: tuple[float, ...]


HISTOGRAMS: Final[dict[str, HistogramFamily]] = {
    "first_byte": HistogramFamily(
        "amaro_edge_first_byte_seconds",
        ("result",),
        "From a request's head to that of its answer; plain hits are not timed",
        SECONDS,
    ),
    "total": HistogramFamily(
        "amaro_edge_response_seconds",
        ("result",),
        "From a request's head to the end of its answer; plain hits are not timed",
        SECONDS,
    ),
    "fill_first_byte": HistogramFamily(
        "amaro_edge_fill_first_byte_seconds",
        ("upstream",),
        "From a request to an upstream to the head of its response",
        SECONDS,
    ),
    "loop_late": HistogramFamily(
        "amaro_edge_loop_late_seconds",
        (),
        "How late the timer came that looks at the event loop every 10 ms",
        STALLS_S,
    ),
}


class Counters:
    """One worker's counts since its start. A serving path adds to an attribute, nothing else."""

    __slots__ = (*COUNTERS, "_families", "_times")

    def __init__(self) -> None:
        for name in COUNTERS:
            setattr(self, name, 0)
        self._families: dict[str, Counter[tuple[str, ...]]] = {name: Counter() for name in FAMILIES}
        for by in ("player", "upstream"):
            self._families["cut"][(by,)] = 0
        self._times: dict[str, Histogram] = {}  # by row and label values

    hits: int
    fills: int
    peer_fills: int
    edge_fills: int
    fills_failed: int
    retries: int
    retries_refused: int
    resumed: int
    collapsed: int
    released: int
    stored: int
    cookies: int
    evicted: int
    switches: int
    hit_bytes: int
    fill_bytes: int
    peer_bytes: int
    edge_bytes: int
    disk_bytes: int
    disk_hits: int
    disk_misses: int
    disk_stale: int
    disk_purged: int
    disk_skipped: int
    disk_damaged: int
    disk_failed: int
    disk_writes: int
    disk_writes_skipped: int
    disk_written_bytes: int
    valkey_bytes: int
    valkey_damaged: int
    valkey_failed: int
    valkey_writes: int
    valkey_writes_skipped: int
    valkey_written_bytes: int
    prewarm_fetches: int
    readers_cut: int
    log_dropped: int
    samples_lost: int

    def answered(self, outcome: Outcome) -> None:
        """Count an answer that was no plain hit."""
        self._families["requests"][outcome.result, outcome.tier, outcome.reason] += 1

    def sent(self, outcome: Outcome, size_bytes: int) -> None:
        """Count the bytes of a body that went to a player."""
        self._families["sent_bytes"][outcome.tier, outcome.reason] += size_bytes

    def cut(self, by: str) -> None:
        """Count an answer that broke off: by its `player`, or by its `upstream`."""
        self._families["cut"][(by,)] += 1

    def origin_failed(self, url: str, reason: str) -> None:
        """Count a fill or a probe that brought no answer of an origin, or a bad one."""
        self._families["origin_failures"][url, reason] += 1

    def edge_asked(self, url: str, result: str) -> None:
        """Count what came of a question to another edge of the region."""
        self._families["edge_asked"][url, result] += 1

    def forget_edges(self, but: Collection[str]) -> None:
        """Drop what was counted of edges that are not among these."""
        asked = self._families["edge_asked"]
        for labels in [each for each in asked if each[0] not in but]:
            del asked[labels]

    def steering_asked(self, service: str, told: str, on: str) -> None:
        """Count a player that asks for steering."""
        self._families["steering_asked"][service, told, on] += 1

    def steering_untagged(self, reason: str) -> None:
        """Count a playlist that could not be given its tag."""
        self._families["steering_untagged"][(reason,)] += 1

    def edge_answered(self, result: str) -> None:
        """Count a question of another edge."""
        self._families["edge_answered"][(result,)] += 1

    def took(self, row: str, label: str, seconds: float) -> None:
        """Count a time under a row of HISTOGRAMS."""
        name = f"{row} {label}"
        if name not in self._times:
            self._times[name] = Histogram(HISTOGRAMS[row].bounds)
        self._times[name].observe(seconds)

    def of_tier(self, tier: str, what: str) -> None:
        """Count something of a lower tier: the row of COUNTERS that both name."""
        name = f"{tier}_{what}"
        setattr(self, name, getattr(self, name) + 1)

    def refuse(self, reason: str) -> None:
        """Count a request that nobody answers."""
        name = _REFUSED[reason]
        setattr(self, name, getattr(self, name) + 1)

    def snapshot(self) -> dict[str, float]:
        """The counts by name."""
        counts: dict[str, float] = {name: getattr(self, name) for name in COUNTERS}
        for row, family in self._families.items():
            counts |= {" ".join((row, *values)): count for values, count in family.items()}
        for name, times in self._times.items():
            counts |= times.said(name)
        return counts
