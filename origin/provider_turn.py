"""When a provider in front is asked what: after the edges, or once more after the late ones.

A provider that is purged before an edge is gets what was from that edge again.
"""

from __future__ import annotations

from enum import Enum, unique
from typing import TYPE_CHECKING, Final, NamedTuple

from origin.provider_calls import Verdict
from origin.provider_progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterable

    from origin.provider_calls import Adapter, Answer, Call, Item
    from origin.provider_progress import Refusal

EDGES_WAIT_S: Final = 10.0  # then it is purged, although an edge may yet give it what was
EDGES_POLL_S: Final = 0.1
LATE_EDGES_S: Final = 330.0  # an edge that is cut off for longer validates all that it serves
LATE_POLL_S: Final = 1.0
DENIED_PAUSE_S: Final = 30.0
RETRY_FIRST_S: Final = 0.5
RETRY_MAX_S: Final = 30.0


class Wait(NamedTuple):
    """Nothing is to be done for so long."""

    reason: str
    pause_s: float


@unique
class _Phase(Enum):
    HOLDING = "the edges come first"
    EARLY = "asked for while an edge may still have what was"
    FINAL = "asked for with nothing to come after it"


class Turn:
    """What a provider is asked up to one number of the log, and then up to the next."""

    def __init__(self, adapter: Adapter) -> None:
        self._progress = Progress(adapter)
        self._phase = _Phase.FINAL
        self._began_mono = 0.0
        self._free_mono = 0.0  # it is left alone before
        self._why = ""
        self._failures = 0
        self.number: int | None = None  # what is under way, None between two turns
        self.done = 0  # everything up to here is confirmed

    def begin(self, items: Iterable[Item], number: int, *, now_mono: float) -> None:
        """Ask for these; they are all that comes up to `number`."""
        self._progress.begin(items)
        self._phase, self._began_mono, self.number = _Phase.HOLDING, now_mono, number

    def step(self, *, edges_behind: bool, now_mono: float) -> Call | Wait | None:
        """The call to make, how long to wait, or None when all is settled."""
        if now_mono < self._free_mono:
            return Wait(self._why, self._free_mono - now_mono)
        waited_s = now_mono - self._began_mono
        if self._phase is _Phase.HOLDING:
            if edges_behind and waited_s < EDGES_WAIT_S:
                return Wait("waits for edges to acknowledge first", EDGES_POLL_S)
            self._phase = _Phase.EARLY if edges_behind else _Phase.FINAL
        if self._phase is _Phase.EARLY and self._progress.next_call is None:
            if edges_behind and waited_s < LATE_EDGES_S:
                return Wait("purged; once more when late edges have acknowledged", LATE_POLL_S)
            self._phase = _Phase.FINAL
            self._progress.again()
        call = self._progress.next_call
        if call is None and self.number is not None:
            self.done, self.number = self.number, None
        return call

    def fold(self, answer: Answer, *, now_mono: float) -> Refusal | None:
        """Take the answer to the call; return the order that it refuses for good."""
        if answer.verdict is Verdict.LATER:
            backoff_s = min(RETRY_MAX_S, RETRY_FIRST_S * 2.0 ** min(self._failures, 10))
            self._failures += 1
        else:
            backoff_s = DENIED_PAUSE_S if answer.verdict is Verdict.DENIED else 0.0
            self._failures = 0
        pause_s = backoff_s
        if answer.pause_s is not None:
            pause_s = max(answer.pause_s, min(backoff_s, RETRY_FIRST_S))
        self._free_mono = now_mono + pause_s
        self._why = answer.detail or "its rate limit is reached"
        return self._progress.fold(answer)
