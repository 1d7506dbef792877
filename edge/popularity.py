"""What is asked for most, where, and what rises or falls: decayed counts per name and region.

Each region has two summaries: one of the last minutes, one of the last days. A name rises when its
share of what is asked now is well above its share before, more than chance would explain; so
nights, weekends and flash crowds on everything make nothing rise or fall.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import exp, log, sqrt
from typing import Any, Final, NamedTuple

from edge.frequent import Count, Frequent

OTHER: Final = "other"  # regions beyond the limit together
QUIET: Final = 10.0  # requests of the last days; a region with less gives its place to another
AGE_MIN_S: Final = 10.0  # a rate of less time than this would be a guess


@dataclass(frozen=True, slots=True, kw_only=True)
class PopularityPolicy:
    """How long is remembered, and when a change counts as one."""

    recent_half_life_s: float = 600.0
    lasting_half_life_s: float = 86_400.0
    names_max: int = 1024  # a region, in each of its summaries
    everywhere_max: int = 1024  # of all regions together
    regions_max: int = 32
    change_min: float = 2.0  # rising or falling is by this factor at least,
    deviations_min: float = 4.0  # and this far from what chance does


class Standing(NamedTuple):
    """How a name stands in its region."""

    name: str
    per_minute: float  # requests now
    share: float  # of all requests now
    change: float  # share now by share before; above 1 it gains

    def to_mapping(self, called: str) -> dict[str, Any]:
        """As JSON has it; `called` says what the names are."""
        return {
            called: self.name,
            "per_minute": round(self.per_minute, 2),
            "share": round(self.share, 4),
            "change": round(self.change, 2),
        }


class Ranking(NamedTuple):
    """The leading names of a region, and those that change, most first."""

    top: list[Standing]
    rising: list[Standing]
    cold: list[Standing]


class Sides(NamedTuple):
    """What is counted of one region."""

    recent: Frequent  # of the last minutes
    lasting: Frequent  # of the last days
    since_s: float  # when counting began


class Popularity:
    """Counts of all regions. Times are seconds of one clock that runs forward."""

    def __init__(self, policy: PopularityPolicy | None = None) -> None:
        self.policy = policy or PopularityPolicy()
        self._regions: dict[str, Sides] = {}
        self._everywhere: Sides | None = None  # counted apart: to merge all regions takes long

    def add(
        self, region: str, name: str, weight: float, now_s: float, squares: float | None = None
    ) -> None:
        """Count samples that stand for `weight` requests; `squares` is the sum of theirs."""
        place = self._place(region, now_s)
        for sides in (self._regions[place], self._all(now_s)):
            sides.recent.add(name, weight, now_s, squares)
            sides.lasting.add(name, weight, now_s, squares)

    def regions(self, now_s: float) -> list[str]:
        """All regions, that of most requests first."""
        return sorted(
            self._regions, key=lambda region: (-self._regions[region].recent.total(now_s), region)
        )

    def ranking(self, region: str | None, now_s: float, limit: int) -> Ranking:
        """How the names of a region stand; of all regions together without one."""
        sides = self._everywhere if region is None else self._regions.get(region)
        if sides is None:
            return Ranking([], [], [])
        return _ranked(sides, self.policy, now_s, limit)

    def per_minute(self, region: str | None, now_s: float) -> float:
        """Requests a minute in a region now, or everywhere."""
        sides = self._everywhere if region is None else self._regions.get(region)
        return 0.0 if sides is None else _rate(sides, now_s)

    def rates(self, limit: int, now_s: float) -> list[tuple[str, float]]:
        """Names with the requests a minute that they had lately or for long, whichever is more."""
        found: dict[str, float] = {}
        for side in () if self._everywhere is None else self._everywhere[:2]:
            scale = 60.0 / _remembered_s(side, now_s - self._all(now_s).since_s)
            for name, count in side.leading(limit, now_s):
                found[name] = max(found.get(name, 0.0), count.surely * scale)
        return sorted(found.items(), key=lambda each: (-each[1], each[0]))[:limit]

    def everywhere(self, limit: int, now_s: float) -> dict[str, Any]:
        """The leading names of all regions together, as JSON has them."""
        return _mapping(self._all(now_s), limit, now_s)

    def take_in_everywhere(self, told: Mapping[str, Any], now_s: float) -> None:
        """Count what was counted before, as `everywhere` tells it."""
        self._everywhere = _with(self._all(now_s), told, now_s)

    def to_mapping(self, limit: int, now_s: float) -> dict[str, Any]:
        """The leading names of all regions, as JSON has them."""
        return {region: _mapping(sides, limit, now_s) for region, sides in self._regions.items()}

    def take_in(self, said: Mapping[str, Any], now_s: float) -> None:
        """Count what another edge has counted, too, as its `to_mapping` tells it."""
        for region, told in said.items():
            place = self._place(region, now_s)
            self._regions[place] = _with(self._regions[place], told, now_s)
            self._everywhere = _with(self._all(now_s), told, now_s)

    def forget(self, region: str) -> None:
        """Give a region's place to another; what it counted everywhere stays."""
        self._regions.pop(region, None)

    def _place(self, region: str, now_s: float) -> str:
        """The region under which this one is counted: itself, while there is room."""
        regions = self._regions
        if region not in regions and len(regions) >= self.policy.regions_max:
            quiet = [each for each, sides in regions.items() if self._is_quiet(sides, now_s)]
            if quiet:
                del regions[quiet[0]]
            else:
                region = OTHER
        if region not in regions:
            regions[region] = self._new(now_s)
        return region

    def _is_quiet(self, sides: Sides, now_s: float) -> bool:
        is_old = now_s - sides.since_s > self.policy.lasting_half_life_s
        return is_old and sides.lasting.total(now_s) < QUIET

    def _all(self, now_s: float) -> Sides:
        if self._everywhere is None:
            self._everywhere = self._new(now_s, self.policy.everywhere_max)
        return self._everywhere

    def _new(self, now_s: float, names_max: int | None = None) -> Sides:
        policy = self.policy
        names_max = names_max or policy.names_max
        return Sides(
            Frequent(names_max, policy.recent_half_life_s, now_s),
            Frequent(names_max, policy.lasting_half_life_s, now_s),
            now_s,
        )


def _mapping(sides: Sides, limit: int, now_s: float) -> dict[str, Any]:
    return {
        "age_s": now_s - sides.since_s,
        "recent": sides.recent.to_mapping(limit, now_s),
        "lasting": sides.lasting.to_mapping(limit, now_s),
    }


def _with(sides: Sides, told: Mapping[str, Any], now_s: float) -> Sides:
    """The sides of a region after another edge's were added."""
    for side, summary in ((sides.recent, told["recent"]), (sides.lasting, told["lasting"])):
        read = Frequent.from_mapping(
            summary, capacity=side.capacity, half_life_s=side.half_life_s, now_s=now_s
        )
        side.merge(read, now_s)
    return sides._replace(since_s=min(sides.since_s, now_s - told["age_s"]))


def _ranked(sides: Sides, policy: PopularityPolicy, now_s: float, limit: int) -> Ranking:
    recent, lasting, _ = sides
    scale = recent.total(now_s) / max(lasting.total(now_s), 1e-9)  # from counts before to now
    rate = _rate(sides, now_s)
    leading = recent.leading(policy.names_max, now_s)
    rising: list[tuple[float, Standing]] = []
    cold: list[tuple[float, Standing]] = []

    def standing(name: str, now: Count, before: Count) -> Standing:
        change = now.value / max(before.value * scale, 1e-9)
        share = now.value / max(recent.total(now_s), 1e-9)
        return Standing(name, share * rate, share, change)

    for name, now in leading:
        before = lasting.count(name, now_s)
        gain = now.surely - before.value * scale
        if now.surely >= policy.change_min * before.value * scale and _is_sure(
            gain, now, before, scale, policy
        ):
            rising.append((gain, standing(name, now, before)))
    for name, before in lasting.leading(policy.names_max, now_s):
        now = recent.count(name, now_s)
        loss = before.surely * scale - now.value
        if now.value * policy.change_min <= before.surely * scale and _is_sure(
            loss, now, before, scale, policy
        ):
            cold.append((loss, standing(name, now, before)))
    return Ranking(
        [standing(name, now, lasting.count(name, now_s)) for name, now in leading[:limit]],
        _most(rising, limit),
        _most(cold, limit),
    )


def _is_sure(
    difference: float, now: Count, before: Count, scale: float, policy: PopularityPolicy
) -> bool:
    weight = before.squares / max(before.value, 1e-9)  # of a sample, about
    chance = max(now.squares, before.surely * scale * weight)  # a count's variance is its mean
    noise = sqrt(chance + scale * scale * before.squares)
    return difference > 0.0 and difference >= policy.deviations_min * noise


def _most(changes: Iterable[tuple[float, Standing]], limit: int) -> list[Standing]:
    ranked = sorted(changes, key=lambda each: (-each[0], each[1].name))
    return [standing for _, standing in ranked[:limit]]


def _rate(sides: Sides, now_s: float) -> float:
    """Requests a minute that bring about what was counted since the beginning."""
    recent = sides.recent
    return recent.total(now_s) / _remembered_s(recent, now_s - sides.since_s) * 60.0


def _remembered_s(side: Frequent, age_s: float) -> float:
    """So many seconds of an even load come to what is counted after `age_s`."""
    fading = side.half_life_s / log(2.0)
    return fading * (1.0 - exp(-max(AGE_MIN_S, age_s) / fading))
