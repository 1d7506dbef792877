"""How a target stands: verdicts go in; it falls at once, and is used again when it has held."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, unique
from typing import Final

from failover.model import Detection
from failover.quorum import Verdict


@unique
class State(Enum):
    """Whether a target is used."""

    UP = "up"
    SUSPECT = "suspect"  # it carries what it carries, and is given no more
    DOWN = "down"  # it carries nothing, unless everything is down
    HELD = "held"  # it works again, and is held off until that has lasted


@unique
class Clock(Enum):
    """What becomes of the time for which a target has been good."""

    RUNS = "runs"
    STOPS = "stops"
    ANEW = "anew"


UP, SUSPECT, DOWN, HELD = State.UP, State.SUSPECT, State.DOWN, State.HELD

TRANSITIONS: Final = {  # (state, verdict): its clock, state until its time is over, state from then
    (UP, Verdict.UP): (Clock.RUNS, UP, UP),  # its time: until its falls are forgotten
    (UP, Verdict.UNKNOWN): (Clock.ANEW, SUSPECT, SUSPECT),
    (UP, Verdict.DOWN): (Clock.ANEW, DOWN, DOWN),
    (SUSPECT, Verdict.UP): (Clock.RUNS, SUSPECT, UP),  # its time: the dwell
    (SUSPECT, Verdict.UNKNOWN): (Clock.ANEW, SUSPECT, SUSPECT),
    (SUSPECT, Verdict.DOWN): (Clock.ANEW, DOWN, DOWN),
    (DOWN, Verdict.UP): (Clock.ANEW, HELD, HELD),
    (DOWN, Verdict.UNKNOWN): (Clock.STOPS, DOWN, DOWN),
    (DOWN, Verdict.DOWN): (Clock.STOPS, DOWN, DOWN),
    (HELD, Verdict.UP): (Clock.RUNS, HELD, UP),  # its time: the hold-off
    (HELD, Verdict.UNKNOWN): (Clock.STOPS, HELD, HELD),
    (HELD, Verdict.DOWN): (Clock.ANEW, DOWN, DOWN),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """A target's state in one scope, and what its next one hangs on."""

    state: State = SUSPECT
    verdict: Verdict | None = None  # the last one; None: none has been known yet
    good_s: float = 0.0  # for so long it has been seen to be good in this state
    since_s: float = 0.0  # for so long it has been in this state, as far as it was looked at
    hold_off_s: float = 0.0  # the last one; 0: none, or forgotten
    why: str = ""  # it fell
    unknown_s: float = 0.0  # for so long the verdict has been UNKNOWN, as far as it was looked at


UNSEEN: Final = Standing()


def step(
    standing: Standing, verdict: Verdict, passed_s: float, detection: Detection, why: str = ""
) -> Standing:
    """Fold a verdict, and the seconds since the last one, into a target's standing.

    No more than `fresh_s` count of the time that passed: for the rest nobody has looked. What
    nothing is known of begins as UP with the first verdict, and falls at once if that says so.
    """
    if standing.verdict is None:
        if verdict is Verdict.UNKNOWN:
            unknown_s = standing.unknown_s + min(passed_s, detection.fresh_s)
            return replace(standing, unknown_s=unknown_s)
        standing = Standing(UP, Verdict.UP)
    if verdict is Verdict.UP and is_settled(standing):
        return standing
    clock, meanwhile, then = TRANSITIONS[standing.state, verdict]
    passed_s = min(passed_s, detection.fresh_s)
    good_s = standing.good_s
    if clock is Clock.RUNS and standing.verdict is Verdict.UP:
        good_s += passed_s
    elif clock is Clock.ANEW:
        good_s = 0.0
    is_unknown = verdict is standing.verdict is Verdict.UNKNOWN
    unknown_s = standing.unknown_s + passed_s if is_unknown else 0.0
    is_over = good_s >= waits_s(standing, detection)
    state = then if is_over else meanwhile
    if state is standing.state:
        forgotten = state is UP and is_over
        hold_off_s = 0.0 if forgotten else standing.hold_off_s
        since_s = standing.since_s + passed_s
        return Standing(state, verdict, good_s, since_s, hold_off_s, standing.why, unknown_s)
    if state is not DOWN:
        return Standing(state, verdict, 0.0, 0.0, standing.hold_off_s, standing.why)
    return Standing(DOWN, verdict, 0.0, 0.0, _next_hold_off_s(standing, detection), why)


def is_settled(standing: Standing) -> bool:
    """Say whether nothing but another verdict can change it."""
    is_up = standing.state is UP and standing.verdict is Verdict.UP
    return is_up and not standing.hold_off_s


def waits_s(standing: Standing, detection: Detection) -> float:
    """Return how many good seconds lead on from a state."""
    return {
        UP: detection.forget_s,
        SUSPECT: detection.dwell_s,
        DOWN: 0.0,
        HELD: standing.hold_off_s,
    }[standing.state]


def _next_hold_off_s(standing: Standing, detection: Detection) -> float:
    """Return the hold-off of a target that falls now: each fall costs more than the one before.

    What was good for less than the dwell when it fell had not got up: it is the same fall still.
    """
    if not standing.hold_off_s:
        return detection.hold_off_s
    if standing.state is HELD and standing.good_s < detection.dwell_s:
        return standing.hold_off_s
    return min(standing.hold_off_s * detection.hold_off_growth, detection.hold_off_max_s)
