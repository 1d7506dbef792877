"""What a step changed, as events: two memories go in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from failover.choosing import Course
from failover.events import Event, Happening
from failover.memory import Memory
from failover.orders import Place
from failover.quorum import Verdict
from failover.target_state import Standing, State
from failover.votes import NOBODY

BLIND_S: Final = 15.0  # for which nothing is known of any target, until people are told

HAPPENINGS: Final = {  # what becoming a state is, by the state
    State.SUSPECT: (Happening.SUSPECTED, "too few vantages agree on {}"),
    State.DOWN: (Happening.FELL, "{} is down: {}"),
    State.HELD: (Happening.WORKS, "{} works again, and is held off"),
    State.UP: (Happening.RETURNED, "{} has held, and is used again"),
}


def noticed(before: Memory, after: Memory) -> Iterator[Event]:
    """Yield what has happened between two memories that fit the same model."""
    for name, known in after.attendances.items():
        past = before.attendances.get(name, NOBODY)
        if known.controls_ok is not past.controls_ok:
            yield _attendance(name, known.controls_ok, known.controls_why)
    for place, standings in after.standings.items():
        if standings is not before.standings[place]:
            yield from _standings(place, before.standings[place], standings)
    for place, course in after.courses.items():
        if course is not before.courses[place]:
            yield from _course(place, before.courses[place], course, after)


def _attendance(vantage: str, counts: bool, why: str) -> Event:
    if counts:
        return Event(happening=Happening.COUNTED, text=f"vantage {vantage} has a vote")
    text = f"vantage {vantage} has no vote: {why}"
    return Event(happening=Happening.WITHDRAWN, text=text)


def _standings(
    place: Place, before: Mapping[str, Standing], after: Mapping[str, Standing]
) -> Iterator[Event]:
    for name, standing in after.items():
        past = before[name]
        if standing.state is past.state or (past.verdict is None and standing.state is State.UP):
            continue
        happening, text = HAPPENINGS[standing.state]
        if past.state is State.SUSPECT and standing.state is State.UP:
            happening, text = Happening.CLEARED, "{} is up beyond doubt"
        yield Event(
            happening=happening,
            text=text.format(name, standing.why),
            service=place[0],
            target=name,
            regions=(place[1],),
        )
    if _blind_s(before) < BLIND_S <= _blind_s(after):
        text = f"too few vantages agree on any target of {place[0]}: nothing moves by itself"
        yield Event(happening=Happening.BLIND, text=text, service=place[0], regions=(place[1],))


def _blind_s(standings: Mapping[str, Standing]) -> float:
    """Return for how long nothing has been known of any target; negative: something is."""
    if any(each.verdict not in {Verdict.UNKNOWN, None} for each in standings.values()):
        return -1.0
    return min(each.unknown_s for each in standings.values())


def _course(place: Place, before: Course, after: Course, memory: Memory) -> Iterator[Event]:
    def event(happening: Happening, text: str, target: str = "") -> Event:
        return Event(
            happening=happening, text=text, service=place[0], target=target, regions=(place[1],)
        )

    if before.shares and dict(after.shares) != dict(before.shares):
        text = f"{place[0]} moves from {shown(before)} to {shown(after)}"
        yield event(Happening.MOVED, text, after.shares[0][0])
    if after.fails_open and not before.fails_open:
        text = f"every target of {place[0]} fails: its traffic stays where it is"
        yield event(Happening.FAILS_OPEN, text)
    if after.is_overloaded and not before.is_overloaded:
        yield event(Happening.OVERLOADED, f"too little is left for {place[0]}: {shown(after)}")
    if before.pin and after.pin is None:
        is_down = memory.standings[place][before.pin.target].state is State.DOWN
        text = f"{before.pin.target} is no longer pinned: " + (
            "it fails" if is_down and not before.pin.is_forced else "the switch was taken back"
        )
        yield event(Happening.PIN_ENDED, text, before.pin.target)


def shown(course: Course) -> str:
    """Return a course's shares in words."""
    return ", ".join(f"{name} {share:.0%}" for name, share in course.shares)
