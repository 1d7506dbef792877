"""How long a region takes to forget: from an order to the last edge's acknowledgement.

Eight edges of one worker hold small objects, half of which share a tag. The tag is purged softly
several times, which leaves all of it stored, and then for good; all is fetched again, and so on.
After each purge a sample is asked for: what was purged softly must be fetched anew by that, of what
was purged for good nothing may be served, and what has not the tag must still be there. Rows:
`pushed` over the admin listeners alone, `valkey` with a Valkey that carries purges, too.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from statistics import median
from typing import Any

import httpx
import uvloop

from benchmarks.command import arguments, run
from benchmarks.filling import Answer, ask
from benchmarks.fleet import Fleet, fleet
from benchmarks.pairing import RunRefusedError
from benchmarks.processes import Server
from benchmarks.report import Report
from benchmarks.tagged_origin import BODY_BYTES, TAG, body

EDGES = 8
SAMPLE = 64  # objects of each edge
REST_SHARE = 0.2  # of a core: whoever takes less, all edges together, has nothing more to do
REST_LOOK_S = 0.25
REST_MAX_S = 20.0
MEDIAN_MAX_MS = 50.0
P99_MAX_MS = 150.0
PATIENCE_S = 10.0
SOFT_PURGES = 7  # of what is stored, before it is purged for good: filling takes most of the time
SIZES = {True: (8_000, 1), False: (100_000, 5)}  # objects, fillings; by whether the run is quick
ROWS = ("pushed", "valkey")


def share_of(edge: int, objects: int) -> list[int]:
    """Return the numbers of the objects that an edge holds."""
    return list(range(edge * objects // EDGES, (edge + 1) * objects // EDGES))


async def everywhere(
    servers: Sequence[Server], numbers: Sequence[Sequence[int]]
) -> list[list[Answer]]:
    """Return what each edge answers for its objects."""
    asked = (
        ask(server.port, some, BODY_BYTES) for server, some in zip(servers, numbers, strict=True)
    )
    return await asyncio.gather(*asked)


class Region:
    """Edges, what they hold, and which generation of content it is of."""

    def __init__(self, region: Fleet, objects: int, seed: int) -> None:
        self._fleet = region
        self._shares = [share_of(edge, objects) for edge in range(EDGES)]
        self._tagged = [[each for each in share if each % 2] for share in self._shares]
        self._others = [[each for each in share if not each % 2] for share in self._shares]
        self._draw = random.Random(seed)
        self._generation = 0
        self._http = httpx.Client(timeout=PATIENCE_S, trust_env=False)
        self.ways: dict[str, int] = {}

    async def fill(self) -> None:
        """Have every edge hold its share, by fetching what it has not."""
        await everywhere(self._fleet.edges, self._shares if not self._generation else self._tagged)
        for answers in await everywhere(self._fleet.edges, self._sample(self._tagged)):
            if not all(is_hit for _, is_hit, _ in answers):
                raise RunRefusedError("what was fetched is not in memory")

    async def rest(self) -> None:
        """Wait until edges have nothing more to do with what they fetched, such as Valkey's part.

        Else what is measured is how eight edges share two cores with their own writing.
        """
        until_mono = time.monotonic() + REST_MAX_S
        before = self._cpu_s()
        while time.monotonic() < until_mono:
            await asyncio.sleep(REST_LOOK_S)
            now = self._cpu_s()
            if now - before < REST_SHARE * REST_LOOK_S:
                return
            before = now

    def _cpu_s(self) -> float:
        return sum(edge.cpu_s() for edge in self._fleet.edges)

    async def purge(self, *, soft: bool) -> float:
        """Purge the tag; return the milliseconds until the last edge had acknowledged it."""
        self._generation += 1
        self._http.get(f"{self._fleet.origin.url}/generation/{self._generation}")
        began = time.perf_counter()
        answer = self._http.post(
            self._fleet.log,
            json={"kind": "tag", "values": [TAG], "soft": soft},
            headers={"Authorization": f"Bearer {self._fleet.token}"},
        )
        took_ms = 1e3 * (time.perf_counter() - began)
        receipt = answer.raise_for_status().json()
        if not receipt["acknowledged"]:
            raise RunRefusedError(f"not acknowledged: {receipt}")
        for edge in receipt["edges"]:
            self.ways[edge["by"]] = self.ways.get(edge["by"], 0) + 1
        await (self._look_for_new() if soft else self._look_for_none())
        await self._look_for_others()
        return took_ms

    async def _look_for_new(self) -> None:
        """Refuse the run when something is not fetched anew once it was asked for."""
        sample = self._sample(self._tagged)
        until_mono = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_mono:
            if all(
                content == body(number, self._generation)
                for answers in await everywhere(self._fleet.edges, sample)
                for number, _, content in answers
            ):
                return
        raise RunRefusedError("objects were served as fresh after their purge")

    async def _look_for_none(self) -> None:
        """Refuse the run when anything of before the purge is served."""
        for answers in await everywhere(self._fleet.edges, self._sample(self._tagged)):
            for number, is_hit, content in answers:
                if is_hit or content != body(number, self._generation):
                    raise RunRefusedError(f"object {number} was served after its purge")

    async def _look_for_others(self) -> None:
        """Refuse the run when more is gone than was purged."""
        for answers in await everywhere(self._fleet.edges, self._sample(self._others)):
            if not all(is_hit for _, is_hit, _ in answers):
                raise RunRefusedError("more was purged than was asked for")

    def _sample(self, shares: Sequence[Sequence[int]]) -> list[list[int]]:
        return [self._draw.sample(share, min(SAMPLE, len(share))) for share in shares]


async def row(name: str, objects: int, fillings: int) -> dict[str, Any]:
    """Measure one way of carrying."""
    with fleet(EDGES, memory="64MiB", with_valkey=name == "valkey") as started:
        region = Region(started, objects, seed=1)
        soft_ms: list[float] = []
        hard_ms: list[float] = []
        for _ in range(fillings):
            await region.fill()
            for found, soft in [*[(soft_ms, True)] * SOFT_PURGES, (hard_ms, False)]:
                await region.rest()
                found.append(await region.purge(soft=soft))
        took_ms = sorted(soft_ms + hard_ms)
        return {
            "edges": EDGES,
            "objects": objects,
            "purged": objects // 2,
            "purges": len(took_ms),
            "median_ms": median(took_ms),
            "soft_median_ms": median(soft_ms),
            "hard_median_ms": median(hard_ms),
            "p99_ms": took_ms[min(len(took_ms) - 1, len(took_ms) * 99 // 100)],
            "lowest_ms": took_ms[0],
            "acknowledged_by": region.ways,
        }


def measure(names: Sequence[str], *, quick: bool) -> Report:
    """Return what was found."""
    objects, fillings = SIZES[quick]
    figures = {name: uvloop.run(row(name, objects, fillings)) for name in names}
    ratios = {
        f"{name} {which}_ms": {
            "found": found[f"{which}_ms"],
            "limit": most_ms,
            "reached": found[f"{which}_ms"] < most_ms,
        }
        for name, found in figures.items()
        for which, most_ms in (("median", MEDIAN_MAX_MS), ("p99", P99_MAX_MS))
    }
    return Report(name="purge", runs=fillings, figures=figures, ratios=ratios)


if __name__ == "__main__":
    OPTIONS = arguments(__doc__, rows=ROWS)
    run(lambda: measure(OPTIONS.row or ROWS, quick=OPTIONS.quick), OPTIONS)
