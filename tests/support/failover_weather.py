"""A provider whose errors come and go, before a controller with three vantages, in virtual time."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from failover.votes import EMPTY, NOBODY, Vote
from tests.support.failover import Lab, model

HOUR_S = 3_600.0
TARGETS = "a b"


@dataclass
class Moves:
    """What a controller did in the course of time."""

    falls: list[float] = field(default_factory=list)  # when traffic left `a`,
    returns: list[float] = field(default_factory=list)  # and when it began to come back
    unseen: list[float] = field(default_factory=list)  # when it moved though too few had looked
    back_at: float = 0.0  # when all of it was back


Weather = Callable[[float, random.Random], bool]
"""Says whether a round of `a` fails at a time."""


def oscillation(period_s: float, bad: float, until_s: float) -> Weather:
    """Bad for a part of each period, good for the rest of it."""
    return lambda now, _: now < until_s and now % period_s < bad * period_s


def night(now: float, draw: random.Random) -> bool:
    """18 November 2025, in seconds after 11:20 UTC.

    Good and bad configuration alternated every five minutes; from 14:30 core traffic flowed, with
    some errors yet; from 17:06 all was well.
    """
    if now < 3 * HOUR_S + 600.0:
        return now % 600.0 < 300.0
    return now < 5 * HOUR_S + 2_760.0 and draw.random() < 0.02


def live_through(
    weather: Weather, lasts_s: float, seed: int = 0, *, silence: float = 0.0, **detection: float
) -> Moves:
    """Let time pass, a round and a step a second; every vantage is silent for parts of it.

    Who has just seen a first failure asks again after half a second.
    """
    draw = random.Random(seed)
    lab = Lab(model(TARGETS, **detection))
    names = [vantage.name for vantage in lab.model.vantages]
    lab.seconds(10)
    began, moves, share = lab.now, Moves(), 1.0
    silent_until = dict.fromkeys(names, 0.0)
    heard_at = dict.fromkeys(names, began)
    while (now := lab.now - began) < lasts_s:
        for name in names:
            if now >= silent_until[name] and draw.random() < silence / 60.0:
                silent_until[name] = now + draw.uniform(1.0, 120.0)
        silent = {name for name in names if now < silent_until[name]}
        heard_at |= dict.fromkeys(set(names) - silent, lab.now + 1.0)
        lab.second({name: "a" if weather(now, draw) else "" for name in names}, silent=silent)
        again = {name for name in set(names) - silent if _asks_again(lab, name)}
        if again:
            bad = {name: "a" if weather(now + 0.5, draw) else "" for name in sorted(again)}
            lab.second(bad, silent=set(names) - again, passed_s=0.5)
        if (new := lab.shares().get("a", 0.0)) != share:
            (moves.falls if new < share else moves.returns).append(now)
            fresh = [name for name in names if lab.now - heard_at[name] < 5.0]
            if 2 * len(fresh) <= len(names):
                moves.unseen.append(now)
            share = new
            moves.back_at = now if share == 1.0 else moves.back_at
    moves.returns = _firsts(moves.returns, moves.falls)
    return moves


def _asks_again(lab: Lab, vantage: str) -> bool:
    known = lab.memory.attendances.get(vantage, NOBODY)
    ballot = known.ballots.get(("media", "a"), EMPTY)
    return bool(ballot.failed & 1) and ballot.vote is not Vote.DOWN


def _firsts(returns: list[float], falls: list[float]) -> list[float]:
    """Return the first step of each return: the rest of its steps belong to it."""
    return [
        now
        for past, now in pairwise([-1.0, *returns])
        if past < 0 or any(past < fall < now for fall in falls)
    ]


def seeded_complaints(seed: int, hold_off_s: float = 1_200.0) -> list[str]:
    """Return what is wrong with how a seed's oscillation of four hold-offs was lived through.

    Its period is 20 s to 20 min, 10 to 90 % of it bad; in every third, vantages fall silent.
    """
    draw = random.Random(seed)
    period_s, bad = draw.uniform(20.0, 1_200.0), draw.uniform(0.1, 0.9)
    silence = 0.3 if seed % 3 == 0 else 0.0
    factor = hold_off_s / 1_200.0
    moves = live_through(
        oscillation(period_s * factor, bad, 4 * hold_off_s),
        4 * hold_off_s,
        seed,
        silence=silence,
        hold_off_s=hold_off_s,
    )
    found = [f"{at:.0f} s: moved unseen" for at in moves.unseen]
    found += [
        f"{at:.0f} s: back within a hold-off of {past:.0f} s"
        for past, at in pairwise(sorted([*moves.falls, *moves.returns]))
        if at - past < hold_off_s
    ]
    if not moves.falls and bad * period_s * factor >= 3.0:
        found.append(f"never moved: {bad:.0%} of {period_s:.0f} s")
    return found
