"""From a fault to the decision that leaves it, in virtual time."""

from __future__ import annotations

import random

from failover.deciding import Decider, Heard
from failover.decision import Decision
from tests.support.failover import model
from tests.support.failover_faults import FAULTS, REQUESTS, fails
from tests.support.failover_member import Member

TICK_S = 0.05
PULLED_EVERY_TICKS = 20
ROUND_EVERY_TICKS = 20
WARM_TICKS = 200
GIVES_UP_S = 30.0


def detected_after_s(fault: str, seed: int, requests: int = REQUESTS) -> float:
    """Return the seconds from a fault of the first target to the decision that leaves it.

    Three vantages probe every second, each at its own time, and sooner after a failure; reports
    come every second, and at once when they turn a vantage's vote down.
    """
    draw = random.Random(f"{fault} {seed}")
    watched = model()
    decider = Decider(watched)
    members = [
        Member(watched, each, draw, phase_s=draw.randrange(ROUND_EVERY_TICKS) * TICK_S)
        for each in watched.vantages
    ]
    begins = (WARM_TICKS + draw.randrange(ROUND_EVERY_TICKS)) * TICK_S

    def look(_: str, target: str, now: float) -> tuple[str, float]:
        met = FAULTS[fault]
        if target == "a" and now >= begins and fails(met, draw, requests):
            return met.why, met.took_s
        return "", 0.05

    memory = decider.start(0.0)
    for tick in range(int(GIVES_UP_S / TICK_S)):
        now = tick * TICK_S
        reports = []
        for member in members:
            member.probe(now, look)
            known = memory.attendances.get(member.vantage.name)
            after = (known.boot, known.number) if known else ("", 0)
            if tick % PULLED_EVERY_TICKS == 0 or member.is_urgent(*after, now):
                reports.append(member.report(*after, now))
        if reports:
            step = decider.step(memory, Heard(reports=reports), now, 1)
            memory = step.memory
            if now >= begins and memory.decision and "a" not in _used(memory.decision):
                return now - begins
    return GIVES_UP_S


def _used(decision: Decision) -> set[str]:
    return {name for choice in decision.choices for name, _ in choice.shares}
