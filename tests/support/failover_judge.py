"""Who holds controllers to invariant 7, by nothing but the rounds that they were given."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

from failover.deciding import Heard, Step
from failover.evidence import Outcome
from failover.memory import Memory
from failover.model import Model
from failover.orders import Kind
from failover.quorum import Electorate, electorate
from tests.support.failover_controller import Controller

TINY = 1e-5
LEAVES_S = 1.5  # after two failures in a row at enough vantages, a target is left
PACE = 1.001  # a controller's clock may be so much slower than the judge's


@dataclass
class Seen:
    """What one controller was given of one target by one vantage."""

    outcomes: deque[bool] = field(default_factory=lambda: deque(maxlen=10))  # True: good
    at: float = -1e9

    def is_fresh(self, now: float, fresh_s: float) -> bool:
        return now - self.at < fresh_s


@dataclass
class Judge:
    """Looks at every step of every controller."""

    model: Model
    complaints: list[str] = field(default_factory=list)
    moves: int = 0
    _seen: dict[tuple[str, str, str, str], Seen] = field(default_factory=dict)
    _boots: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)
    _failed_at: dict[tuple[str, str, str], float] = field(default_factory=dict)
    _failing_since: dict[tuple[str, str, str, str], float] = field(default_factory=dict)
    _good_s: dict[tuple[str, str, str], float] = field(default_factory=dict)
    _looked_at: float = 0.0
    _turns: dict[str, int] = field(default_factory=dict)
    _pinned: dict[tuple[str, str], str] = field(default_factory=dict)

    def __call__(
        self, controller: Controller, before: Memory, heard: Heard, step: Step, now: float
    ) -> None:
        self._take_down(controller, heard, now)
        passed_s, self._looked_at = now - self._looked_at, now
        for order, answer in zip(heard.orders, step.answers, strict=True):
            if answer.is_carried_out and order.kind in {Kind.SWITCH, Kind.REVERT}:
                for place in step.memory.courses:
                    if order.covers(place):
                        self._pinned[place] = order.target
        for service in self.model.services:
            for scope in (*self.model.regions, "*"):
                place = service.name, scope
                who = electorate(self.model.vantages, scope, service.detection.vantages_min)
                for target in service.targets:
                    name = service.name, target.name
                    if self._fails(controller.name, name, who, now):
                        self._failed_at[(*place, target.name)] = now
                    else:
                        self._failing_since.pop((controller.name, *place, target.name), None)
                    self._watch((*place, target.name), controller.name, who, passed_s)
                old, new = (dict(memory.courses[place].shares) for memory in (before, step.memory))
                if old and old != new:
                    self.moves += 1
                    is_ordered = any(order.covers(place) for order in heard.orders)
                    for target, share in new.items():
                        if share > old.get(target, 0.0) + TINY and not is_ordered:
                            self._gains(controller, place, target, who, now)
                if not step.memory.standstills and not self._pinned.get(place):
                    self._stays(controller, place, new, who, now)

    def _take_down(self, controller: Controller, heard: Heard, now: float) -> None:
        """Write down what a controller is given, as it is given it, from when its turn began."""
        if self._turns.get(controller.name) != controller.turns:
            self._turns[controller.name] = controller.turns
            for found in (self._seen, self._boots):
                for old in [each for each in found if each[0] == controller.name]:
                    del found[old]
        for report in heard.reports:
            key = controller.name, report.vantage
            boot, number = self._boots.get(key, ("", -1))
            if boot != report.boot or not report.controls_ok:
                for name in [each for each in self._seen if each[:2] == key]:
                    del self._seen[name]
                number = number if boot == report.boot else -1
            self._boots[key] = report.boot, max(number, report.number)
            for each in report.rounds if report.controls_ok and report.number > number else ():
                seen = self._seen.setdefault((*key, each.service, each.target), Seen())
                seen.outcomes.append(each.outcome is Outcome.OK)
                seen.at = now

    def _fresh(
        self,
        controller: str,
        name: tuple[str, str],
        who: Electorate,
        now: float,
        pace: float = 1.0,
    ) -> list[Seen]:
        fresh_s = self.model.services[0].detection.fresh_s * pace
        found = [self._seen.get((controller, vantage, *name)) for vantage in who.vantages]
        return [each for each in found if each and each.is_fresh(now, fresh_s)]

    def _fails(self, controller: str, name: tuple[str, str], who: Electorate, now: float) -> bool:
        """Say whether enough vantages have just seen two failures in a row."""
        fresh = self._fresh(controller, name, who, now)
        bad = [each for each in fresh if list(each.outcomes)[-2:] == [False, False]]
        return len(bad) >= who.needed

    def _works(self, controller: str, name: tuple[str, str], who: Electorate, now: float) -> bool:
        """Say whether enough vantages have seen nothing but good rounds of late."""
        fresh = self._fresh(controller, name, who, now)
        good = [each for each in fresh if len(each.outcomes) >= 10 and all(each.outcomes)]
        return len(good) >= who.needed

    def _watch(
        self, what: tuple[str, str, str], controller: str, who: Electorate, passed_s: float
    ) -> None:
        """Count for how long a target has been seen to be good: not while nobody looked."""
        service, _, target = what
        if self._works(controller, (service, target), who, self._looked_at):
            seen_s = min(passed_s, self.model.services[0].detection.fresh_s)
            self._good_s[what] = self._good_s.get(what, -seen_s) + seen_s
        else:
            self._good_s.pop(what, None)

    def _steady(self, place: tuple[str, str], but: str, for_s: float) -> list[str]:
        """Return the other targets that have been seen to be good for longer than that."""
        return [
            name
            for service, scope, name in self._good_s
            if (service, scope) == place
            and name != but
            and self._good_s[service, scope, name] > for_s
        ]

    def _stays(
        self,
        controller: Controller,
        place: tuple[str, str],
        shares: Collection[str],
        who: Electorate,
        now: float,
    ) -> None:
        """Judge that targets carry something now."""
        dwell_s = self.model.services[0].detection.dwell_s  # what failed open waits so long
        for target in shares:
            if not self._fails(controller.name, (place[0], target), who, now):
                continue
            since = self._failing_since.setdefault((controller.name, *place, target), now)
            steady = self._steady(place, target, dwell_s + LEAVES_S)
            if now - since > LEAVES_S and steady:
                self.complaints.append(
                    f"{now:.1f} s, {controller.name}, {place}: {target} is still used "
                    f"{now - since:.1f} s after it failed; {steady} are good"
                )

    def _gains(
        self,
        controller: Controller,
        place: tuple[str, str],
        target: str,
        who: Electorate,
        now: float,
    ) -> None:
        """Judge that a target was given more, by nobody's order."""
        service = next(each for each in self.model.services if each.name == place[0])
        detection = service.detection
        good = self._steady(place, target, detection.dwell_s + LEAVES_S)
        steady = self._steady(place, target, detection.hold_off_max_s)
        where = f"{now:.1f} s, {controller.name}, {place}: {target} is given more"
        if len(self._fresh(controller.name, (place[0], target), who, now, PACE)) < who.needed:
            self.complaints.append(f"{where} without fresh evidence")
        if self._pinned.get(place) == target:
            return
        if good and self._fails(controller.name, (place[0], target), who, now):
            self.complaints.append(f"{where} while it fails and {good} do not")
        failed_s = now - self._failed_at.get((*place, target), -1e9)
        if steady and failed_s < 0.99 * detection.hold_off_s:
            self.complaints.append(f"{where} {failed_s:.0f} s after it failed; {steady} are good")
