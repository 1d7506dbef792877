"""Why traffic stays on a target that is down, or would; and why a plan has no steps."""

from __future__ import annotations

from dataclasses import dataclass

from failover.decision import Choice, Decision
from failover.memory import Memory
from failover.model import EVERYWHERE, Model
from failover.target_state import State
from failover.votes import Name


@dataclass(frozen=True, slots=True)
class Stay:
    """What a target carries in one scope though it is down, and why that is left so."""

    region: str
    share: float
    why: str


def scopes(model: Model) -> dict[str, tuple[str, ...]]:
    """Return the scopes that mean something, by service: no DNS for one that has none."""
    regions = model.regions
    return {
        each.name: (*regions, EVERYWHERE) if each.dns is not None else regions
        for each in model.services
    }


def stays(model: Model, memory: Memory, decision: Decision | None, name: Name) -> list[Stay]:
    """Return what a decision leaves on a target that is down, or taken to be, in each scope."""
    told = []
    for scope in scopes(model)[name[0]]:
        choice = decision.choice(name[0], scope) if decision else None
        share = dict(choice.shares).get(name[1], 0.0) if choice else 0.0
        if choice and share:
            told.append(Stay(scope, share, _why(memory, choice, name[1])))
    return told


def _why(memory: Memory, choice: Choice, target: str) -> str:
    place = choice.service, choice.region
    frozen = next((each for each in memory.standstills if each.covers(place)), None)
    if frozen is not None:
        return f"frozen by {frozen.who} ({frozen.why}): nothing moves by itself"
    pin = memory.courses[place].pin
    if pin is not None and pin.is_forced and pin.target == target:
        return f"{pin.who} forces it ({pin.why}): it is used even while it fails"
    if choice.fails_open:
        return "every target fails: the traffic stays where it is"
    return "no other target is known to work"


def why_no_steps(
    model: Model, memory: Memory, supposed: Decision | None, failed: Name | None
) -> str:
    """Return why a plan of a decision is empty; `supposed` is what would hold if `failed` fell."""
    if memory.decision is None or supposed is None:
        return "nothing is decided yet"
    if failed is None:
        return "what is there is what is decided"
    if left := stays(model, memory, supposed, failed):
        return in_words(left)
    places = [(failed[0], scope) for scope in scopes(model)[failed[0]]]
    now = {place: memory.decision.choice(*place) for place in places}
    if any(each and dict(each.shares).get(failed[1]) for each in now.values()):
        return "no edge is steered or routed by it, and no DNS provider's API changes its name"
    if all(memory.standings[place][failed[1]].state is State.DOWN for place in places):
        return "it is down already, and carries nothing"
    return "it is not what edges or DNS use"


def in_words(left: list[Stay]) -> str:
    """Return why traffic stays, the scopes of one reason together."""
    reasons: dict[str, list[str]] = {}
    for each in left:
        where = "DNS" if each.region == EVERYWHERE else each.region
        reasons.setdefault(each.why, []).append(where)
    if len(reasons) == 1:
        return next(iter(reasons))
    return "; ".join(f"in {', '.join(where)}: {why}" for why, where in reasons.items())
