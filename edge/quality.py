"""How playback goes, by region, hour and class of players: sums and histograms of what they tell.

Nothing of one person is kept: a session is known by a salted hash, which is forgotten once
`PEOPLE_MIN` of them have been counted or the hour is over. What fewer did is not shown.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias
from zlib import crc32

from edge.cmcd import Report, number

HOURS_MAX: Final = 48
REGIONS_MAX: Final = 32
CELLS_MAX: Final = 256  # of one hour
PEOPLE_MIN: Final = 5  # sessions behind each number that is shown
THROUGHPUT_KBPS: Final = (250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000)
BUFFER_MS: Final = (0, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000)
START_MS: Final = (100, 200, 400, 800, 1600, 3200, 6400, 12_800)
STARVED_MS_MAX: Final = 60_000  # that one report counts for: nobody waits longer
BOUNDS: Final[Mapping[str, tuple[int, ...]]] = {
    "measured_throughput_kbps": THROUGHPUT_KBPS,
    "buffer_length_ms": BUFFER_MS,
    "media_start_delay_ms": START_MS,
}
MEDIA: Final = frozenset({None, "audio", "muxed", "video"})  # objects whose requests are heard
PERCENTS: Final = (10, 50, 90)
OTHER: Final = "other"


class Heard(NamedTuple):
    """One report, with how many requests it stands for."""

    report: Report
    weight: float
    session: int | None  # a salted hash; None where nothing tells sessions apart


class Cell:
    """What reports of one region, hour and class of players add up to."""

    __slots__ = ("_sessions", "histograms", "reports", "starved", "starved_ms")

    def __init__(self) -> None:
        self.reports = 0.0
        self.starved = 0.0
        self.starved_ms = 0.0
        self.histograms = {name: [0.0] * (len(bounds) + 1) for name, bounds in BOUNDS.items()}
        self._sessions: set[int] | None = set()  # None: there were enough

    @property
    def people(self) -> int:
        """Sessions that were counted, up to PEOPLE_MIN."""
        return PEOPLE_MIN if self._sessions is None else len(self._sessions)

    def hear(self, heard: Heard) -> None:
        """Add a report. What a player says of throughput before its first segment is a guess."""
        report, weight = heard.report, heard.weight
        starting = report.get("startup") is True
        left_out = {
            "buffer_length_ms": starting,
            "measured_throughput_kbps": starting and not number(report, "buffer_length_ms"),
        }
        self.reports += weight
        if report.get("buffer_starvation") is True:
            self.starved += weight
        waited_ms = number(report, "buffer_starvation_ms") or 0
        self.starved_ms += weight * min(waited_ms, STARVED_MS_MAX)
        for name, bounds in BOUNDS.items():
            value = number(report, name)
            if value is not None and not left_out.get(name):
                self.histograms[name][bisect_left(bounds, value)] += weight
        self._meet(() if heard.session is None else (heard.session,))

    def add(self, said: Mapping[str, Any]) -> None:
        """Add another cell, as its `to_mapping` tells it."""
        self.reports += said["reports"]
        self.starved += said["starved"]
        self.starved_ms += said["starved_ms"]
        for name, counts in said["histograms"].items():
            mine = self.histograms[name]
            self.histograms[name] = [one + more for one, more in zip(mine, counts, strict=True)]
        if said["sessions"] is None:
            self._sessions = None
        else:
            self._meet(said["sessions"])

    def forget_sessions(self, called: str) -> None:
        """The hour is over: how many there were is all that matters now.

        Another hour of the same class may have had the same people: it has the same numbers.
        """
        if self._sessions is not None:
            first = -PEOPLE_MIN * (1 + crc32(called.encode()))
            self._sessions = set(range(first, first + len(self._sessions)))

    def to_mapping(self) -> dict[str, Any]:
        """As JSON has it, for a supervisor only."""
        return {
            "reports": self.reports,
            "starved": self.starved,
            "starved_ms": self.starved_ms,
            "histograms": self.histograms,
            "sessions": None if self._sessions is None else sorted(self._sessions),
        }

    def summary(self) -> dict[str, Any]:
        """What is shown: shares of all reports, and percentiles; None of what nobody told."""
        reports = max(self.reports, 1e-9)
        return {
            "reports": round(self.reports),
            "starved_share": round(self.starved / reports, 4),
            "starved_ms": round(self.starved_ms),
            **{
                name: {f"p{p}": quantile(bounds, self.histograms[name], p / 100) for p in PERCENTS}
                for name, bounds in BOUNDS.items()
            },
        }

    def _meet(self, sessions: Iterable[int]) -> None:
        if self._sessions is not None:
            self._sessions.update(sessions)
            if len(self._sessions) >= PEOPLE_MIN:
                self._sessions = None


def quantile(bounds: tuple[int, ...], counts: list[float], share: float) -> float | None:
    """The value below which `share` of the counts lie, between two bounds; None of nothing."""
    total = sum(counts)
    if total <= 0.0:
        return None
    left, below = share * total, 0.0
    for bound, count in zip(bounds, counts, strict=False):
        if count >= left:
            return round(below + (bound - below) * left / count)
        left, below = left - count, float(bound)
    return below  # or above


Place: TypeAlias = tuple[str, str]  # region, class: a device's, or a network


class Tally:
    """The cells of what was heard since they were last taken; one a worker."""

    def __init__(self) -> None:
        self._cells: dict[Place, Cell] = {}

    def hear(self, place: Place, heard: Heard) -> None:
        """Add a report."""
        _cell_of(self._cells, place).hear(heard)

    def take(self) -> list[list[Any]]:
        """[region, class, cell] of each, which begin anew."""
        cells, self._cells = self._cells, {}
        return [[*place, cell.to_mapping()] for place, cell in cells.items()]


class Quality:
    """The cells of the last hours; one a node. Hours are counted from 1970 on."""

    def __init__(self, hours_max: int = HOURS_MAX) -> None:
        self._hours_max = hours_max
        self._hours: dict[int, dict[Place, Cell]] = {}

    def add(self, told: list[list[Any]], hour: int) -> None:
        """Add what a worker's `take` tells."""
        if hour not in self._hours:
            for cells in self._hours.values():
                for (_, called), cell in cells.items():
                    cell.forget_sessions(called)
            self._hours[hour] = {}
            while len(self._hours) > self._hours_max:
                del self._hours[min(self._hours)]
        cells = self._hours[hour]
        for region, called, said in told:
            _cell_of(cells, (region, called)).add(said)

    def hours(self, region: str | None, limit: int) -> list[dict[str, Any]]:
        """A region's hours, or everybody's, the latest first; those of too few are left out."""
        found = []
        for hour in sorted(self._hours, reverse=True)[:limit]:
            whole = _whole(self._cells(hour, region).values())
            if whole.people >= PEOPLE_MIN:
                found.append({"hour": hour} | whole.summary())
        return found

    def classes(self, region: str | None, limit: int) -> dict[str, dict[str, Any]]:
        """The same hours by class, that of most reports first; those of too few are `other`."""
        shown: dict[str, Cell] = {}
        for hour in sorted(self._hours, reverse=True)[:limit]:
            for (_, called), cell in self._cells(hour, region).items():
                counted = _whole([cell])
                counted.forget_sessions(called)  # of two hours, only numbers can be compared
                shown.setdefault(called, Cell()).add(counted.to_mapping())
        rest = [shown.pop(OTHER, Cell())]
        for called, cell in [*shown.items()]:
            if cell.people < PEOPLE_MIN:
                rest.append(shown.pop(called))
        while shown and 0 < _whole(rest).people < PEOPLE_MIN:
            # who takes the shown from all there is must not be left with a few
            rest.append(shown.pop(min(shown, key=lambda called: shown[called].reports)))
        ranked = sorted(shown.items(), key=lambda each: (-each[1].reports, each[0]))
        if _whole(rest).people >= PEOPLE_MIN:
            ranked.append((OTHER, _whole(rest)))
        return {called: cell.summary() for called, cell in ranked}

    def _cells(self, hour: int, region: str | None) -> dict[Place, Cell]:
        cells = self._hours[hour]
        return {place: cell for place, cell in cells.items() if region in (None, place[0])}


def _whole(cells: Iterable[Cell]) -> Cell:
    whole = Cell()
    for cell in cells:
        whole.add(cell.to_mapping())
    return whole


def _cell_of(cells: dict[Place, Cell], place: Place) -> Cell:
    """The cell of a place; of one too many, of all such together."""
    if place not in cells:
        region, called = place
        if len({known for known, _ in cells} | {region}) > REGIONS_MAX:
            region = OTHER
        place = (region, called if len(cells) < CELLS_MAX else OTHER)
    return cells.setdefault(place, Cell())
