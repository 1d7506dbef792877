"""A thousand edges and ten million objects in virtual time, by the same decisions as in service.

Players of all edges ask for objects by Zipf's law for an hour. What an edge has not, it asks of the
key's owner in its region (`edge.shield`), which asks the origin; what is held was purged or not by
the edge's own index (`edge.purged`). On the way some edge of each region dies, and a new one joins.
Rows: how many edges are a region. What edges without a shield would ask is counted beside it.
"""

import logging
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks.command import arguments, run
from benchmarks.report import Report
from edge.purged import Dated, Purged
from edge.purges import Purge, PurgeKind
from edge.routes import Upstream
from edge.shield import Shield
from failover.health import Signal

EDGES: Final = 1_000
OBJECTS: Final = 10_000_000
SEGMENTS: Final = 60  # of an asset, which its tag purges together
HOUR_S: Final = 3_600.0
FRESH_S: Final = 1_200.0
PURGES: Final = 2_000  # of assets, in the hour
MOVED_SAMPLE: Final = 4_000  # keys whose owners are looked at before and after
ROWS: Final = ("10", "50", "200")


def key_of(number: int) -> bytes:
    """Return the cache key of an object."""
    return b"http://video.example/v/%d/%d.m4s" % divmod(number, SEGMENTS)


def tags_of(number: int) -> tuple[bytes, ...]:
    """Return its purge tag."""
    return (b"asset-%d" % (number // SEGMENTS),)


@dataclass(slots=True)
class Region:
    """Edges by the URL at which they are asked, what each holds, and what was purged."""

    name: int
    size: int
    shield: Shield = field(default_factory=Shield)
    purged: Purged = field(default_factory=Purged)
    held: dict[str, dict[int, tuple[float, int]]] = field(default_factory=dict)
    listed: dict[str, float] = field(default_factory=dict)
    sequence: int = 0

    def __post_init__(self) -> None:
        for number in range(self.size):
            self.join(number, 0.0)

    def join(self, number: int, from_wall: float) -> None:
        """Have one more edge, which owns keys from an instant on."""
        url = f"http://10.{self.name % 250}.{number // 250}.{number % 250}:8090"
        self.listed[url], self.held[url] = from_wall, {}
        self.shield.follow(self.listed)

    def lose(self, url: str) -> None:
        """Have an edge die: three questions fail, and it is not asked any more."""
        del self.held[url]
        for _ in range(3):
            self.shield.saw(Upstream(url), Signal.FAIL)

    def owner(self, number: int, now: float) -> str:
        """Return who asks the origin for an object."""
        return self.shield.routes(key_of(number), now)[0].upstream.url

    def has(self, url: str, number: int, now: float) -> bool:
        """Say whether an edge may answer from what it holds."""
        held = self.held[url].get(number)
        return (
            held is not None
            and now < held[0]
            and not self.purged.since(held[1], key_of(number), tags_of(number))
        )

    def keep(self, url: str, number: int, now: float) -> None:
        """Have an edge hold an object."""
        self.held[url][number] = now + FRESH_S, self.sequence

    def purge(self, asset: int, now: float) -> None:
        """Purge all of an asset: one step, whatever it consists of."""
        self.sequence += 1
        purge = Purge(sequence=self.sequence, kind=PurgeKind.TAG, value=b"asset-%d" % asset)
        self.purged.apply(Dated(purge, now))


@dataclass(slots=True)
class Counted:
    """What was asked, and by whom it was answered."""

    requests: int = 0
    hits: int = 0  # at the player's edge
    of_owner: int = 0
    origin: int = 0
    origin_alone: int = 0  # without a shield
    died_moved: float = 0.0  # share of keys that changed owners
    joined_moved: float = 0.0
    purge_us: float = 0.0  # for one region's index


def ask(region: Region, url: str, number: int, now: float, counted: Counted) -> None:
    """Answer one player."""
    counted.requests += 1
    if region.has(url, number, now):
        counted.hits += 1
        return
    counted.origin_alone += 1
    owner = region.owner(number, now)
    if owner != url and region.has(owner, number, now):
        counted.of_owner += 1
    else:
        counted.origin += 1
        region.keep(owner, number, now)
    region.keep(url, number, now)


def owners(regions: Sequence[Region], now: float) -> list[str]:
    """Return who owns a sample of keys, in some regions."""
    draw = random.Random(7)
    numbers = [draw.randrange(OBJECTS) for _ in range(MOVED_SAMPLE)]
    return [
        regions[at % min(len(regions), 5)].owner(number, now) for at, number in enumerate(numbers)
    ]


def moved(before: Sequence[str], after: Sequence[str]) -> float:
    """Return the share of keys that have another owner."""
    return sum(one != other for one, other in zip(before, after, strict=True)) / len(before)


def row(size: int, requests: int, seed: int) -> dict[str, Any]:
    """Simulate an hour of regions of so many edges."""
    draw, counted = random.Random(seed), Counted()
    regions = [Region(number, size) for number in range(EDGES // size)]
    dies, joins, purge_every = requests // 3, 2 * requests // 3, max(1, requests // PURGES)
    for step in range(requests):
        now = HOUR_S * step / requests
        if step == dies:
            before = owners(regions, now)
            for region in regions:
                region.lose(draw.choice(list(region.held)))
            counted.died_moved = moved(before, owners(regions, now))
        elif step == joins:
            before = owners(regions, now)
            for region in regions:
                region.join(size, now + 2.0)
            if moved(before, owners(regions, now)):
                raise AssertionError("one that joins owned keys at once")
            counted.joined_moved = moved(before, owners(regions, now + 2.0))
        if step % purge_every == 0:
            asset = int((OBJECTS // SEGMENTS) ** draw.random())
            began = time.process_time()
            for region in regions:
                region.purge(asset, now)
            counted.purge_us += 1e6 * (time.process_time() - began) / len(regions) / PURGES
        region = regions[draw.randrange(len(regions))]
        url = draw.choice(tuple(region.held))
        ask(region, url, int(OBJECTS ** draw.random()), now, counted)
    return {
        "edges": EDGES,
        "regions": len(regions),
        "requests": counted.requests,
        "hit_percent": 100 * counted.hits / requests,
        "of_owner_percent": 100 * counted.of_owner / requests,
        "offload_percent": 100 * (1 - counted.origin / requests),
        "offload_alone_percent": 100 * (1 - counted.origin_alone / requests),
        "moved_when_one_died_percent": 100 * counted.died_moved,
        "moved_when_one_joined_percent": 100 * counted.joined_moved,
        "share_of_one_percent": 100 / size,
        "purge_us_an_edge": counted.purge_us,
    }


def measure(names: Sequence[str], *, quick: bool) -> Report:
    """Return what was found."""
    logging.getLogger("edge").setLevel(logging.ERROR)  # that an edge died is no news here
    requests = 60_000 if quick else 600_000
    figures = {name: row(int(name), requests, seed=1) for name in names}
    return Report(name="simulate", runs=1, figures=figures, ratios={})


if __name__ == "__main__":
    OPTIONS = arguments(__doc__, rows=ROWS)
    run(lambda: measure(OPTIONS.row or ROWS, quick=OPTIONS.quick), OPTIONS)
