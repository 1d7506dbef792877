"""What is watched in which network (autonomous system), and how it plays there.

A network is told by its number while it is one of the leading of its region and at least
`PEOPLE_MIN` viewers of it were seen in this hour or the one before. Everybody else is `other`, from
the first count on: of a network of few nothing is kept. Nobody can subtract what is told from its
region and be left with a few either: then one more network is told as `other`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from edge.frequent import Frequent
from edge.popularity import Popularity, PopularityPolicy
from edge.quality import OTHER, PEOPLE_MIN, Heard, Quality, Tally

SEEN_MAX: Final = 256  # networks that are compared, of all regions
NAMED_MAX: Final = 64  # that are told, of all regions
OF_REGION_MAX: Final = 8
STAYS: Final = 1.25  # who is told stays until another has so much more
HALF_LIFE_S: Final = 3600.0
HEARD_MAX: Final = 1024  # of a worker, until it is asked
HOURS_MAX: Final = 24
AT_ONCE: Final = 64
STORIES: Final = PopularityPolicy(names_max=64, everywhere_max=1, regions_max=128)


class Viewing(NamedTuple):
    """One sample of a network; `viewer` is a hash with a salt of the hour."""

    region: str
    network: int | None
    viewer: int | None
    weight: float

    @property
    def place(self) -> str:
        """As `place_of` has it."""
        return place_of(self.region, OTHER if self.network is None else f"as{self.network}")


def place_of(region: str, network: str) -> str:
    """The name of a network in a region."""
    return f"{region} {network}"


def parts_of(place: str) -> tuple[str, str]:
    """The region and the network of a place."""
    region, _, network = place.rpartition(" ")
    return region, network


class Heeded:
    """What a worker has heard by network, until it is taken."""

    def __init__(self) -> None:
        self._stories: dict[tuple[str, str], list[float]] = {}
        self._viewers: dict[str, set[int]] = {}
        self._tally = Tally()

    def watch(self, viewing: Viewing, story: str) -> None:
        """Somebody watches a story."""
        place, weight = viewing.place, viewing.weight
        counted = self._stories.get((place, story))
        if counted is None:
            if len(self._stories) >= HEARD_MAX:
                return
            counted = self._stories[place, story] = [0.0, 0.0]
        counted[0] += weight
        counted[1] += weight * weight
        viewers = self._viewers.setdefault(place, set())
        if viewing.viewer is not None and len(viewers) < PEOPLE_MIN:
            viewers.add(viewing.viewer)

    def hear(self, viewing: Viewing, heard: Heard) -> None:
        """A player tells how it plays."""
        _, network = parts_of(viewing.place)
        self._tally.hear((viewing.region, network), heard)

    def take(self) -> dict[str, Any]:
        """What was heard since the last time, as JSON has it."""
        stories, self._stories = self._stories, {}
        viewers, self._viewers = self._viewers, {}
        return {
            "stories": [[*name, *counted] for name, counted in stories.items()],
            "viewers": {place: sorted(found) for place, found in viewers.items()},
            "quality": self._tally.take(),
        }


class Viewers:
    """Which places have enough of them. Hashes are forgotten at the fifth, and with their hour."""

    def __init__(self) -> None:
        self._hour = -1
        self._found: dict[str, set[int]] = {}  # of places of few
        self._many: set[str] = set()  # in this hour
        self._before: set[str] = set()  # in the one before

    def turn(self, hour: int) -> None:
        """It is this hour, counted from 1970 on."""
        if hour != self._hour:
            self._before = self._many if hour == self._hour + 1 else set()
            self._hour, self._many, self._found = hour, set(), {}

    def meet(self, place: str, viewers: Iterable[int]) -> None:
        """These were seen there."""
        if place in self._many:
            return
        if place not in self._found and len(self._found) >= SEEN_MAX:
            del self._found[next(iter(self._found))]
        found = self._found.setdefault(place, set())
        found.update(viewers)
        if len(found) >= PEOPLE_MIN:
            del self._found[place]
            self._many.add(place)

    def are_many(self, place: str) -> bool:
        """Whether a place may be told."""
        return place in self._many or place in self._before


class Networks:
    """All that was heard by network, in one node."""

    def __init__(self) -> None:
        self.stories = Popularity(STORIES)  # by place
        self._quality = Quality(HOURS_MAX)  # by region and network
        self._seen = Frequent(SEEN_MAX, HALF_LIFE_S)
        self._viewers = Viewers()
        self._named: set[str] = set()

    def adding(self, taken: Mapping[str, Any], now_mono: float, hour: int) -> Iterator[None]:
        """Add what a worker's `take` tells; stops now and then, so that others have their turn."""
        self._viewers.turn(hour)
        for place, viewers in taken["viewers"].items():
            self._viewers.meet(place, viewers)
        for place, _, weight, _ in taken["stories"]:
            if parts_of(place)[1] != OTHER:
                self._seen.add(place, weight, now_mono)
        self._name(now_mono)
        for place, viewers in taken["viewers"].items():
            if place not in self._named:
                self._viewers.meet(self._counted_as(place), viewers)
        cells = []
        for region, network, cell in taken["quality"]:
            place = self._counted_as(place_of(region, network))
            cells.append([*parts_of(place), cell])
        self._quality.add(cells, hour)
        for number, (place, story, weight, squares) in enumerate(taken["stories"], start=1):
            self.stories.add(self._counted_as(place), story, weight, now_mono, squares)
            if number % AT_ONCE == 0:
                yield

    def told(self, region: str | None, now_mono: float) -> list[dict[str, Any]]:
        """The networks of a region with their requests a minute, or of all; that of most first."""
        shown = self._shown(region, now_mono)
        rates: Counter[str] = Counter()
        for place in shown.regions(now_mono):
            rates[parts_of(place)[1]] += shown.per_minute(place, now_mono)  # type: ignore[assignment]
        total = max(sum(rates.values()), 1e-9)
        return [
            {"network": network, "per_minute": round(rate, 2), "share": round(rate / total, 4)}
            for network, rate in rates.most_common()
        ]

    def quality(self, region: str | None) -> dict[str, dict[str, Any]]:
        """How it plays, by network, in the last hours; of too few nothing is told."""
        return self._quality.classes(region, HOURS_MAX)

    def counts(self, limit: int, now_mono: float) -> dict[str, Any]:
        """The leading stories by place, for whoever adds edges up."""
        return self._shown(None, now_mono).to_mapping(limit, now_mono)

    def _name(self, now_mono: float) -> None:
        """Choose who is told by number from now on."""
        weighed = [
            (count.value * (STAYS if place in self._named else 1.0), place)
            for place, count in self._seen.leading(SEEN_MAX, now_mono)
            if self._viewers.are_many(place)
        ]
        named: set[str] = set()
        of_region: Counter[str] = Counter()
        for _, place in sorted(weighed, key=lambda each: (-each[0], each[1])):
            region, _ = parts_of(place)
            if len(named) < NAMED_MAX and of_region[region] < OF_REGION_MAX:
                named.add(place)
                of_region[region] += 1
        for place in self._named - named:
            self.stories.forget(place)
        self._named = named

    def _counted_as(self, place: str) -> str:
        return place if place in self._named else place_of(parts_of(place)[0], OTHER)

    def _shown(self, region: str | None, now_mono: float) -> Popularity:
        """The stories by place, as they may be told."""
        counted = [
            place
            for place in self.stories.regions(now_mono)
            if region is None or parts_of(place)[0] == region
        ]
        least = {parts_of(place)[0]: place for place in counted if place in self._named}
        folded = {
            least.get(at)
            for at, network in map(parts_of, counted)
            if network == OTHER and not self._viewers.are_many(place_of(at, OTHER))
        }
        counts = self.stories.to_mapping(STORIES.names_max, now_mono)
        shown = Popularity(STORIES)
        for place in counted:
            at = place_of(parts_of(place)[0], OTHER) if place in folded else place
            shown.take_in({at: counts[place]}, now_mono)
        return shown
