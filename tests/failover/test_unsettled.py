"""A step looks at those targets that anything is new of: it comes to what a look at all does."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from failover.deciding import Decider, Heard
from failover.evidence import Outcome, PlayerEvidence, Report, Round
from failover.memory import NEVER, Memory
from tests.support.failover import model

REGIONS = "north north south"
TARGETS = ("a", "b", "own")


class Vantage:
    """Reports by chance: rounds fail, get lost or come late; it begins anew, or loses its vote."""

    def __init__(self, name: str, draw: random.Random) -> None:
        self.name, self.draw = name, draw
        self.boot = self.report_number = 0
        self.numbers = dict.fromkeys(TARGETS, 0)

    def report(self, bad: set[str]) -> Report:
        self.report_number += 1
        if self.draw.random() < 0.01:
            self.boot, self.numbers = self.boot + 1, dict.fromkeys(TARGETS, 0)
        rounds = []
        for target in TARGETS:
            self.numbers[target] += 1 + (self.draw.random() < 0.02)
            if self.draw.random() < 0.9:
                fails = target in bad or self.draw.random() < 0.03
                rounds.append(
                    Round(
                        service="media",
                        target=target,
                        number=self.numbers[target],
                        outcome=Outcome.FAIL if fails else Outcome.OK,
                        why="503" if fails else "",
                    )
                )
        left = [PlayerEvidence(service="media", target="a", fetched=30, left=20)]
        return Report(
            vantage=self.name,
            boot=str(self.boot),
            number=self.report_number,
            controls_ok=self.draw.random() < 0.99,
            rounds=tuple(rounds),
            players=tuple(left if self.draw.random() < 0.02 else ()),
        )


def plain(memory: Memory) -> Memory:
    return replace(memory, judged_mono=NEVER)


@pytest.mark.parametrize("seed", range(6))
def test_news_are_all_that_a_step_has_to_look_at(seed):
    draw = random.Random(seed)
    decider = Decider(model(regions=REGIONS, fresh_s=3.0, hold_off_s=20.0, dwell_s=5.0))
    vantages = [Vantage(f"v{number}", draw) for number in range(3)]
    now, bad = 1_000.0, set()
    some = every = decider.start(now)
    looked = 0
    for _ in range(500):
        now += draw.choice([0.25, 0.5, 1.0, 4.0])
        if draw.random() < 0.03:
            bad = {each for each in TARGETS if draw.random() < 0.3}
        heard = Heard(
            reports=[
                each.report(bad)
                for each in vantages
                for _ in range(draw.choice((0, 1, 1, 1, 1, 2, 3)))  # a slow store: several at once
            ]
        )
        first = decider.step(some, heard, now, 1)
        second = decider.step(plain(every), heard, now, 1)
        assert first == replace(second, memory=first.memory)
        some, every = first.memory, second.memory
        assert some == every
        looked += len(decider._unsettled(some, some.attendances, now))
    assert looked < 500 * len(TARGETS)
