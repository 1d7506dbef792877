"""What was seen from outside of where a service goes, and when that changed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import pairwise


@dataclass
class Sights:
    """What each observer has seen `media` to use, and when that changed: the share of `one`."""

    now: dict[str, float] = field(default_factory=dict)
    changes: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def note(self, where: str, share: float) -> None:
        """Note what was seen just now."""
        if self.now.get(where) != share:
            self.now[where] = share
            self.changes.setdefault(where, []).append((time.monotonic(), share))

    def moves(self, where: str) -> tuple[int, int]:
        """How often traffic left `one`, and how often it began to come back, as seen there."""
        shares = [share for _, share in self.changes.get(where, ())]
        steps = [after - before for before, after in pairwise(shares)]
        falls = sum(step < 0 for step in steps)
        rises = [at for at, step in enumerate(steps) if step > 0]
        return falls, sum(at == 0 or steps[at - 1] < 0 for at in rises)

    @property
    def all_moves(self) -> dict[str, tuple[int, int]]:
        """The same of all observers."""
        return {where: self.moves(where) for where in self.changes}
