"""A group of members and controllers in virtual time, to whom everything happens, from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from failover.model import Model
from failover.orders import Kind, Order
from tests.support.failover import model
from tests.support.failover_controller import Controller, Store
from tests.support.failover_faults import FAULTS, fails
from tests.support.failover_judge import Judge
from tests.support.failover_member import Member

TICK_S = 0.5
TROUBLE_S = 120.0  # for so long things happen,
SETTLE_S = 150.0  # and then all of them are over
TARGETS = ("a b own", "a b", "a/600 b/400 own/300", "a/0/7 b/0/3 own")
REGIONS = ("north north north", "north north south", "north south west", "n n n s s")
DETECTION = {
    "hold_off_s": 20.0,
    "hold_off_max_s": 60.0,
    "dwell_s": 3.0,
    "step_s": 2.0,
    "forget_s": 90.0,
}


@dataclass
class Trouble:
    """One thing that is wrong for a time."""

    kind: str
    whom: str
    since: float
    until: float
    fault: str = ""
    regions: frozenset[str] = frozenset()

    def is_on(self, now: float) -> bool:
        return self.since <= now < self.until


@dataclass
class Lived:
    """What came of it."""

    steps: int = 0
    moves: int = 0
    complaints: list[str] = field(default_factory=list)


class World:
    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.model = self._model()
        self.judge = Judge(self.model)
        self.store = Store()
        self.members = [
            Member(
                self.model,
                vantage,
                random.Random(f"{seed} {vantage.name}"),
                phase_s=number % 2 * TICK_S,
            )
            for number, vantage in enumerate(self.model.vantages)
        ]
        crashes = self.draw.choice((0.0, 0.0, 0.01, 0.05))
        waits = random.Random(f"{seed} waits").choice((0.0, 0.0, 0.1, 0.3))
        self.controllers = [
            Controller(
                name=f"c{number}",
                model=self.model,
                store=self.store,
                draw=random.Random(f"{seed} {number}"),
                judge=self.judge,
                crashes=crashes,
                waits=waits,
                waiting=random.Random(f"{seed} {number} waits"),
            )
            for number in range(self.draw.choice((1, 2, 3)))
        ]
        self.troubles = [self._trouble() for _ in range(self.draw.randint(1, 8))]
        self.orders = self.draw.random() < 0.3
        self.is_frozen = False

    def _model(self) -> Model:
        targets = self.draw.choice(TARGETS).replace("/0/", "/inf/")
        demand_mbps = 800.0 if "600" in targets else 0.0
        return model(targets, self.draw.choice(REGIONS), demand_mbps, **DETECTION)

    def _trouble(self) -> Trouble:
        names = [target.name for target in self.model.services[0].targets]
        vantages = [vantage.name for vantage in self.model.vantages]
        kind, whom = self.draw.choice(
            (
                *[("target", names)] * 4,
                *[("flaps", names)] * 2,
                *[(each, vantages) for each in ("liar", "restart", "silent")],
                *[(each, self.model.regions) for each in ("network", "darkness")],
                *[(each, [c.name for c in self.controllers]) for each in ("killed", "cut off")],
                ("no store", [c.name for c in self.controllers]),
            )
        )
        since = self.draw.uniform(5.0, TROUBLE_S)
        regions = self.model.regions
        if self.draw.random() < 0.3:
            regions = tuple(self.draw.sample(regions, self.draw.randint(1, len(regions))))
        return Trouble(
            kind=kind,
            whom=self.draw.choice(whom),
            since=since,
            until=min(TROUBLE_S, since + self.draw.choice((0.5, 3.0, 20.0, 60.0))),
            fault=self.draw.choice(list(FAULTS)),
            regions=frozenset(regions),
        )

    def _on(self, kind: str, whom: str, now: float) -> list[Trouble]:
        return [
            each
            for each in self.troubles
            if (each.kind, each.whom) == (kind, whom) and each.is_on(now)
        ]

    def _is_cut(self, region: str, now: float) -> bool:
        """Say whether a region that has no network cannot be asked either."""
        regions = frozenset(self.model.regions)
        return any(each.regions != regions for each in self._on("network", region, now))

    def look(self, vantage: str, target: str, now: float) -> tuple[str, float]:
        """Return what a vantage meets at a target (empty: nothing wrong), and after how long."""
        region = next(each.region for each in self.model.vantages if each.name == vantage)
        if self._on("network", region, now) and target != "b":
            return "no route", 0.01
        if self._on("liar", vantage, now) and target == "a":
            return "a lie", 0.01
        faults = [
            FAULTS[each.fault]
            for each in (
                *self._on("target", target, now),
                *(each for each in self._on("flaps", target, now) if now % 6.0 < 3.0),
            )
            if region in each.regions
        ]
        met = [fault for fault in faults if fails(fault, self.draw)]
        return (met[0].why, met[0].took_s) if met else ("", 0.05)

    def run(self) -> Lived:
        """Live through it, and see that all is as it was in the end."""
        lived = Lived()
        ticks = int((TROUBLE_S + SETTLE_S) / TICK_S)
        for tick in range(ticks):
            now = tick * TICK_S
            self._happen(now, is_over=now >= TROUBLE_S)
            for member in self.members:
                is_dark = self._on("darkness", member.vantage.region, now)
                is_silent = self._on("silent", member.vantage.name, now)
                if not is_dark and not is_silent:
                    member.probe(now, self.look)
            for controller in self.controllers:
                past = controller.memory
                controller.live(now, self.members)
                lived.steps += controller.memory is not past
            for member in self.members:
                version = member.version
                member.live(now)
                if member.version < version:
                    self.judge.complaints.append(f"{now} s: {member.vantage.name} went back")
        self._look_back()
        lived.moves, lived.complaints = self.judge.moves, self.judge.complaints
        return lived

    def _happen(self, now: float, *, is_over: bool) -> None:
        for member in self.members:
            name = member.vantage.name
            member.controls(ok=not self._on("network", member.vantage.region, now))
            if any(
                each.since <= now < each.since + TICK_S for each in self._on("restart", name, now)
            ):
                member.restart(now)
        for controller in self.controllers:
            controller.unseen = {
                member.vantage.name
                for member in self.members
                if self._on("cut off", controller.name, now)
                or self._is_cut(member.vantage.region, now)
                or self._on("silent", member.vantage.name, now)
            }
            controller.sees_store = not self._on("no store", controller.name, now)
            for each in self._on("killed", controller.name, now):
                controller.down_until = each.until
                controller.memory = None
            if is_over:
                controller.crashes = 0.0
        if is_over:
            orders = [Kind.UNFREEZE, Kind.REVERT] if now == TROUBLE_S else []
        else:
            is_time = self.orders and self.draw.random() < 0.01
            orders = [self.draw.choice(list(Kind))] if is_time else []
        for kind in orders:
            self._order(kind)

    def _order(self, kind: Kind) -> None:
        order = Order(
            kind=kind,
            who="ada",
            why="a test",
            service="media",
            target=self.draw.choice(self.model.services[0].targets).name,
            force=self.draw.random() < 0.3,
        )
        for controller in self.controllers:
            controller.orders.append(order)

    def _look_back(self) -> None:
        """Complain of what is not as it was when all trouble has been over for long."""
        complain = self.judge.complaints.append
        for member in self.members:
            for scope in (*self.model.regions, "*"):
                choice = member.decision.choice("media", scope) if member.decision else None
                name = member.vantage.name
                if choice is None:
                    complain(f"{name} knows no choice for {scope}")
                elif choice.suspect or choice.fails_open:
                    complain(f"{name} has doubts in the end: {choice.why}")
                elif max(choice.shares, key=lambda share: share[1])[0] != "a":
                    complain(f"{name} has not come back in {scope}: {choice.shares} {choice.why}")
        versions = {member.version for member in self.members}
        if len(versions) != 1:
            complain(f"members hold {versions}")


def run(seed: int) -> Lived:
    """Live through the world of a seed."""
    return World(seed).run()
