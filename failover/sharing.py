"""Who carries how much: by order or by weights, within what each target can carry."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, TypeAlias

from failover.model import Target

Shares: TypeAlias = dict[str, float]
"""Of each target that carries something, the part of all players. They sum to 1."""

TINY: Final = 1e-6  # less than this is nothing


def allot(
    targets: Sequence[Target],
    demand_mbps: float,
    limits: Mapping[str, float],
    *,
    by_weight: bool = True,
) -> tuple[Shares, bool]:
    """Return the shares of targets, the best first, and whether they are too small for all of it.

    Weights, where there are any, come first; what they leave goes down the order. What nobody has
    room for is spread in proportion to room. Each region is taken for all of the demand.
    """
    rooms = {
        each.name: min(_room(each, demand_mbps), limits.get(each.name, 1.0)) for each in targets
    }
    weights = {each.name: each.weight for each in targets if by_weight and each.weight > 0}
    shares, left = _by_weight(weights, rooms)
    for name, room in rooms.items():
        given = min(left, room - shares.get(name, 0.0))
        if given > TINY:
            shares[name] = shares.get(name, 0.0) + given
            left -= given
    if left <= TINY:
        return shares, False
    total = sum(rooms.values())
    if not total:
        return {targets[0].name: 1.0}, True
    return {name: room / total for name, room in rooms.items() if room}, True


def _room(target: Target, demand_mbps: float) -> float:
    """Return the part of the demand that a target can carry, 1 at most."""
    return min(1.0, target.capacity_mbps / demand_mbps) if demand_mbps > 0 else 1.0


def _by_weight(weights: dict[str, float], rooms: Mapping[str, float]) -> tuple[Shares, float]:
    """Give each its part, those first that have no room for it; return what is left, too."""
    shares: Shares = {}
    left = 1.0
    while weights:
        unit = left / sum(weights.values())
        full = [name for name, weight in weights.items() if weight * unit > rooms[name]]
        for name in full or list(weights):
            shares[name] = min(weights.pop(name) * unit, rooms[name], left)
            left -= shares[name]
    return {name: share for name, share in shares.items() if share > TINY}, max(0.0, left)


def approach(
    current: Mapping[str, float], goal: Mapping[str, float], lost: Collection[str], step: float
) -> Shares:
    """Return shares on the way to `goal`: what targets in `lost` carry moves, of the rest `step`.

    Each ends between its old share and its goal, so what the goal keeps within, these do.
    """
    gaps = {name: goal.get(name, 0.0) - current.get(name, 0.0) for name in {**current, **goal}}
    must = sum(-gap for name, gap in gaps.items() if gap < 0 and name in lost)
    may = sum(-gap for name, gap in gaps.items() if gap < 0 and name not in lost)
    if may <= step + TINY:
        return dict(goal)
    taken = step / may
    given = (must + step) / (must + may)
    shares = {
        name: current.get(name, 0.0) + gap * (given if gap > 0 else name in lost or taken)
        for name, gap in gaps.items()
    }
    return {name: share for name, share in shares.items() if share > TINY}
