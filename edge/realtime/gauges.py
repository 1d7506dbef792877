"""What the hub counts, as operators see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from edge.counters import Family
from edge.metrics import Row

COUNTERS: Final[dict[str, Row]] = {
    "realtime_heard": ("amaro_edge_realtime_messages_total", {}, "Messages of pages, heeded"),
    "realtime_lasting": (
        *("amaro_edge_realtime_signals_total", {"kind": "lasting"}),
        "Signals told to members of topics",
    ),
    "realtime_fleeting": ("amaro_edge_realtime_signals_total", {"kind": "fleeting"}, ""),
    "realtime_caught_up": ("amaro_edge_realtime_caught_up_total", {}, "Signals given afterwards"),
    "realtime_queue_lost": (
        *("amaro_edge_realtime_lost_total", {"at": "reader"}),
        "Fleeting signals that were overtaken by later ones",
    ),
    "realtime_fanout_lost": ("amaro_edge_realtime_lost_total", {"at": "topic"}, ""),
    "realtime_topic_lost": ("amaro_edge_realtime_lost_total", {"at": "crowd"}, ""),
    "realtime_outward_lost": ("amaro_edge_realtime_lost_total", {"at": "edges"}, ""),
    "realtime_bytes": ("amaro_edge_realtime_sent_bytes_total", {}, "Bytes of frames"),
}
FAMILIES: Final[dict[str, Family]] = {
    "realtime_refused": Family(
        "amaro_edge_realtime_refused_total", ("reason",), "Messages that came to nothing"
    ),
    "realtime_closed": Family(
        "amaro_edge_realtime_closed_total", ("reason",), "Connections that the hub ended"
    ),
    "realtime_handshake": Family(
        "amaro_edge_realtime_handshakes_total", ("status",), "Handshakes by their answer"
    ),
}
GAUGES: Final[dict[str, Row]] = {
    "realtime_clients": ("amaro_edge_realtime_clients", {}, "Connected pages"),
    "realtime_topics": ("amaro_edge_realtime_topics", {}, "Topics that somebody is in"),
    "realtime_kept": ("amaro_edge_realtime_kept", {}, "Lasting signals kept for catch-up"),
}


def values(counted: Mapping[str, int]) -> dict[str, float]:
    """The hub's counts under the names of the rows above."""
    named: dict[str, float] = {}
    for name, count in counted.items():
        row, *labels = name.split(" ")
        named[" ".join([f"realtime_{row.replace('-', '_')}", *labels])] = count
    return named
