"""The night of 18 November 2025, laid over what vantages really see of one target.

The controller that drills hears every round of the target as that night would have made it: its
edges, its members and its probes are untouched, and a drill is over with the controller it is in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from zlib import crc32

from failover.deciding import Decider, Step
from failover.evidence import Outcome, Report, Round
from failover.memory import NEVER, Memory
from failover.model import EVERYWHERE
from failover.target_state import Standing, State
from failover.votes import Name

SWING_S: Final = 300.0  # good and bad configuration alternated about every five minutes
CORE_S: Final = 11_400.0  # from 11:20 UTC until core traffic flowed, 14:30,
NIGHT_S: Final = 20_760.0  # and until all was well, 17:06
LATE_ERRORS: Final = 0.02  # of the rounds between the two
WHY: Final = "drill: as on 18 November"
SPEED_MAX: Final = 1_000.0
REAL_FAILURES: Final = 2  # rounds in a row that fail in truth, at most vantages, end a drill


def is_bad(at_s: float, draw: float) -> bool:
    """Say whether a round fails, so many seconds after 11:20 UTC (0 <= draw < 1)."""
    if at_s < CORE_S:
        return at_s % (2 * SWING_S) < SWING_S
    return at_s < NIGHT_S and draw < LATE_ERRORS


def drawn(vantage: str, number: int) -> float:
    """Return what decides the late errors: the same for the same round (0 <= draw < 1)."""
    return crc32(f"{vantage} {number}".encode()) / 2**32


@dataclass(slots=True, kw_only=True)
class Drill:
    """One drill: what it is, and what was so before it."""

    service: str
    target: str
    who: str
    why: str
    began_mono: float
    speed: float = 1.0  # how many seconds of the night pass in one
    before: Mapping[str, Standing] = field(default_factory=dict)  # of the target, by scope
    fallen_before: frozenset[tuple[str, str, str]] = frozenset()  # others that were down then
    ended_by: str = ""  # who has had enough of it
    real: dict[str, int] = field(default_factory=dict)  # rounds in a row that failed, by vantage

    @property
    def name(self) -> Name:
        """The drilled target."""
        return self.service, self.target

    def at_s(self, now_mono: float) -> float:
        """Return how far into the night it is."""
        return (now_mono - self.began_mono) * self.speed

    def is_failing(self, now_mono: float) -> bool:
        """Say whether players would meet errors now (the few late ones aside)."""
        return is_bad(self.at_s(now_mono), 1.0)

    def api_is_down(self, now_mono: float) -> bool:
        """Say whether the DNS provider's API would not answer now: its dashboard neither."""
        return self.at_s(now_mono) < CORE_S

    def laid_over(self, report: Report, now_mono: float) -> Report:
        """Return a report as it would be that night; notes what was really seen."""
        return replace(
            report, rounds=tuple(self._round(report.vantage, r, now_mono) for r in report.rounds)
        )

    def _round(self, vantage: str, seen: Round, now_mono: float) -> Round:
        if (seen.service, seen.target) != self.name:
            return seen
        has_failed = seen.outcome is Outcome.FAIL
        self.real[vantage] = self.real.get(vantage, 0) + 1 if has_failed else 0
        if not has_failed and is_bad(self.at_s(now_mono), drawn(vantage, seen.number)):
            return seen._replace(outcome=Outcome.FAIL, why=WHY)
        return seen

    def as_json(self, now_mono: float) -> dict[str, Any]:
        """Return it as it is shown."""
        left_s = max(0.0, (NIGHT_S - self.at_s(now_mono)) / self.speed)
        return {
            "service": self.service,
            "target": self.target,
            "who": self.who,
            "why": self.why,
            "speed": self.speed,
            "clock": clock(self.at_s(now_mono)),
            "left_s": round(left_s, 1),
            "is_failing": self.is_failing(now_mono),
            "text": f"taken to fail for {left_s:.0f} s, by {self.who}: {self.why}",
        }


def clock(at_s: float) -> str:
    """Return the time of that day, UTC: 11:20 for 0."""
    minutes = int(11 * 60 + 20 + at_s // 60)
    return f"{minutes // 60 % 24:02d}:{minutes % 60:02d}"


def begun(drill: Drill, decider: Decider, memory: Memory) -> str:
    """Note what was so before; return why it must not begin now, if so."""
    if why := decider.model.why_unknown(drill.service, drill.target):
        return why
    if memory.standstills:
        return "something is frozen: a drill of what may not move shows nothing"
    for (name, scope), standings in memory.standings.items():
        if name != drill.service:
            continue
        drill.before = {**drill.before, scope: standings[drill.target]}
        if memory.courses[name, scope].pin:
            return f"{name} is switched by order: revert that first"
        if standings[drill.target].state is not State.UP:
            state = standings[drill.target].state.value
            return f"{drill.target} is {state} in {_scope(scope)}: this is no time for a drill"
        if not any(s.state is State.UP for n, s in standings.items() if n != drill.target):
            return f"no other target is up in {_scope(scope)}: traffic would have nowhere to go"
    drill.fallen_before = fallen(memory)
    return ""


def _scope(scope: str) -> str:
    return "DNS" if scope == EVERYWHERE else scope


def fallen(memory: Memory) -> frozenset[tuple[str, str, str]]:
    """Return (service, scope, target) of everything that is down."""
    return frozenset(
        (*place, name)
        for place, standings in memory.standings.items()
        for name, standing in standings.items()
        if standing.state is State.DOWN
    )


def end_of(drill: Drill, memory: Memory, vantages: Sequence[str], now_mono: float) -> str:
    """Return why a drill is over, if it is: a word, its time, or what fails in truth."""
    if drill.ended_by:
        return f"{drill.ended_by} ended it"
    failing = [name for name in vantages if drill.real.get(name, 0) >= REAL_FAILURES]
    if 2 * len(failing) > len(vantages):
        return f"{drill.target} fails in truth, at {', '.join(failing)}"
    for service, scope, target in sorted(fallen(memory) - drill.fallen_before):
        if (service, target) != drill.name:
            return f"{service}/{target} fails in truth ({scope})"
    return "the night is over" if drill.at_s(now_mono) >= NIGHT_S else ""


def said_of(drill: Drill, step: Step) -> Step:
    """Return a step whose events say that they are of a drill, those of its service."""
    events = tuple(
        replace(each, text=f"DRILL: {each.text}") if each.service == drill.service else each
        for each in step.events
    )
    known = {each.name: each for each in events}
    untold = tuple(known.get(each.name, each) for each in step.memory.untold)
    return replace(step, events=events, memory=replace(step.memory, untold=untold))


def restored(drill: Drill, memory: Memory) -> Memory:
    """Return a memory in which the target did not fall: no hold-off is left, no vote against it.

    It is in doubt until its vantages have voted anew, and gets its traffic back in steps.
    """
    standings = {
        place: {**here, drill.target: drill.before[place[1]]}
        if place[0] == drill.service and place[1] in drill.before
        else here
        for place, here in memory.standings.items()
    }
    attendances = {
        name: replace(
            known, ballots={key: b for key, b in known.ballots.items() if key != drill.name}
        )
        for name, known in memory.attendances.items()
    }
    courses = {
        place: replace(course, is_settled=False) if place[0] == drill.service else course
        for place, course in memory.courses.items()
    }
    return replace(
        memory, standings=standings, attendances=attendances, courses=courses, judged_mono=NEVER
    )
