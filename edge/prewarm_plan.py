"""What a node should have before anybody asks: chosen from all that is expected, within budgets."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import exp
from typing import Any, Final, NamedTuple

POPULAR, RISING, HOUR, WARM = "popular", "rising", "hour", "warm"  # reasons
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
    number = min(budget.requests, int(budget.bytes / budget.object_bytes))
    return [Order(each.key, each.reason, each.requests) for each in wanted[: max(0, number)]]


def chance(requests: float) -> float:
    """Of one request at least, where so many are expected."""
    return 1.0 - exp(-max(0.0, requests))


def popular(counts: Mapping[str, float], per_minute: float, reason: str) -> list[Expected]:
    """What to expect of objects that had these counts, where so much is asked for now."""
    total = sum(counts.values())
    scale = per_minute / 60.0 * HORIZON_S / total if total > 0.0 else 0.0
    return [Expected(key, count * scale, reason) for key, count in counts.items()]


def rising(told: Mapping[str, Any], own_per_minute: float, spread: float = 0.5) -> list[Expected]:
    """What to expect here of stories that rise at another edge, as its `GET /popular` tells.

    They are thought to gain `spread` of the share here that they have there.
    """
    there = max(float(told["per_minute"]), 1e-9)
    scale = spread * own_per_minute / there * HORIZON_S / 60.0
    stories = {each["story"] for each in told["rising"]}
    return [
        Expected(each["object"], each["per_minute"] * scale, RISING)
        for each in told["warm"]
        if each["story"] in stories
    ]
