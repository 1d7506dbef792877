"""Seeded viewers of short videos: who begins what, how fast they receive, and when they leave."""

import lzma
import random
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Final

SEGMENT_S: Final = 2.0
SHAPES: Final = ((0.5, 0.35, 28), (0.25, 0.6, 45), (0.08, 0.3, 20), (0.15, 0.25, 90))
"""Curves when no files are given: hazard a second at first, its fading, length in seconds."""


@dataclass(frozen=True, slots=True)
class Curve:
    """How many are still there after each second, of 1 at its beginning."""

    name: str
    shares: tuple[float, ...]

    @property
    def duration_s(self) -> float:
        """The video's length: where the last ones leave, it ends."""
        return float(max(1, len(self.shares) - (self.shares[-1] == 0.0)))

    def leaves_s(self, draw: float) -> float:
        """When a viewer leaves, for an even draw."""
        for second, share in enumerate(self.shares):
            if share <= draw:
                return float(second) - draw % 1e-3
        return self.duration_s


def curves(directory: Path | None) -> list[Curve]:
    """The curves in a directory's files, lines `second share`; ours without one."""
    if directory is None:
        made = []
        for number, (hazard, fading, length) in enumerate(SHAPES):
            shares, share = [1.0], 1.0
            for second in range(1, length):
                share *= 1.0 - 0.4 * hazard * second**-fading
                shares.append(share)
            made.append(Curve(f"made-{number}", (*shares, 0.0)))
        return made
    found = []
    for path in sorted(directory.glob("*.txt")):
        rows = [line.split() for line in path.read_text().splitlines() if line.strip()]
        found.append(Curve(path.stem, tuple(float(share) for _, share in rows)))
    return found


@dataclass(frozen=True, slots=True)
class Network:
    """What one phone receives, in bits a second, every half second."""

    bps: tuple[float, ...]

    def arrives_s(self, size_bytes: int, at_s: float, offset: int) -> float:
        """When the last byte is there of what is sent from `at_s` on."""
        left, now_s = size_bytes * 8.0, at_s
        while True:
            step = int(now_s * 2.0)
            rate = self.bps[(step + offset) % len(self.bps)]
            until_s = (step + 1) / 2.0
            if rate * (until_s - now_s) >= left:
                return now_s + left / rate
            left -= max(0.0, rate) * (until_s - now_s)
            now_s = until_s


def networks(directory: Path | None, chance: random.Random) -> list[Network]:
    """The traces in a directory's files, lines `second Mbit/s`; ours without one."""
    if directory is None:
        return [
            Network(tuple(chance.lognormvariate(0.0, 0.5) * mean for _ in range(600)))
            for mean in (1.5e6, 4e6, 12e6)
        ]
    found = []
    for path in sorted(directory.glob("*.txt*")):
        data = path.read_bytes()
        text = (lzma.decompress(data) if path.suffix == ".xz" else data).decode()
        rates = [max(1e4, float(line.split()[1]) * 1e6) for line in text.splitlines() if line]
        found.append(Network(tuple(rates)))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One video."""

    number: int
    curve: Curve
    sizes: tuple[int, ...]  # bytes of its segments

    @property
    def playlist(self) -> str:
        """The key of its playlist."""
        return f"http://edge.example/v/{self.number:016d}/video.m3u8"

    def segment(self, position: int) -> str:
        """The key of a segment."""
        return f"http://edge.example/v/{self.number:016d}/{position}.m4s"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One viewer of one video, who leaves after `leaves_s` of it."""

    begins_s: float
    story: Story
    leaves_s: float
    network: Network
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """Who watches. A part of all views is of videos that nobody here has seen before."""

    stories: int = 2000
    alpha: float = 0.9
    fresh_share: float = 0.3
    per_s: float = 8.0
    bitrate_bps: float = 1.5e6
    buffer_s: float = 6.0  # that a player keeps ahead
    seed: int = 1
    retention: Path | None = None
    network: Path | None = None
    _made: dict[int, Story] = field(default_factory=dict)

    def told(self) -> dict[str, float | str]:
        """What was drawn from."""
        return {
            "stories": self.stories,
            "alpha": self.alpha,
            "fresh_share": self.fresh_share,
            "views_per_s": self.per_s,
            "bitrate_bps": self.bitrate_bps,
            "segment_s": SEGMENT_S,
            "buffer_s": self.buffer_s,
            "seed": self.seed,
            "retention": "made" if self.retention is None else self.retention.name,
            "network": "made" if self.network is None else self.network.name,
        }

    def views(self, seconds: float) -> Iterator[View]:
        """Yield the views of that time, in order."""
        chance = random.Random(self.seed)
        shapes = curves(self.retention)
        phones = networks(self.network, chance)
        steps = list(accumulate(1.0 / (rank + 1) ** self.alpha for rank in range(self.stories)))
        now_s, fresh = 0.0, self.stories
        while (now_s := now_s + chance.expovariate(self.per_s)) < seconds:
            if chance.random() < self.fresh_share:
                number = fresh = fresh + 1
            else:
                number = bisect_left(steps, chance.random() * steps[-1])
            story = self._story(number, shapes)
            yield View(
                begins_s=now_s,
                story=story,
                leaves_s=story.curve.leaves_s(chance.random()),
                network=chance.choice(phones),
                offset=chance.randrange(4096),
            )

    def _story(self, number: int, shapes: list[Curve]) -> Story:
        if number in self._made:
            return self._made[number]
        chance = random.Random(f"{self.seed} {number}")
        curve = chance.choice(shapes)
        length = max(1, round(curve.duration_s / SEGMENT_S))
        mean = self.bitrate_bps * SEGMENT_S / 8.0
        sizes = tuple(int(mean * chance.lognormvariate(-0.05, 0.3)) for _ in range(length))
        story = Story(number=number, curve=curve, sizes=sizes)
        if number < self.stories:
            self._made[number] = story
        return story
