"""A vantage whose controls do not answer: what it sees fail meanwhile may be its own fault."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from failover import vantage
from failover.answer import Answer
from failover.evidence import Outcome, Round
from failover.journal import Journal
from failover.model import Dependency, Detection, Model, Probe, ProbeKind, Service, Target, Vantage
from failover.vantage import Watch

OWN = Dependency(provider="own")
CONTROL = Probe(name="control", kind=ProbeKind.TCP, url="tcp://192.0.2.1:1")
NAMES = ("a", "b", "c")
LOOK_S = 0.02  # two intervals


async def until(claim: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not claim():  # noqa: ASYNC110 what it waits for tells nobody
            await asyncio.sleep(0.01)


class Outage:
    """Everything fails, and controls take longer than an interval to do so, until it is over."""

    def __init__(self) -> None:
        self.is_over, self.looks, self.waiting_max = False, 0, 0

    async def look(self, probes: Sequence[Probe], number: int) -> Answer:
        self.looks += 1
        self.waiting_max = max(self.waiting_max, len(asyncio.all_tasks()))
        if self.is_over:
            return Answer()
        await asyncio.sleep(LOOK_S)
        return Answer("control: no answer")

    async def ask(self, service: str, target: str, probes: Sequence[Probe], number: int) -> Round:
        outcome = Outcome.OK if self.is_over else Outcome.FAIL
        return Round(service=service, target=target, number=number, outcome=outcome)


class Told(Journal):
    """A journal that knows what was told of targets while the controls were good."""

    def __init__(self) -> None:
        super().__init__("v", "boot")
        self.believed: list[Outcome] = []

    def add(self, seen: Any, *, is_urgent: bool = False) -> None:
        if self.report(0, "boot", 1).controls_ok:
            self.believed += [each.outcome for each in seen]
        super().add(seen, is_urgent=is_urgent)


async def test_what_failed_while_the_controls_did_is_not_told_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rounds queued for looks of their own, and were told when the controls were good again."""
    outage, journal = Outage(), Told()
    monkeypatch.setattr(vantage, "ask_all", outage.look)
    monkeypatch.setattr(vantage, "CONTROLS_S", LOOK_S)
    here = Vantage(name="v", region="north", url="http://v", needs=OWN, controls=(CONTROL,))
    targets = tuple(Target(name=name, needs=OWN, probes=()) for name in NAMES)
    service = Service(name="media", targets=targets, detection=Detection(interval_s=LOOK_S / 2))
    watch = Watch(Model(services=(service,), vantages=(here,)), here, journal, ask=outage.ask)
    async with watch.watching():
        await until(lambda: outage.looks > 20)
        outage.is_over = True
        await until(lambda: journal.believed.count(Outcome.OK) > 2 * len(NAMES))
    assert outage.waiting_max < 40  # tasks, about six of which are the vantage's own
    assert journal.believed.count(Outcome.FAIL) <= 4 * len(NAMES)  # that were on their way
