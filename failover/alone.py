"""What a member decides with that hears of no controller: its own votes, for the edge beside it."""

from __future__ import annotations

from dataclasses import replace

from failover.model import Model, Vantage


def alone(model: Model, vantage: Vantage) -> Model:
    """Return a model in which one vantage is a quorum, and DNS is nobody's to change.

    A `Decider` of it is for the vantage's region only, and starts from the last decision heard.
    """
    services = tuple(
        replace(each, dns=None, detection=replace(each.detection, vantages_min=1))
        for each in model.services
    )
    return replace(model, services=services, vantages=(vantage,))
