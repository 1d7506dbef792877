"""What a worker counts: plain integers, named for operators in one table."""

from typing import Final, NamedTuple

from cache_policies.cache_status import CacheStatus
from edge.eviction_gauges import EVICTION_GAUGES
from edge.histogram import STALLS_S
from edge.refusals import REFUSALS

_REFUSED: Final = {reason: "refused_" + reason.replace("-", "_") for reason in REFUSALS}

COUNTERS: Final[dict[str, tuple[str, dict[str, str], str]]] = {  # attribute: (metric, labels, help)
    "hits": ("amaro_edge_requests_total", {"result": "hit"}, "Requests by how they were answered"),
    "slow_hits": ("amaro_edge_requests_total", {"result": "hit-slow"}, ""),
    "tier_hits": ("amaro_edge_requests_total", {"result": "hit-disk"}, ""),
    "stale_hits": ("amaro_edge_requests_total", {"result": "stale"}, ""),
    "misses": ("amaro_edge_requests_total", {"result": "miss"}, ""),
    "revalidated": ("amaro_edge_requests_total", {"result": "revalidated"}, ""),
    "bypasses": ("amaro_edge_requests_total", {"result": "bypass"}, ""),
    "own_answers": ("amaro_edge_requests_total", {"result": "own"}, ""),
    "refused": ("amaro_edge_requests_total", {"result": "refused"}, ""),
    "failed": ("amaro_edge_requests_total", {"result": "error"}, ""),
    "fills": ("amaro_edge_fills_total", {"upstream": "origin"}, "Requests sent upstream"),
    "peer_fills": ("amaro_edge_fills_total", {"upstream": "peer"}, ""),
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
    "hit_bytes": ("amaro_edge_body_bytes_total", {"tier": "memory"}, "Body bytes sent to players"),
    "fill_bytes": ("amaro_edge_body_bytes_total", {"tier": "upstream"}, ""),
    "peer_bytes": ("amaro_edge_body_bytes_total", {"tier": "peer"}, ""),
    "disk_bytes": ("amaro_edge_body_bytes_total", {"tier": "disk"}, ""),
    "disk_hits": ("amaro_edge_disk_reads_total", {"result": "hit"}, "Look-ups on disk by outcome"),
    "disk_misses": ("amaro_edge_disk_reads_total", {"result": "miss"}, ""),
    "disk_stale": ("amaro_edge_disk_reads_total", {"result": "stale"}, ""),
    "disk_purged": ("amaro_edge_disk_reads_total", {"result": "purged"}, ""),
    "disk_skipped": ("amaro_edge_disk_reads_total", {"result": "skipped"}, ""),
    "disk_damaged": ("amaro_edge_disk_reads_total", {"result": "damaged"}, ""),
    "disk_failed": ("amaro_edge_disk_errors_total", {}, "Operations that the disk refused"),
    "disk_writes": ("amaro_edge_disk_writes_total", {"result": "written"}, "Objects for the disk"),
    "disk_writes_skipped": ("amaro_edge_disk_writes_total", {"result": "skipped"}, ""),
    "disk_written_bytes": ("amaro_edge_disk_written_bytes_total", {}, "Bytes written to disk"),
    "readers_cut": ("amaro_edge_readers_cut_total", {}, "Slow readers cut when memory was short"),
    **{
        name: ("amaro_edge_refused_total", {"reason": reason}, "Requests refused, by reason")
        for reason, name in _REFUSED.items()
    },
}

GAUGES: Final[dict[str, tuple[str, dict[str, str], str]]] = {
    "connections": ("amaro_edge_connections", {}, "Open player connections"),
    "objects": ("amaro_edge_memory_objects", {}, "Entries in memory"),
    "used_bytes": ("amaro_edge_memory_bytes", {}, "Bytes that count against the memory budget"),
    "budget_bytes": ("amaro_edge_memory_budget_bytes", {}, "The memory budget"),
    "origins_down": ("amaro_edge_origins_down", {}, "Origins that do not answer, over workers"),
    "fills_running": ("amaro_edge_fills_running", {}, "Fills in progress"),
    **EVICTION_GAUGES,
    "loop_stall_max_s": (
        "amaro_edge_loop_stall_max_seconds",
        {},
        "The longest that a worker's event loop stood still since the last scrape",
    ),
}
MAXIMA: Final = frozenset({"loop_stall_max_s"})  # the node's value is that of its worst worker


class HistogramFamily(NamedTuple):
    """Histograms over the same bounds, one for each set of label values."""

    metric: str
    labels: tuple[str, ...]
    help: str
    bounds: tuple[float, ...]


HISTOGRAMS: Final[dict[str, HistogramFamily]] = {
    "loop_late": HistogramFamily(
        "amaro_edge_loop_late_seconds",
        (),
        "How late the timer came that looks at the event loop every 10 ms",
        STALLS_S,
    ),
}


class Counters:
    """One worker's counts since its start. A serving path adds to an attribute, nothing else."""

    __slots__ = tuple(COUNTERS)

    def __init__(self) -> None:
        for name in COUNTERS:
            setattr(self, name, 0)

    hits: int
    slow_hits: int
    tier_hits: int
    stale_hits: int
    misses: int
    revalidated: int
    bypasses: int
    own_answers: int
    refused: int
    failed: int
    fills: int
    peer_fills: int
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
    readers_cut: int

    def refuse(self, reason: str) -> None:
        """Count a request that nobody answers."""
        self.refused += 1
        name = _REFUSED[reason]
        setattr(self, name, getattr(self, name) + 1)

    def answered(self, says: CacheStatus) -> None:
        """Count a request that a fill answers."""
        if says.forward is None:
            self.tier_hits += 1
        else:
            self.misses += 1
            self.collapsed += says.collapsed

    def snapshot(self) -> dict[str, int]:
        """The counts by attribute name."""
        return {name: getattr(self, name) for name in COUNTERS}
