"""Models of failover in a line, and vantages that report what a test says."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from failover.deciding import Decider, Heard, Step
from failover.evidence import Outcome, PlayerEvidence, Report, Round
from failover.memory import Memory
from failover.model import Dependency, Detection, Model, Service, Target, Vantage
from failover.orders import Order

NEEDS = Dependency(provider="somebody")


def target(name: str, **more: Any) -> Target:
    return Target(name=name, needs=NEEDS, probes=(), **more)


def service(names: str = "a b own", **more: Any) -> Service:
    """Return media with these targets; one may have a capacity and a weight: a/800/2."""
    targets = []
    for each in names.split():
        name, capacity, weight = [*each.split("/"), "", ""][:3]
        targets.append(
            target(name, capacity_mbps=float(capacity or "inf"), weight=float(weight or 0))
        )
    return Service(name=more.pop("name", "media"), targets=tuple(targets), **more)


def vantages(regions: str = "north north north") -> tuple[Vantage, ...]:
    """Return v0, v1 and so on, in these regions."""
    return tuple(
        Vantage(name=f"v{number}", region=region, url=f"http://v{number}", needs=NEEDS)
        for number, region in enumerate(regions.split())
    )


def model(
    names: str = "a b own",
    regions: str = "north north north",
    demand_mbps: float = 0.0,
    **detection: Any,
) -> Model:
    media = service(names, demand_mbps=demand_mbps, detection=Detection(**detection))
    return Model(services=(media,), vantages=vantages(regions))


@dataclass
class Lab:
    """A controller with its vantages, one round and one step each second."""

    model: Model
    decider: Decider = field(init=False)
    memory: Memory = field(init=False)
    now: float = 1_000.0
    epoch: int = 1
    numbers: dict[str, int] = field(default_factory=dict)
    boots: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.decider = Decider(self.model)
        self.memory = self.decider.start(self.now)

    def report(
        self,
        vantage: str,
        bad: Collection[str] = (),
        *,
        controls_ok: bool = True,
        players: tuple[PlayerEvidence, ...] = (),
    ) -> Report:
        """Return a vantage's next report: a round of each target, of which those in `bad` fail."""
        number = self.numbers[vantage] = self.numbers.get(vantage, 0) + 1
        rounds = tuple(
            Round(
                service=service.name,
                target=target.name,
                number=number,
                outcome=Outcome.FAIL if target.name in bad else Outcome.OK,
                why="http: 503" if target.name in bad else "",
            )
            for service in self.model.services
            for target in service.targets
        )
        return Report(
            vantage=vantage,
            boot=self.boots.get(vantage, "first"),
            number=number,
            controls_ok=controls_ok,
            controls_why="" if controls_ok else "dns: no answer",
            rounds=rounds,
            players=players,
        )

    def second(
        self,
        bad: Collection[str] | Mapping[str, Collection[str]] = (),
        *orders: Order,
        silent: Collection[str] = (),
        reports: Iterable[Report] | None = None,
        passed_s: float = 1.0,
    ) -> Step:
        """Let a second pass: every vantage sees `bad` fail, or each what it maps to."""
        self.now += passed_s
        if reports is None:
            reports = [
                self.report(each.name, bad.get(each.name, ()) if isinstance(bad, dict) else bad)
                for each in self.model.vantages
                if each.name not in silent
            ]
        heard = Heard(reports=tuple(reports), orders=orders)
        step = self.decider.step(self.memory, heard, self.now, self.epoch)
        self.memory = step.memory
        return step

    def seconds(self, count: int, bad: Any = (), **more: Any) -> list[Step]:
        return [self.second(bad, **more) for _ in range(count)]

    def shares(self, scope: str = "*", name: str = "media") -> dict[str, float]:
        """Return the shares that are published for a place."""
        decision = self.memory.decision
        choice = decision.choice(name, scope) if decision else None
        return dict(choice.shares) if choice else {}

    def states(self, scope: str = "*", name: str = "media") -> dict[str, str]:
        standings = self.memory.standings[name, scope]
        return {each: standing.state.value for each, standing in standings.items()}
