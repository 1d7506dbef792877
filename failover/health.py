"""The health of one origin: probes and answers go in, ejections and restorations come out."""

from dataclasses import dataclass
from enum import Enum, unique
from typing import Final


@unique
class State(Enum):
    """How an origin stands; all but DOWN are asked."""

    UP = "up"
    SUSPECT = "suspect"
    DOWN = "down"


@unique
class Signal(Enum):
    """What a probe, or a player's request, has shown."""

    OK = "ok"
    FAIL = "fail"


@unique
class Effect(Enum):
    """What the caller carries out."""

    EJECT = "eject"
    RESTORE = "restore"


UP, SUSPECT, DOWN = State.UP, State.SUSPECT, State.DOWN
OK, FAIL = Signal.OK, Signal.FAIL

TRANSITIONS: Final = {  # (state, signal): short streak's state, long streak's state, its effect
    (UP, OK): (UP, UP, None),
    (UP, FAIL): (SUSPECT, DOWN, Effect.EJECT),
    (SUSPECT, OK): (SUSPECT, UP, None),
    (SUSPECT, FAIL): (SUSPECT, DOWN, Effect.EJECT),
    (DOWN, OK): (DOWN, UP, Effect.RESTORE),
    (DOWN, FAIL): (DOWN, DOWN, None),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthPolicy:
    """How long a streak must be to count."""

    fall: int = 3  # failures in a row eject
    rise: int = 2  # successes in a row restore

    def needed(self, signal: Signal) -> int:
        """The length from which a streak of `signal` is a long one."""
        return self.rise if signal is OK else self.fall


@dataclass(frozen=True, slots=True)
class Health:
    """An origin's state, and the streak of equal signals that led there."""

    state: State = UP
    last: Signal = OK
    streak: int = 0


def step(health: Health, signal: Signal, policy: HealthPolicy) -> tuple[Health, Effect | None]:
    """Fold one signal into an origin's health; the caller carries out the effect."""
    streak = health.streak + 1 if signal is health.last else 1
    short, long, effect = TRANSITIONS[health.state, signal]
    if streak < policy.needed(signal):
        return Health(short, signal, streak), None
    return Health(long, signal, streak), effect
