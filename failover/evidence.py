"""What vantages saw: one round of probes of one target, as it travels between processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, unique
from typing import NamedTuple


@unique
class Outcome(Enum):
    """What a round of a target's probes came to."""

    OK = "ok"
    FAIL = "fail"


class Round(NamedTuple):
    """All probes of a target, asked once by one vantage: it fails if one of them does."""

    service: str
    target: str
    number: int  # of this vantage's rounds for the target, counted from its start
    outcome: Outcome
    why: str = ""  # of a failure: the probe's name and what it met
    took_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayerEvidence:
    """What the players of one edge showed about a pathway since the last report."""

    service: str
    target: str
    fetched: int  # steering requests of players that were told to use it
    left: int  # of those, that had moved to another by themselves


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one vantage says at one time. It has no clock of its own that others would trust."""

    vantage: str
    boot: str  # changes when it starts anew, and its numbers with it
    number: int  # of what it saw last of what is in here, rising
    controls_ok: bool  # what must work for its votes to count does
    controls_why: str = ""
    rounds: tuple[Round, ...] = ()  # new ones since the last report, oldest first
    players: tuple[PlayerEvidence, ...] = ()
    is_last: bool = True  # part of a report; there is no more
    is_urgent: bool = False  # something in it has turned the vantage's own vote down


def joined(parts: Sequence[Report]) -> Report:
    """Return the report that came in parts: what is old in it is never heard alone, as if new."""
    return replace(
        parts[-1],
        rounds=tuple(each for part in parts for each in part.rounds),
        players=tuple(each for part in parts for each in part.players),
        is_urgent=any(part.is_urgent for part in parts),
    )
