"""What is answered to a purge: who applied it, and who did not."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of a purge: how many workers applied it, and the numbers of those that hang."""

    sequence: int
    workers: int
    hanging: tuple[int, ...]
    took_ms: float
    lost: str = ""  # why it would not outlive a restart

    @property
    def is_complete(self) -> bool:
        """Say whether no response that starts from now on carries content from before the purge."""
        return not self.hanging and not self.lost

    def to_mapping(self) -> dict[str, object]:
        """Return the receipt as the admin listener answers it."""
        answer: dict[str, object] = {
            "sequence": self.sequence,
            "workers": self.workers,
            "took_ms": round(self.took_ms, 3),
        }
        if self.lost:
            answer["error"] = self.lost
        if self.hanging:
            who = ", ".join(f"worker {number}" for number in self.hanging)
            answer["error"] = f"not applied in time by {who}"
            answer["hanging"] = list(self.hanging)
        return answer
