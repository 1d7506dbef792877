"""A circuit breaker: what fails often is not asked for a while, then tried by probes alone."""

from dataclasses import dataclass
from enum import Enum, unique
from typing import Final


@unique
class State(Enum):
    """Whether a service is asked."""

    CLOSED = "closed"  # it is,
    OPEN = "open"  # it is not,
    HALF_OPEN = "half-open"  # it is not either, but a probe is on its way


@unique
class Signal(Enum):
    """What a request, or a probe, has shown. Requests from before it opened end later."""

    OK = "ok"
    FAIL = "fail"
    PROBE_OK = "probe-ok"
    PROBE_FAIL = "probe-fail"


@unique
class Verdict(Enum):
    """What becomes of somebody who wants to ask now."""

    ASK = "ask"
    PROBE = "probe"  # refused, and a probe is due: whoever is told so sends it
    REFUSE = "refuse"


CLOSED, OPEN, HALF_OPEN = State.CLOSED, State.OPEN, State.HALF_OPEN

TRANSITIONS: Final = {  # (state, signal): state after few recent failures, state after many
    (CLOSED, Signal.OK): (CLOSED, CLOSED),
    (CLOSED, Signal.FAIL): (CLOSED, OPEN),
    (CLOSED, Signal.PROBE_OK): (CLOSED, CLOSED),
    (CLOSED, Signal.PROBE_FAIL): (CLOSED, CLOSED),
    (OPEN, Signal.OK): (OPEN, OPEN),
    (OPEN, Signal.FAIL): (OPEN, OPEN),
    (OPEN, Signal.PROBE_OK): (CLOSED, CLOSED),
    (OPEN, Signal.PROBE_FAIL): (OPEN, OPEN),
    (HALF_OPEN, Signal.OK): (HALF_OPEN, HALF_OPEN),
    (HALF_OPEN, Signal.FAIL): (HALF_OPEN, HALF_OPEN),
    (HALF_OPEN, Signal.PROBE_OK): (CLOSED, CLOSED),
    (HALF_OPEN, Signal.PROBE_FAIL): (OPEN, OPEN),
}
VERDICTS: Final = {  # state: before a probe is due, from then on
    CLOSED: (Verdict.ASK, Verdict.ASK),
    OPEN: (Verdict.REFUSE, Verdict.PROBE),
    HALF_OPEN: (Verdict.REFUSE, Verdict.PROBE),  # the last probe was lost
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When it opens, and how often it is tried then."""

    failures: int = 5  # so many
    within_s: float = 1.0  # in this time open it
    probe_every_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Breaker:
    """A breaker's state, since when, and the failures that may yet open it."""

    state: State = CLOSED
    since_mono: float = 0.0  # it opened then, or was probed last
    failed_mono: tuple[float, ...] = ()  # oldest first; as many as open it at most


def step(breaker: Breaker, signal: Signal, now_mono: float, policy: BreakerPolicy) -> Breaker:
    """Fold what a request or a probe has shown into a breaker."""
    failed = breaker.failed_mono
    if signal is Signal.FAIL:
        recent = [each for each in failed if now_mono - each < policy.within_s]
        failed = (*recent, now_mono)[-policy.failures :]
    few, many = TRANSITIONS[breaker.state, signal]
    state = many if len(failed) >= policy.failures else few
    if state is breaker.state:
        return Breaker(state, breaker.since_mono, failed)
    return Breaker(state, now_mono)


def ask(breaker: Breaker, now_mono: float, policy: BreakerPolicy) -> tuple[Breaker, Verdict]:
    """Say what becomes of somebody who wants to ask; who is told PROBE sends the only probe."""
    is_due = now_mono - breaker.since_mono >= policy.probe_every_s
    verdict = VERDICTS[breaker.state][is_due]
    if verdict is Verdict.PROBE:
        return Breaker(HALF_OPEN, now_mono), verdict
    return breaker, verdict
