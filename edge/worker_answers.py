"""What a supervisor asks or tells its workers, and who in a worker answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.rerouting import Rerouting

if TYPE_CHECKING:
    from edge.control import Answers
    from edge.worker import Worker


def answers_of(worker: Worker) -> Answers:
    """Return all of a worker's answers, by the name of the question."""
    asked: Answers = {
        "audience": worker.heard,
        "counters": worker.told,
        "disk": worker.wrote,
        "neighbours": worker.neighbours.told,
        "prewarm": worker.prewarmer.told,
        "probe": worker.probe,
        "sync": worker.sync,
    }
    told: Answers = {
        "access": worker.door.open_with,
        "members": worker.neighbours.follow,
        "prepare": worker.policies.prepare,
        "probed": worker.probed,
        "renew": worker.renew,
        "routes": Rerouting(worker.origins, worker.client).heed,
        "steering": worker.following.steering.heed,
    }
    return {**asked, **told}
