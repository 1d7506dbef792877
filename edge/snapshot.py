"""What a worker says of itself when it is asked: counts, and how things are now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.eviction_gauges import eviction_values

if TYPE_CHECKING:
    from edge.worker import Worker


def snapshot_of(worker: Worker) -> dict[str, float]:
    """The counters and gauges, by name."""
    worker.counters.evicted = worker.memory.evictions
    worker.counters.samples_lost = worker.sampler.lost
    worker.counters.switches = worker.memory.tournament.switches
    worker.memory.sweep_held()
    return worker.counters.snapshot() | {
        "connections": sum(map(len, worker.connections[:1])),  # the players' listener is first
        "objects": len(worker.memory),
        "used_bytes": worker.memory.used_bytes,
        "budget_bytes": worker.memory.budget_bytes,
        "fills_running": len(worker.tasks),
        "tokens_known": len(worker.door),
        "openness": worker.admission.shedder.openness,
        "limit_clients": len(worker.limiting.gates or ()),
        "origin_requests": worker.places.share.taken,
        "origin_waiting": len(worker.places),
        **eviction_values(worker.memory.tournament),
        "loop_busy_max_s": worker.watch.busiest_s(),
        "loop_stall_max_s": worker.watch.longest_s(),
        **dict(worker.watch.lateness.said("loop_late")),
        **dict(worker.origins.told()),
        **dict(worker.opened.told()),
        **dict(worker.neighbours.gauges()),
        **dict(worker.prewarmer.counted()),
    }
