"""A member of a simulated group: it probes, applies decisions, and is alone when nobody calls."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from failover.alone import alone
from failover.deciding import Decider, Heard
from failover.decision import Decision
from failover.evidence import Outcome, Report, Round
from failover.memory import Memory
from failover.model import Model, Vantage

ALONE_AFTER_S = 10.0
KEPT = 60  # rounds that can still be asked for

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
    controls_ok: bool = True
    alone_since: float | None = None
    _boot: int = 0
    _number: int = 0
    _log: list[tuple[float, int, Round]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._clock_s = self.draw.uniform(0, 1e6)
        self._pace = self.draw.uniform(0.999, 1.001)
        self._decider = Decider(alone(self.model, self.vantage), (self.vantage.region,))
        self._memory: Memory | None = None

    @property
    def version(self) -> tuple[int, int]:
        return self.decision.version if self.decision else (0, 0)

    def restart(self) -> None:
        """Begin anew: the edge keeps its decision, all else is gone."""
        self._boot, self._number, self._log = self._boot + 1, 0, []
        self._memory = self.alone_since = None

    def probe(self, now: float, look: Look) -> None:
        """Begin a round of every target; what it comes to is known when it is."""
        self._number += 1
        for service in self.model.services:
            for target in service.targets:
                why, took_s = look(self.vantage.name, target.name, now)
                seen = Round(
                    service=service.name,
                    target=target.name,
                    number=self._number,
                    outcome=Outcome.FAIL if why else Outcome.OK,
                    why=why,
                )
                self._log.append((now + took_s, self._number, seen))
        del self._log[: -KEPT * 3]

    def report(self, boot: str, after: int, now: float) -> Report:
        """Return what has ended since the report of that number."""
        mine = f"{self.vantage.name}.{self._boot}"
        after = after if boot == mine else 0
        running = min((each[1] for each in self._log if each[0] > now), default=self._number + 1)
        rounds = [each[2] for each in self._log if after < each[1] < running]
        return Report(
            vantage=self.vantage.name,
            boot=mine,
            number=running - 1,
            controls_ok=self.controls_ok,
            controls_why="" if self.controls_ok else "no control answers",
            rounds=tuple(rounds),
        )

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
