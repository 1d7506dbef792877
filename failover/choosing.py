"""Which targets serve a service in one scope: what stands goes in, the next shares come out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from failover.decision import Choice
from failover.model import Service, Target
from failover.quorum import Verdict
from failover.sharing import TINY, Shares, allot, approach
from failover.target_state import Standing, State

RANKS: Final = {State.UP: 0, State.SUSPECT: 1, State.HELD: 2, State.DOWN: 3}
SAID: Final = {
    State.DOWN: "{} is down: {}",
    State.HELD: "{} works again and is held off",
    State.SUSPECT: "too few vantages agree on {}",
}
PLACES: Final = 6  # of a share that is published


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """An operator's word that a target is to be used first."""

    target: str
    is_forced: bool = False  # even while it fails
    who: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Where the traffic of a service in one scope is on its way to."""

    shares: tuple[tuple[str, float], ...] = ()  # now, the best first; empty: not chosen yet
    moved_mono: float = 0.0  # when they changed last
    is_stepping: bool = False  # that was a step which nothing demanded
    fails_open: bool = False
    is_overloaded: bool = False
    is_settled: bool = False  # they are what is wanted, and no passing of time changes that
    pin: Pin | None = None


def move(
    service: Service,
    standings: Mapping[str, Standing],
    course: Course,
    now_mono: float,
    *,
    is_ordered: bool = False,
) -> Course:
    """Return where traffic is to go from here; `is_ordered`: an operator wants it at once.

    What is down is left at once. All else goes in steps, after a dwell, to targets that are up.
    """
    course = _without_failed_pin(course, standings)
    current = dict(course.shares)
    usable = _usable(service, standings, course)
    if not usable:
        return _stay(service, standings, course, now_mono)
    limits = _limits(usable, standings, course)
    by_weight = course.pin is None or course.pin.target not in {each.name for each in usable}
    goal, is_overloaded = allot(usable, service.demand_mbps, limits, by_weight=by_weight)
    down = {name for name, standing in standings.items() if standing.state is State.DOWN}
    lost = (down - _forced(course)) & current.keys()
    at_once = is_ordered or not current
    step = 1.0 if at_once else _step(service, standings, course, goal, now_mono)
    shares = approach(current, goal, lost, step)
    are_up = all(standings[name].state is State.UP for name in shares)
    return _moved(
        replace(
            course,
            fails_open=False,
            is_overloaded=is_overloaded,
            is_settled=shares == goal and are_up,
        ),
        _sorted(service, standings, shares),
        now_mono,
        is_stepping=not lost and not at_once,
    )


def _usable(service: Service, standings: Mapping[str, Standing], course: Course) -> list[Target]:
    """Return the targets that may carry traffic, the best first; none: nothing better is known."""
    detection, carrying = service.detection, dict(course.shares)
    pinned = course.pin.target if course.pin else ""
    forced = _forced(course)
    ranked = sorted(service.targets, key=lambda each: each.name != pinned)
    states = {each.name: standings[each.name] for each in ranked}

    def is_good(name: str) -> bool:
        standing = states[name]
        if standing.state is State.UP or name in forced:
            return True
        return standing.state is not State.DOWN and (name in carrying or name == pinned)

    def works(name: str) -> bool:
        standing = states[name]
        if standing.state is State.DOWN:
            return False
        if standing.verdict is Verdict.UP:
            return not course.fails_open or standing.good_s >= detection.dwell_s
        is_known_bad = any(states[each].verdict is Verdict.DOWN for each in carrying)
        return (
            standing.state is State.SUSPECT
            and standing.since_s >= detection.fresh_s
            and is_known_bad
        )

    return [each for each in ranked if is_good(each.name)] or [
        each for each in ranked if works(each.name)
    ]


def _limits(
    usable: Sequence[Target], standings: Mapping[str, Standing], course: Course
) -> Mapping[str, float]:
    """Return what targets that are not up carry already: no more, while others are up."""
    ups = {each.name for each in usable if standings[each.name].state is State.UP}
    pinned = {course.pin.target} if course.pin else set()
    if not ups:
        return {}
    return {name: share for name, share in course.shares if name not in ups | pinned}


def _step(
    service: Service,
    standings: Mapping[str, Standing],
    course: Course,
    goal: Shares,
    now_mono: float,
) -> float:
    """Return how much may move now though nothing demands it."""
    detection, current = service.detection, dict(course.shares)
    gaining = [name for name, share in goal.items() if share > current.get(name, 0.0) + TINY]
    if any(standings[name].state is not State.UP for name in gaining):
        return 0.0
    waits_s = detection.step_s if course.is_stepping else detection.dwell_s
    return detection.step_share if now_mono - course.moved_mono >= waits_s else 0.0


def _stay(
    service: Service, standings: Mapping[str, Standing], course: Course, now_mono: float
) -> Course:
    """Leave the traffic where it is: nothing works, or nothing is known to work better.

    With all targets down, none is a better guess than the one in use, and a move costs everybody.
    """
    all_down = all(standing.state is State.DOWN for standing in standings.values())
    course = replace(course, fails_open=all_down or course.fails_open, is_settled=False)
    if course.shares:
        return course
    hopeful = [each for each in service.targets if standings[each.name].state is not State.DOWN]
    shares, is_overloaded = allot(hopeful or service.targets, service.demand_mbps, {})
    course = replace(course, is_overloaded=is_overloaded)
    return _moved(course, _sorted(service, standings, shares), now_mono, is_stepping=False)


def _without_failed_pin(course: Course, standings: Mapping[str, Standing]) -> Course:
    """Return the course without a pin whose target has fallen, unless that was forced."""
    pin = course.pin
    if pin and not pin.is_forced and standings[pin.target].state is State.DOWN:
        return replace(course, pin=None)
    return course


def _forced(course: Course) -> set[str]:
    return {course.pin.target} if course.pin and course.pin.is_forced else set()


def _moved(
    course: Course, shares: tuple[tuple[str, float], ...], now_mono: float, *, is_stepping: bool
) -> Course:
    if shares == course.shares:
        return course
    return replace(course, shares=shares, moved_mono=now_mono, is_stepping=is_stepping)


def _sorted(
    service: Service, standings: Mapping[str, Standing], shares: Mapping[str, float]
) -> tuple[tuple[str, float], ...]:
    """Return rounded shares, the best first, that sum to 1."""
    names = [name for name in _order(service, standings, shares) if name in shares]
    rest = [(name, round(shares[name], PLACES)) for name in names[1:]]
    return (names[0], round(1.0 - sum(share for _, share in rest), PLACES)), *rest


def _order(
    service: Service, standings: Mapping[str, Standing], shares: Mapping[str, float]
) -> tuple[str, ...]:
    """Return all targets: those that carry most, then those that stand best, then as written."""
    names = [target.name for target in service.targets]
    return tuple(
        sorted(
            names,
            key=lambda name: (-round(shares.get(name, 0.0), PLACES), RANKS[standings[name].state]),
        )
    )


def choice(
    service: Service, scope: str, standings: Mapping[str, Standing], course: Course
) -> Choice:
    """Return a course as it is published, with the reasons for people."""
    return Choice(
        service=service.name,
        region=scope,
        order=_order(service, standings, dict(course.shares)),
        shares=course.shares,
        suspect=any(standing.state is not State.UP for standing in standings.values()),
        fails_open=course.fails_open,
        why=_why(standings, course),
    )


def _why(standings: Mapping[str, Standing], course: Course) -> str:
    """Say what led to a course. It stays the same until something else does."""
    said = []
    if pin := course.pin:
        said.append(f"{pin.who} {'forces' if pin.is_forced else 'wants'} {pin.target}: {pin.why}")
    for name, standing in standings.items():
        if standing.state is not State.UP:
            said.append(SAID[standing.state].format(name, standing.why))
    if course.fails_open:
        said.append("every target fails: the traffic stays where it is")
    if course.is_overloaded:
        said.append("too little capacity is left: targets are overloaded in proportion to theirs")
    return "; ".join(said) or "everything is up"
