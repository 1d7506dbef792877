"""All that deciding hangs on, as one value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from failover.choosing import Course
from failover.decision import Decision
from failover.events import Event
from failover.model import EVERYWHERE, Model, Service
from failover.orders import Ordered, Place, Standstill
from failover.quorum import Verdict
from failover.target_state import UNSEEN, Standing, State
from failover.votes import Attendance

NEVER: Final = float("-inf")
UNTOLD_MAX: Final = 100  # the oldest are given up


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What was heard, how targets stand, where traffic is on its way to, what was published.

    Never changed: a step makes a new one. Whoever keeps it keeps it before the step's decision is
    published, so that the next controller knows at least what anybody may have been told.
    """

    attendances: Mapping[str, Attendance] = field(default_factory=dict)  # by vantage
    standings: Mapping[Place, Mapping[str, Standing]] = field(default_factory=dict)  # by target
    courses: Mapping[Place, Course] = field(default_factory=dict)
    standstills: tuple[Standstill, ...] = ()
    decision: Decision | None = None  # the last one
    at_mono: float = 0.0  # of the last step
    judged_mono: float = NEVER  # until when standings say what the votes do
    happened: int = 0  # so many events
    untold: tuple[Event, ...] = ()  # those of them that perhaps nobody knows of

    @property
    def ordered(self) -> Ordered:
        """What operators have ordered."""
        pins = {place: course.pin for place, course in self.courses.items() if course.pin}
        return Ordered(pins, self.standstills)

    def after(self, published: Decision, ordered: Ordered) -> Memory:
        """Return a memory in which others have decided and been ordered since."""
        courses = {place: Course(pin=pin) for place, pin in ordered.pins.items()}
        return replace(self, courses=courses, standstills=ordered.standstills, decision=published)

    def met(self, others: Iterable[Decision]) -> Memory:
        """Return a memory that knows where traffic was moved to under its epoch since it was kept.

        Why it was is not known: how targets stand in such a place is forgotten.
        """
        last = self.decision
        if last is None:
            return self
        known = {(each.service, each.region): each for each in last.choices}
        moved = {
            (each.service, each.region): each
            for later in sorted(others, key=lambda each: each.version)
            if later.epoch == last.epoch and later.number > last.number
            for each in later.choices
            if (old := known.get((each.service, each.region))) is None or each.shares != old.shares
        }
        if not moved:
            return self
        return replace(
            self,
            decision=replace(last, choices=tuple({**known, **moved}.values())),
            standings={at: each for at, each in self.standings.items() if at not in moved},
            courses={
                at: _gone(each, dict(moved[at].shares)) if at in moved else each
                for at, each in self.courses.items()
            },
        )


def _gone(course: Course, shares: Mapping[str, float]) -> Course:
    """Return a course of which the traffic went elsewhere: a pin that has fallen is over."""
    pin = course.pin
    if pin and not pin.is_forced and pin.target not in shares:
        pin = None
    return replace(course, shares=(), pin=pin)


def fitted(memory: Memory, model: Model, places: Sequence[Place]) -> Memory:
    """Return a memory as it fits a model, whichever it was kept under.

    What is no longer looked after is forgotten. What was published is where the traffic is, where
    nothing else is known.
    """
    services = {service.name: service for service in model.services}
    vantages = {vantage.name for vantage in model.vantages}
    scopes = {"", EVERYWHERE, *model.regions}
    return replace(
        memory,
        standstills=tuple(
            each
            for each in memory.standstills
            if each.service in {"", *services} and each.region in scopes
        ),
        attendances={name: known for name, known in memory.attendances.items() if name in vantages},
        standings={
            place: _unseen(memory, place, services[place[0]])
            | {
                name: standing
                for name, standing in memory.standings.get(place, {}).items()
                if name in {target.name for target in services[place[0]].targets}
            }
            for place in places
        },
        courses={place: _course(memory, place, services[place[0]]) for place in places},
        judged_mono=NEVER,
    )


def _unseen(memory: Memory, place: Place, service: Service) -> dict[str, Standing]:
    """Return how targets stand of which nothing is known but what was published.

    One that is better than what is in use was left for a reason: it is held off, whoever asks.
    """
    published = memory.decision.choice(*place) if memory.decision else None
    course = memory.courses.get(place, Course())
    unseen = {target.name: UNSEEN for target in service.targets}
    if published is None or published.fails_open or course.pin:
        return unseen
    held = Standing(State.HELD, Verdict.UNKNOWN, hold_off_s=service.detection.hold_off_s)
    used = {name for name, share in published.shares if share}
    for number, target in enumerate(service.targets):
        worse = {each.name for each in service.targets[number + 1 :]}
        is_left = target.name in published.order and target.name not in used
        if is_left and (target.weight or used & worse):
            unseen[target.name] = held
    return unseen


def _course(memory: Memory, place: Place, service: Service) -> Course:
    """Return where the traffic of a place goes, among the targets that a service still has."""
    course = memory.courses.get(place, Course())
    published = memory.decision.choice(*place) if memory.decision else None
    if published and not course.shares:
        course = replace(
            course,
            shares=published.shares,
            fails_open=published.fails_open,
        )
    names = {target.name for target in service.targets}
    kept = [(name, share) for name, share in course.shares if name in names]
    total = sum(share for _, share in kept)
    return replace(
        course,
        shares=tuple((name, share / total) for name, share in kept),
        moved_mono=course.moved_mono if course.shares else memory.at_mono,
        is_settled=False,
        pin=course.pin if course.pin and course.pin.target in names else None,
    )
