"""How often values fell between fixed bounds; one list of integers, nothing to allocate."""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

SECONDS: Final = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
)
STALLS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)
INFINITY: Final = "+Inf"
SUM: Final = "sum"


class Histogram:
    """Counts by upper bound, inclusive, and the sum of what was observed."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def said(self, name: str) -> Iterator[tuple[str, float]]:
        """The parts (`name bound`, how often between the bound before and this one), then the sum.

        Each part can be summed over workers, and none ever falls.
        """
        for bound, count in zip(bound_labels(self.bounds), self.counts, strict=True):
            yield f"{name} {bound}", count
        yield f"{name} {SUM}", self.total


def bound_labels(bounds: tuple[float, ...]) -> list[str]:
    """The bounds as Prometheus writes them, the infinite one included."""
    return [*(f"{bound:g}" for bound in bounds), INFINITY]
