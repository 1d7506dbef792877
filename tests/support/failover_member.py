"""A member of a simulated group: it probes, applies decisions, and is alone when nobody calls."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from failover.alone import alone
from failover.answer import Answer
from failover.deciding import Decider, Heard
from failover.decision import Decision
from failover.evidence import Outcome, Report, Round
from failover.journal import Journal
from failover.memory import Memory
from failover.model import Model, Vantage
from failover.rhythm import Rhythm

ALONE_AFTER_S = 10.0
KEPT = 180  # rounds that can still be asked for
TINY_S = 1e-6  # sums of ticks are no exact numbers

Look = Callable[[str, str, float], tuple[str, float]]
"""What a vantage meets at a target now (empty: nothing), and how long that takes."""


@dataclass
class Member:
    """A vantage and the edge beside it, on a clock of its own."""

    model: Model
    vantage: Vantage
    draw: random.Random
    decision: Decision | None = None  # in force at the edge
    heard_at: float = 0.0
    phase_s: float = 0.0  # of its first rounds
    alone_since: float | None = None
    _boot: int = 0
    _ends: list[tuple[float, Rhythm, Round]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._clock_s = self.draw.uniform(0, 1e6)
        self._pace = self.draw.uniform(0.999, 1.001)
        self._decider = Decider(alone(self.model, self.vantage), (self.vantage.region,))
        self._begin(self.phase_s)

    def _begin(self, first_at: float) -> None:
        self._journal = Journal(
            self.vantage.name, f"{self.vantage.name}.{self._boot}", rounds_max=KEPT
        )
        self._journal.controls(Answer())
        self._memory: Memory | None = None
        self._ends.clear()
        self._rhythms = {
            (service.name, target.name): Rhythm(service.detection, first_at)
            for service in self.model.services
            for target in service.targets
        }

    @property
    def version(self) -> tuple[int, int]:
        return self.decision.version if self.decision else (0, 0)

    def restart(self, now: float) -> None:
        """Begin anew: the edge keeps its decision, all else is gone."""
        self._boot, self.alone_since = self._boot + 1, None
        self._begin(now)

    def controls(self, *, ok: bool) -> None:
        """Find that what must work for its votes to count does, or that it does not."""
        self._journal.controls(Answer("" if ok else "no control answers"))

    def probe(self, now: float, look: Look) -> None:
        """Begin the rounds that the rhythm has begin now; what each comes to is known later."""
        self._end(now)
        for (service, target), rhythm in self._rhythms.items():
            is_due = now >= rhythm.due_mono - TINY_S
            if not is_due and (now < rhythm.look_mono - TINY_S or not rhythm.is_in_doubt):
                continue
            if rhythm.begin(now, is_due=is_due) is None:
                continue
            why, took_s = look(self.vantage.name, target, now)
            seen = Round(
                service=service,
                target=target,
                number=0,
                outcome=Outcome.FAIL if why else Outcome.OK,
                why=why,
                took_ms=1_000.0 * took_s,
            )
            self._ends.append((now + took_s, rhythm, seen))

    def _end(self, now: float) -> None:
        """Tell of the rounds that have ended, in the order in which they did."""
        ended = sorted((each for each in self._ends if each[0] <= now), key=lambda each: each[0])
        self._ends = [each for each in self._ends if each[0] > now]
        for at, rhythm, seen in ended:
            rhythm.on_the_way -= 1
            told, is_urgent = rhythm.end(seen, at)
            self._journal.add([told], is_urgent=is_urgent)

    def is_urgent(self, boot: str, after: int, now: float) -> bool:
        """Say whether a controller that knows so much would be answered at once."""
        self._end(now)
        return self._journal.is_urgent(after, boot)

    def report(self, boot: str, after: int, now: float) -> Report:
        """Return what has ended since the report of that number."""
        self._end(now)
        return self._journal.report(after, boot)

    def put(self, decision: Decision, now: float) -> bool:
        """Apply a decision, unless it is older than the one in force."""
        self.heard_at, self._memory, self.alone_since = now, None, None
        if decision.version < self.version:
            return False
        self.decision = decision
        return True

    def live(self, now: float) -> None:
        """Decide for the edge when no controller has been heard of for long."""
        if now - self.heard_at < ALONE_AFTER_S or not self.decision:
            return
        mono = self._clock_s + now * self._pace
        if self._memory is None:
            self._memory = self._decider.start(mono, self.decision)
            self.alone_since = now
        known = self._memory.attendances.get(self.vantage.name)
        report = self.report(known.boot if known else "", known.number if known else 0, now)
        heard = Heard(reports=[report])
        step = self._decider.step(self._memory, heard, mono, self.decision.epoch)
        self._memory = step.memory
        if step.decision:
            mine = {(each.service, each.region): each for each in step.decision.choices}
            choices = tuple(
                mine.get((each.service, each.region), each) for each in self.decision.choices
            )
            self.decision = Decision(
                epoch=step.decision.epoch, number=step.decision.number, choices=choices
            )
