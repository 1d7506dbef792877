"""A memory as JSON and back, so that the next controller goes on where the last one was killed.

No instant of a clock is kept, only how long ago it was: the time between is not counted, and no
two clocks are ever compared.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from failover.choosing import Course, Pin
from failover.decision import Choice, Decision
from failover.events import Event, Happening
from failover.memory import Memory
from failover.orders import Ordered, Place, Standstill
from failover.quorum import Verdict
from failover.target_state import Standing, State
from failover.votes import Attendance, Ballot, Vote

VERSION: Final = 1


def written(memory: Memory, now_mono: float) -> str:
    """Return a memory as JSON."""
    return json.dumps(
        {
            "version": VERSION,
            "attendances": {
                name: _attendance_out(each) for name, each in memory.attendances.items()
            },
            "standings": [
                [*place, name, *_standing_out(each)]
                for place, standings in memory.standings.items()
                for name, each in standings.items()
            ],
            "courses": [
                [*place, _course_out(each, now_mono)] for place, each in memory.courses.items()
            ],
            "standstills": [asdict(each) for each in memory.standstills],
            "decision": decision_out(memory.decision) if memory.decision else None,
            "happened": memory.happened,
            "untold": [
                {**asdict(each), "happening": each.happening.value} for each in memory.untold
            ],
        },
        separators=(",", ":"),
    )


def read(text: str, now_mono: float) -> Memory:
    """Return the memory that was written; its votes count when their vantages are heard again.

    Raises ValueError when it is none that this release wrote.
    """
    try:
        kept = json.loads(text)
        if kept["version"] != VERSION:
            raise ValueError(f"it is of version {kept['version']}")
        standings: dict[Place, dict[str, Standing]] = {}
        for service, scope, name, *fields in kept["standings"]:
            standings.setdefault((service, scope), {})[name] = _standing_in(*fields)
        return Memory(
            attendances={name: _attendance_in(each) for name, each in kept["attendances"].items()},
            standings=standings,
            courses={
                (service, scope): _course_in(each, now_mono)
                for service, scope, each in kept["courses"]
            },
            standstills=tuple(Standstill(**each) for each in kept["standstills"]),
            decision=decision_in(kept["decision"]) if kept["decision"] else None,
            at_mono=now_mono,
            happened=kept.get("happened", 0),
            untold=tuple(_event_in(**each) for each in kept.get("untold", ())),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"this is no memory of failover: {error}") from error


def ordered_out(ordered: Ordered) -> dict[str, Any]:
    """Return orders as plain JSON values."""
    return {
        "pins": [[*place, asdict(pin)] for place, pin in ordered.pins.items()],
        "standstills": [asdict(each) for each in ordered.standstills],
    }


def ordered_in(kept: Mapping[str, Any]) -> Ordered:
    """Return the orders that plain JSON values stand for; raises as decision_in, or ValueError."""
    return Ordered(
        {(service, scope): Pin(**pin) for service, scope, pin in kept["pins"]},
        tuple(Standstill(**each) for each in kept["standstills"]),
    )


def decision_out(decision: Decision) -> dict[str, Any]:
    """Return a decision as plain JSON values."""
    return asdict(decision)


def decision_in(kept: Mapping[str, Any]) -> Decision:
    """Return the decision that plain JSON values stand for; raises KeyError, TypeError."""
    choices = [
        Choice(
            **{
                **each,
                "order": tuple(each["order"]),
                "shares": tuple((name, share) for name, share in each["shares"]),
            }
        )
        for each in kept["choices"]
    ]
    return Decision(epoch=kept["epoch"], number=kept["number"], choices=tuple(choices))


def _event_in(happening: str, regions: list[str], **rest: Any) -> Event:
    return Event(happening=Happening(happening), regions=tuple(regions), **rest)


def _attendance_out(known: Attendance) -> dict[str, Any]:
    return {
        "boot": known.boot,
        "number": known.number,
        "controls": [known.controls_ok, known.controls_why],
        "ballots": [
            [*name, each.number, each.rounds, each.failed, each.vote and each.vote.value, each.why]
            for name, each in known.ballots.items()
        ],
    }


def _attendance_in(kept: Mapping[str, Any]) -> Attendance:
    controls_ok, controls_why = kept["controls"]
    return Attendance(
        boot=kept["boot"],
        number=kept["number"],
        controls_ok=controls_ok,
        controls_why=controls_why,
        ballots={
            (service, target): Ballot(
                number, rounds, failed, Vote(vote) if vote else None, None, why
            )
            for service, target, number, rounds, failed, vote, why in kept["ballots"]
        },
    )


def _standing_out(standing: Standing) -> list[Any]:
    verdict = standing.verdict and standing.verdict.value
    times = (standing.good_s, standing.since_s, standing.hold_off_s)
    return [standing.state.value, verdict, *times, standing.why, standing.unknown_s]


def _standing_in(state: str, verdict: str | None, *rest: Any) -> Standing:
    return Standing(State(state), Verdict(verdict) if verdict else None, *rest)


def _course_out(course: Course, now_mono: float) -> dict[str, Any]:
    kept = asdict(course)
    del kept["moved_mono"]
    return {**kept, "moved_s": now_mono - course.moved_mono}


def _course_in(kept: Mapping[str, Any], now_mono: float) -> Course:
    rest = {name: value for name, value in kept.items() if name != "moved_s"}
    return Course(
        **{
            **rest,
            "shares": tuple((name, share) for name, share in kept["shares"]),
            "moved_mono": now_mono - kept["moved_s"],
            "pin": Pin(**kept["pin"]) if kept["pin"] else None,
        }
    )
