"""Request traces: files of recorded ones, and seeded ones of what a video platform is asked for."""

import lzma
import random
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import accumulate
from pathlib import Path
from typing import Final

KIB, MIB = 1024, 1024 * 1024
RATE_PER_S: Final = 25.0  # of recorded traces that have no clock


@dataclass(frozen=True, slots=True)
class Trace:
    """Requests in order: when, for which object, how large it is."""

    name: str
    times_s: list[float]
    objects: list[int]
    sizes: list[int]

    def __len__(self) -> int:
        return len(self.objects)

    @property
    def footprint_bytes(self) -> int:
        """The sizes of all objects together."""
        return sum(dict(zip(self.objects, self.sizes, strict=True)).values())


def recorded(path: Path, rate_per_s: float = RATE_PER_S) -> Trace:
    """Return the trace in a file of lines `sequence object bytes`, .xz or plain.

    Each object has the size of its first request; requests come at an even rate.
    """
    data = path.read_bytes()
    text = (lzma.decompress(data) if path.suffix == ".xz" else data).decode()
    names: dict[str, int] = {}
    first_sizes: list[int] = []
    objects = []
    for line in text.splitlines():
        _, name, size = line.split()
        number = names.setdefault(name, len(names))
        if number == len(first_sizes):
            first_sizes.append(max(1, int(size)))
        objects.append(number)
    times_s = [number / rate_per_s for number in range(len(objects))]
    sizes = [first_sizes[number] for number in objects]
    return Trace(path.name.partition(".")[0], times_s, objects, sizes)


class _Zipf:
    """Draws ranks 0 … n - 1 with probability proportional to 1 / (rank + 1) ** alpha."""

    def __init__(self, chance: random.Random, number: int, alpha: float) -> None:
        self._chance = chance
        self._sums = list(accumulate((rank + 1) ** -alpha for rank in range(number)))

    def draw(self) -> int:
        return bisect_left(self._sums, self._chance.random() * self._sums[-1])


class _Sizes:
    """The size of each object: drawn once, by a log-normal around `median`, within bounds."""

    def __init__(self, chance: random.Random, median: int, spread: float, most: int) -> None:
        self._chance, self._median, self._spread, self._most = chance, median, spread, most
        self._of: dict[int, int] = {}

    def of(self, number: int) -> int:
        if number not in self._of:
            drawn = self._median * self._chance.lognormvariate(0.0, self._spread)
            self._of[number] = max(256, min(self._most, int(drawn)))
        return self._of[number]


def video(seed: int, requests: int) -> Trace:
    """Sessions watch segments in order and drop off; new titles come in and fade."""
    chance = random.Random(seed)
    titles, seconds, segment_s = 600, 4 * 3600.0, 4.0
    ranks = _Zipf(chance, titles, 1.0)
    bitrates = (0.4, 1.2, 2.8, 5.0)  # Mbit/s
    per_session = 12.0
    sessions = requests / per_session
    lengths = [max(5, int(chance.lognormvariate(3.7, 0.7))) for _ in range(titles)]
    shift = 0.0
    waiting: list[tuple[float, int, int, int, int]] = []
    next_session_s = 0.0
    found: list[tuple[float, int, int]] = []
    while len(found) < requests:
        if not waiting or next_session_s <= waiting[0][0]:
            now_s = next_session_s
            next_session_s += chance.expovariate(sessions / seconds)
            shift = now_s / seconds * titles * 0.15  # 15 % of the ranks are new at the end
            title = int(ranks.draw() - shift) % titles
            rendition = chance.choices(range(4), (1, 2, 6, 1))[0]
            first = 0 if chance.random() < 0.85 else chance.randrange(lengths[title])
            heappush(waiting, (now_s, len(found), title, rendition, first))
            continue
        now_s, tie, title, rendition, segment = heappop(waiting)
        number = (title * 4 + rendition) * 4096 + segment
        size = int(bitrates[rendition] * 1e6 / 8 * segment_s * (0.8 + (number * 7919 % 41) / 100))
        found.append((now_s, number, size))
        if segment + 1 < lengths[title] and chance.random() > 1.0 / per_session:
            pause_s = 0.5 if segment < 3 else segment_s  # the player's buffer fills first
            heappush(waiting, (now_s + pause_s, tie, title, rendition, segment + 1))
    return _trace("video", iter(found))


def social(seed: int, requests: int) -> Trace:
    """A feed: small objects by Zipf; new posts come in all the time and are asked for most."""
    chance = random.Random(seed)
    seconds, window = 2 * 3600.0, 30_000
    ranks = _Zipf(chance, window, 0.95)
    sizes = _Sizes(chance, 24 * KIB, 1.2, 2 * MIB)
    born_per_request = 0.15

    def one() -> Iterator[tuple[float, int, int]]:
        for place in range(requests):
            newest = window + int(place * born_per_request)
            # half of all requests go to what is new, half to what has always been liked
            number = newest - ranks.draw() if chance.random() < 0.5 else -1 - ranks.draw()
            yield place * seconds / requests, number, sizes.of(number)

    return _trace("social", one())


def flash_crowd(seed: int, requests: int) -> Trace:
    """A catalogue by Zipf, and again and again a crowd that wants a few new objects at once."""
    chance = random.Random(seed)
    seconds, number_of = 2 * 3600.0, 40_000
    ranks = _Zipf(chance, number_of, 0.8)
    crowd_ranks = _Zipf(chance, 60, 0.7)
    sizes = _Sizes(chance, 200 * KIB, 1.0, 4 * MIB)
    crowds = sorted(chance.uniform(0.05, 0.9) * seconds for _ in range(8))

    def one() -> Iterator[tuple[float, int, int]]:
        for place in range(requests):
            now_s = place * seconds / requests
            number = ranks.draw()
            for which, began_s in enumerate(crowds):
                since_s = now_s - began_s
                if 0 <= since_s < 900 and chance.random() < 0.6 * (1 - since_s / 900):
                    number = number_of + 1000 * which + crowd_ranks.draw()
            yield now_s, number, sizes.of(number)

    return _trace("flash-crowd", one())


def crawled(seed: int, requests: int) -> Trace:
    """A shop window by Zipf, and a crawler that reads everything in order, again and again."""
    chance = random.Random(seed)
    seconds, number_of = 2 * 3600.0, 25_000
    ranks = _Zipf(chance, number_of, 1.0)
    sizes = _Sizes(chance, 60 * KIB, 1.4, 4 * MIB)

    def one() -> Iterator[tuple[float, int, int]]:
        crawled_to = 0
        for place in range(requests):
            if chance.random() < 0.25:
                crawled_to = (crawled_to + 1) % number_of
                number = crawled_to
            else:
                number = ranks.draw()
            yield place * seconds / requests, number, sizes.of(number)

    return _trace("crawled", one())


def live(seed: int, requests: int) -> Trace:
    """Many live channels: everybody wants the newest segments, some go back a while."""
    chance = random.Random(seed)
    seconds, channels, segment_s = 2 * 3600.0, 400, 4.0
    ranks = _Zipf(chance, channels, 0.9)
    sizes = _Sizes(chance, 700 * KIB, 0.5, 4 * MIB)

    def one() -> Iterator[tuple[float, int, int]]:
        for place in range(requests):
            now_s = place * seconds / requests
            channel = ranks.draw()
            back = 0 if chance.random() < 0.8 else int(chance.expovariate(1 / 60.0))
            segment = max(0, int(now_s / segment_s) - back)
            number = channel * 100_000 + segment
            yield now_s, number, sizes.of(number)

    return _trace("live", one())


SYNTHETIC: Final[dict[str, Callable[[int, int], Trace]]] = {
    "video": video,
    "social": social,
    "flash-crowd": flash_crowd,
}
KEPT_ASIDE: Final[dict[str, Callable[[int, int], Trace]]] = {"crawled": crawled, "live": live}
"""No number of the tournament was chosen with these."""


def _trace(name: str, found: Iterator[tuple[float, int, int]]) -> Trace:
    times_s, objects, sizes = (list(column) for column in zip(*found, strict=True))
    return Trace(name, times_s, objects, sizes)
