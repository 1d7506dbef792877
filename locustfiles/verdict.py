"""What makes a run a failure beside failed requests: that hardly anything was asked."""

from __future__ import annotations

import logging

from locust import events
from locust.env import Environment


@events.quitting.add_listener
def judge(environment: Environment, **_: object) -> None:
    """Fail a run in which nobody watched anything."""
    stats = environment.stats
    watched = sum(entry.num_requests for entry in stats.entries.values() if "segment" in entry.name)
    if watched == 0:
        logging.getLogger("amaro").error(
            "nobody found a story to watch: upload one, then try again"
        )
        environment.process_exit_code = 1
