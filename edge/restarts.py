"""How long to wait before a worker that died is started again."""

from __future__ import annotations

from dataclasses import dataclass

STEADY_S = 10.0  # a worker that lived this long died of something new
FIRST_S = 0.25


@dataclass(frozen=True, slots=True)
class Deaths:
    """How many times in a row a worker died young."""

    young: int = 0

    def after(self, lived_s: float) -> Deaths:
        """Return the count after one more death."""
        return Deaths(0 if lived_s >= STEADY_S else self.young + 1)

    def backoff_s(self, max_s: float) -> float:
        """Return the wait in seconds: none after the first death, then doubling up to `max_s`."""
        if self.young <= 1:
            return 0.0
        doublings = min(self.young - 2, 32)
        return min(FIRST_S * 2.0**doublings, max_s)
