"""What is watched at which hour of the week, and how much: learnt over weeks, in bounded memory."""

from collections.abc import Mapping
from typing import Any, Final

SLOTS: Final = 168  # hours of a week, UTC
NAMES_MAX: Final = 64  # of one hour
FADES: Final = 0.5  # what was counted a week before counts so much
HOUR_S: Final = 3600.0


def slot_of(wall_s: float) -> int:
    """The hour of the week, from Monday 0:00 UTC on."""
    return int(wall_s // HOUR_S + 72) % SLOTS  # the epoch was a Thursday


class Hours:
    """Requests by object and hour of the week."""

    def __init__(self) -> None:
        self._counts: list[dict[str, float]] = [{} for _ in range(SLOTS)]
        self._totals = [0.0] * SLOTS
        self._week = [-1] * SLOTS  # in which something was last counted, or came to nothing

    def add(self, name: str, weight: float, wall_s: float) -> None:
        """Count requests."""
        slot = self._turn(wall_s)
        counts = self._counts[slot]
        counts[name] = counts.get(name, 0.0) + weight
        self._totals[slot] += weight
        if len(counts) > 2 * NAMES_MAX:
            self._trim(slot)

    def usual(self, wall_s: float) -> dict[str, float]:
        """How often each object is asked for in the hour of `wall_s`, in a usual week.

        What was seen in one week only counts half.
        """
        counts = self._counts[slot_of(wall_s)]
        leading = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
        return {name: count * (1.0 - FADES) for name, count in leading[:NAMES_MAX]}

    def volume(self, wall_s: float) -> float:
        """Requests in that hour of a usual week."""
        return self._totals[slot_of(wall_s)] * (1.0 - FADES)

    def to_mapping(self) -> dict[str, Any]:
        """As JSON has it."""
        for slot in range(SLOTS):
            self._trim(slot)
        return {"counts": self._counts, "totals": self._totals, "weeks": self._week}

    @classmethod
    def from_mapping(cls, said: Mapping[str, Any]) -> "Hours":
        """What `to_mapping` was called on; raises ValueError, TypeError or KeyError else."""
        made = cls()
        for slot, counts in enumerate(said["counts"][:SLOTS]):
            made._counts[slot] = {str(name): float(count) for name, count in dict(counts).items()}
            made._totals[slot] = float(said["totals"][slot])
            made._week[slot] = int(said["weeks"][slot])
            made._trim(slot)
        return made

    def _turn(self, wall_s: float) -> int:
        """The slot of `wall_s`, with all of earlier weeks counting less."""
        slot, week = slot_of(wall_s), int(wall_s // (SLOTS * HOUR_S))
        passed = week - self._week[slot] if self._week[slot] >= 0 else 0
        if passed > 0:
            fades = FADES**passed
            self._totals[slot] *= fades
            self._counts[slot] = {name: count * fades for name, count in self._counts[slot].items()}
        self._week[slot] = max(week, self._week[slot])
        return slot

    def _trim(self, slot: int) -> None:
        counts = self._counts[slot]
        if len(counts) > NAMES_MAX:
            leading = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
            self._counts[slot] = dict(leading[:NAMES_MAX])
