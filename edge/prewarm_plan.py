"""What a node should have before anybody asks: chosen from all that is expected, within budgets."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp
from typing import Final, NamedTuple

RISING: Final = "rising"  # reasons: at another edge,
HOUR: Final = "hour"  # usually, at the hour that comes,
WARM: Final = "warm"  # and what an edge holds when it is ready
HORIZON_S: Final = 600.0  # for which is provided


class Expected(NamedTuple):
    """How many requests for an object are expected within the horizon, and why."""

    key: str
    requests: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanBudget:
    """What one plan may order."""

    requests: int
    bytes: float
    object_bytes: float = 262_144.0  # that one object is thought to have
    chance_min: float = 0.7  # of being asked for at all


class Order(NamedTuple):
    """One object to have; a playlist's head with it, for so many as will begin to play it."""

    key: str
    reason: str
    requests: float


def plan(
    expected: Iterable[Expected], held: Iterable[str], budget: PlanBudget, *, is_busy: bool
) -> list[Order]:
    """What to fetch, that of most expected requests first; nothing while players need it all."""
    if is_busy:
        return []
    best: dict[str, Expected] = {}
    for each in expected:
        if each.key not in best or best[each.key].requests < each.requests:
            best[each.key] = each
    for key in held:
        best.pop(key, None)
    wanted = [each for each in best.values() if chance(each.requests) >= budget.chance_min]
    wanted.sort(key=lambda each: (-each.requests, each.key))
    number = int(min(budget.requests, budget.bytes / budget.object_bytes))
    return [Order(each.key, each.reason, each.requests) for each in wanted[: max(0, number)]]


def chance(requests: float) -> float:
    """Of one request at least, where so many are expected."""
    return 1.0 - exp(-max(0.0, requests))
