"""What the origin of a soak has, has said and had invalidated, and since when: no I/O."""

from __future__ import annotations

import hashlib
import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, field

from tests.support.soak_rules import InForce

POOL_BYTES = 32 << 20
POOL = memoryview(random.Random(2).randbytes(POOL_BYTES))
LANGUAGES = ("", "de", "en")
FOR_EVER_S = 1e9
CALM_S = 3.0  # after trouble began, until errors have no excuse any more


@dataclass(frozen=True)
class Kind:
    """Objects that the origin says the same about; each has a size of the table."""

    control: str
    lifetime_s: float
    sizes: tuple[int, ...]
    stale_s: float = 0.0  # and may be used for this long after it, at worst
    ranges: bool = True
    weak: bool = False  # a weak ETag, and no length
    by_language: bool = False
    checked: bool = False  # validated for each request
    own: bool = False  # each answer is its asker's alone
    objects: int = 4  # in each group


KINDS = {
    "film": Kind("max-age=3600", 3600, (9_000_000,), objects=1),
    "clip": Kind("max-age=3600", 3600, (300, 70_000, 600_000, 1_100_000, 2_600_000), objects=6),
    "brief": Kind("max-age=1, stale-while-revalidate=2", 1, (900, 90_000), 2, ranges=False),
    "tough": Kind("max-age=1, must-revalidate", 1, (400, 1_300_000)),
    "lasting": Kind("max-age=1, stale-if-error=20", 1, (50_000, 1_200_000), 20),
    "tongue": Kind("max-age=3600", 3600, (800, 200_000, 1_500_000), by_language=True),
    "speech": Kind("max-age=2", 2, (800, 30_000), by_language=True, ranges=False),
    "weak": Kind("max-age=3", 3, (500, 400_000), weak=True, ranges=False),
    "checked": Kind("no-cache", 0, (700, 150_000), checked=True, objects=2),
    "mine": Kind("private, max-age=60", 0, (600, 20_000), own=True, objects=2),
    "never": Kind("no-store", 0, (600, 20_000), own=True, objects=1),
}
GROUPS = ("red", "blue")
PATHS = tuple(
    f"/{name}/{group}/{number}"
    for name, kind in KINDS.items()
    for group in GROUPS
    for number in range(kind.objects)
)


def kind_of(path: str) -> Kind:
    return KINDS[path.split("/")[1]]


def tags_of(path: str) -> list[str]:
    _, name, group, _ = path.split("/")
    return [group, f"{name}-{group}", "every"]


def size_of(path: str, version: int) -> int:
    """Length of a version, in bytes: most versions differ in it."""
    sizes = kind_of(path).sizes
    return sizes[int(path[-1]) % len(sizes)] + version % 5 * 17


def content(path: str, version: int, variant: str) -> memoryview:
    """The bytes of a representation; no two have a stretch of them in common."""
    digest = hashlib.blake2b(f"{path} {version} {variant}".encode(), digest_size=8).digest()
    size = size_of(path, version)
    first = int.from_bytes(digest, "big") % (POOL_BYTES - size)
    return POOL[first : first + size]


def etag_of(path: str, version: int, variant: str) -> str:
    return f'{"W/" if kind_of(path).weak else ""}"{version}-{variant}"'


def read_etag(etag: str) -> tuple[int, str]:
    """The version and the variant that an ETag is of."""
    version, _, variant = etag.removeprefix("W/").strip('"').partition("-")
    return int(version), variant


@dataclass(slots=True)
class Said:
    """One answer of the origin."""

    path: str
    version: int
    asker: str
    with_authorization: bool
    generated_mono: float
    ended_mono: float = FOR_EVER_S


@dataclass
class Invalidations:
    """Of one URL: when what was acknowledged since had been asked for."""

    hard_mono: float = 0.0
    soft_mono: list[tuple[float, float]] = field(default_factory=list)  # asked for, acknowledged

    def stale_since(self, generated_mono: float) -> float:
        """When what was generated then was first called stale; for ever from now if it was not."""
        at = bisect_right(self.soft_mono, (generated_mono, FOR_EVER_S))
        return self.soft_mono[at][1] if at < len(self.soft_mono) else FOR_EVER_S


class World:
    """The origin's side, and what an operator was promised."""

    def __init__(self, paths: Iterable[str] = PATHS) -> None:
        self.versions = dict.fromkeys(paths, 1)
        self.said: list[Said] = []
        self.trouble_mono: defaultdict[str, float] = defaultdict(float)  # the latest of a path
        self._promise_nothing()

    def _promise_nothing(self) -> None:
        self.invalidations: defaultdict[str, Invalidations] = defaultdict(Invalidations)
        self.in_force = InForce()
        self.tag_mono = 0.0  # the latest purge of what the rules in force tag
        self.relieved_mono = 0.0  # when slow readers were last cut, because memory was short
        self.upset_mono = 0.0  # the latest that everybody may notice

    def of_another_edge(self) -> World:
        """The same origin, and nothing promised yet."""
        other = copy(self)
        other._promise_nothing()
        return other

    def say(self, path: str, asker: str, *, authorized: bool, now_mono: float) -> tuple[int, Said]:
        """Decide what an answer is made of; return its number, too."""
        said = Said(path, self.versions[path], asker, authorized, now_mono)
        self.said.append(said)
        return len(self.said) - 1, said

    def change(self, paths: Iterable[str]) -> None:
        for path in paths:
            self.versions[path] += 1

    def invalidate(
        self, urls: Iterable[str], asked_mono: float, *, soft_mono: float | None = None
    ) -> None:
        """Note a purge that was asked for then; a soft one was acknowledged at `soft_mono`."""
        for url in urls:
            of = self.invalidations[url]
            if soft_mono is not None:
                of.soft_mono = sorted([*of.soft_mono, (asked_mono, soft_mono)])
            else:
                of.hard_mono = max(of.hard_mono, asked_mono)

    def upset(self, until_mono: float) -> None:
        """Something happens, until then, that may cost any player an error."""
        self.upset_mono = max(self.upset_mono, until_mono)

    def is_calm(self, path: str, since_mono: float) -> bool:
        """Whether nothing happened since then that excuses an error."""
        return max(self.trouble_mono[path], self.upset_mono) < since_mono - CALM_S
