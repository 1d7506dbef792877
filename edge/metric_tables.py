"""All metrics of a node: what its workers count, and what its supervisor knows."""

from typing import Final

from edge.counters import COUNTERS, FAMILIES, GAUGE_FAMILIES, GAUGES, HISTOGRAMS, WORST
from edge.metrics import Row, Tables, Totals
from edge.realtime import gauges as realtime

NODE_COUNTERS: Final[dict[str, Row]] = {
    "purges": ("amaro_edge_purges_total", {}, "Purges published to the workers"),
    "disk_evicted": ("amaro_edge_disk_evicted_total", {}, "Files that made room on disk"),
    "disk_cleared": ("amaro_edge_disk_cleared_total", {}, "Purged files removed from disk"),
    "restarts": ("amaro_edge_worker_restarts_total", {}, "Workers started after another's death"),
    "certificates_renewed": (
        *("amaro_edge_certificates_total", {"result": "renewed"}),
        "Changes of certificates by what came of them",
    ),
    "certificates_refused": ("amaro_edge_certificates_total", {"result": "refused"}, ""),
    "access_renewed": (
        *("amaro_edge_access_keys_total", {"result": "in-force"}),
        "Changes of access keys by what came of them",
    ),
    "access_refused": ("amaro_edge_access_keys_total", {"result": "refused"}, ""),
    "policies_switched": (
        *("amaro_edge_policies_total", {"result": "in-force"}),
        "New policies by what came of them",
    ),
    "policies_refused": ("amaro_edge_policies_total", {"result": "refused"}, ""),
}
NODE_GAUGES: Final[dict[str, Row]] = {
    "workers": ("amaro_edge_workers", {}, "Workers that serve players now"),
    "policy_epoch": ("amaro_edge_policy_epoch", {}, "Names the policies in force; 0 is none"),
    "disk_used_bytes": ("amaro_edge_disk_bytes", {}, "Bytes that cache files take on disk"),
    "disk_budget_bytes": ("amaro_edge_disk_budget_bytes", {}, "What they may take"),
    "disk_objects": ("amaro_edge_disk_files", {}, "Cache files on disk"),
    "purge_number": (
        *("amaro_edge_purge_number", {}),
        "Purges of the region's log are carried out up to here",
    ),
    "purge_unsynced_s": (
        *("amaro_edge_purge_unsynced_seconds", {}),
        "Since all that was in the region's log was known to be carried out",
    ),
    "purge_cut_off": (
        *("amaro_edge_purge_cut_off", {}),
        "1 while only what is immutable is reused, because purges may be missed",
    ),
    "purge_carrier_up": (
        *("amaro_edge_purge_carrier_up", {}),
        "1 while Valkey tells of purges",
    ),
    "warm": ("amaro_edge_warm", {}, "1 once it was filled with what its region watches"),
    "prewarm_precision": (
        "amaro_edge_prewarm_precision",
        {},
        "Share of the bytes that were fetched ahead which somebody asked for; of those settled",
    ),
    "draining": ("amaro_edge_draining", {}, "1 while the node drains"),
}

NODE_TABLES: Final = Tables(
    counters=COUNTERS | NODE_COUNTERS | realtime.COUNTERS,
    gauges=GAUGES | NODE_GAUGES | realtime.GAUGES,
    counter_families=FAMILIES | realtime.FAMILIES,
    gauge_families=GAUGE_FAMILIES,
    histograms=HISTOGRAMS,
)


def totals_of_workers() -> Totals:
    """Totals of what workers count."""
    return Totals([*COUNTERS, *FAMILIES, *HISTOGRAMS], WORST)
