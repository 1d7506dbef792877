"""Controllers of a simulated group: a lease, a store, crashes between any two steps."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from failover.deciding import Decider, Heard, Step
from failover.decision import Decision
from failover.evidence import Report
from failover.keeping import read, written
from failover.memory import Memory
from failover.model import Model
from failover.orders import Order
from tests.support.failover_member import Member

LEASE_S = 3.0
KEEP_EVERY_S = 5.0


class KilledError(Exception):
    """A controller is gone in mid-step."""


@dataclass
class Store:
    """What controllers have in common: whose turn it is, and the memory of the last one."""

    epoch: int = 0
    holder: str = ""
    until: float = 0.0
    text: str = ""

    def take(self, name: str, now: float) -> int | None:
        """Return the epoch of the lease, if it is `name`'s now."""
        if self.holder != name and now < self.until:
            return None
        if self.holder != name or now >= self.until:
            self.epoch, self.holder = self.epoch + 1, name
        self.until = now + LEASE_S
        return self.epoch

    def keep(self, epoch: int, text: str) -> bool:
        """Keep a memory, unless another controller has begun."""
        if epoch == self.epoch:
            self.text = text
        return epoch == self.epoch


Judge = Callable[["Controller", Memory, Heard, Step, float], None]


@dataclass
class Controller:
    """A process that decides while it has the lease."""

    name: str
    model: Model
    store: Store
    draw: random.Random
    judge: Judge
    crashes: float = 0.0  # how likely it is killed at each of its steps
    waits: float = 0.0  # how likely a step waits for the store: the next one hears twice as much
    waiting: random.Random = field(default_factory=random.Random)
    down_until: float = 0.0
    sees_store: bool = True
    unseen: set[str] = field(default_factory=set)  # members it cannot reach
    memory: Memory | None = None
    turns: int = 0  # how often it began from what is kept: what it heard before counts no more
    orders: list[Order] = field(default_factory=list)
    _epoch: int = 0
    _kept_at: float = 0.0
    _heard: list[Report] = field(default_factory=list)
    _late: tuple[float, Decision] | None = None  # kept, and published after a pause

    def __post_init__(self) -> None:
        self._decider = Decider(self.model)
        self._restart()

    def _restart(self) -> None:
        self._clock_s = self.draw.uniform(0, 1e6)
        self._pace = self.draw.uniform(0.999, 1.001)
        self.memory = None

    def _may_be_killed(self) -> None:
        if self.draw.random() < self.crashes:
            raise KilledError

    def live(self, now: float, members: Sequence[Member]) -> None:
        """Do what is to be done at one time, as far as it gets."""
        if now < self.down_until:
            return
        if self._late and now >= self._late[0]:
            for member in members:
                member.put(self._late[1], now)
            self._late = None
        try:
            self._work(now, [each for each in members if each.vantage.name not in self.unseen])
        except KilledError:
            self._restart()
            self.down_until = now + self.draw.uniform(0.5, 8.0)

    def _work(self, now: float, members: Sequence[Member]) -> None:
        mono = self._clock_s + now * self._pace
        epoch = self.store.take(self.name, now) if self.sees_store else None
        if epoch is None:
            self.memory = None
            return
        before = self._remembered(epoch, mono, members)
        self._heard += [self._report(before, each, now) for each in members]
        if self.waiting.random() < self.waits:
            return
        heard = Heard(
            reports=self._heard,
            orders=tuple(self.orders),
            version=max((each.version for each in members), default=(0, 0)),
        )
        self._heard = []
        step = self._decider.step(before, heard, mono, epoch)
        self.judge(self, before, heard, step, now)
        self._may_be_killed()
        self.memory = step.memory
        if step.matters or now - self._kept_at >= KEEP_EVERY_S:
            if not self.store.keep(epoch, written(step.memory, mono)):
                self.memory = None
                return
            self._kept_at = now
            self._may_be_killed()
        self.orders.clear()
        if step.decision and self.draw.random() < self.crashes:
            self._late = now + self.draw.uniform(1.0, 10.0), step.decision
            self.down_until = self._late[0]
            return
        for member in members:
            if decision := step.memory.decision:
                member.put(decision, now)
                if step.decision:
                    self._may_be_killed()

    def _remembered(self, epoch: int, mono: float, members: Sequence[Member]) -> Memory:
        if self.memory is None or self._epoch != epoch:
            self._epoch, self.turns, self._heard = epoch, self.turns + 1, []
            if self.store.text:
                self.memory = self._decider.fitted(read(self.store.text, mono))
            else:
                found = [each.decision for each in members if each.decision]
                newest = max(found, key=lambda each: each.version, default=None)
                self.memory = self._decider.start(mono, newest)
        return self.memory

    def _report(self, memory: Memory, member: Member, now: float) -> Report:
        name = member.vantage.name
        heard = [each for each in self._heard if each.vantage == name]
        known = heard[-1] if heard else memory.attendances.get(name)
        member.heard_at = now
        return member.report(known.boot if known else "", known.number if known else 0, now)
