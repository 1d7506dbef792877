"""What an operator may order: switch, revert, freeze, unfreeze; and why that is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, unique
from typing import TypeAlias

from failover.choosing import Course, Pin
from failover.model import EVERYWHERE
from failover.target_state import Standing, State

Place: TypeAlias = tuple[str, str]
"""A service, and the scope that is decided for: a region, or EVERYWHERE."""


@unique
class Kind(Enum):
    """What is ordered."""

    SWITCH = "switch"  # use a target first, until it fails or the order is taken back
    REVERT = "revert"  # take switches back; what is best is used again, in steps
    FREEZE = "freeze"  # move nothing, whatever happens
    UNFREEZE = "unfreeze"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What somebody wants, and why."""

    kind: Kind
    who: str
    why: str
    service: str = ""  # empty: all of them; a switch names one
    region: str = ""  # empty: all of them, and DNS; EVERYWHERE: DNS alone
    target: str = ""  # of a switch
    force: bool = False  # a switch even to what fails

    def covers(self, place: Place) -> bool:
        """Say whether it is meant for a place."""
        service, scope = place
        return self.service in {"", service} and self.region in {"", scope}


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an order."""

    is_carried_out: bool
    text: str


@dataclass(frozen=True, slots=True)
class Standstill:
    """An order to freeze that is in force."""

    service: str
    region: str
    who: str
    why: str

    def covers(self, place: Place) -> bool:
        """Say whether it is meant for a place."""
        service, scope = place
        return self.service in {"", service} and self.region in {"", scope}


@dataclass(frozen=True, slots=True)
class Ordered:
    """What operators have ordered and not taken back: it goes with a decision to every member."""

    pins: Mapping[Place, Pin] = field(default_factory=dict)
    standstills: tuple[Standstill, ...] = ()

    def is_frozen(self, place: Place) -> bool:
        """Say whether nothing may change in a place by itself."""
        return any(each.covers(place) for each in self.standstills)


@dataclass(frozen=True, slots=True)
class Held:
    """What orders change."""

    courses: Mapping[Place, Course]
    standstills: tuple[Standstill, ...]

    def is_frozen(self, place: Place) -> bool:
        """Say whether nothing may move in a place by itself."""
        return any(each.covers(place) for each in self.standstills)


def carry_out(
    order: Order, held: Held, standings: Mapping[Place, Mapping[str, Standing]]
) -> tuple[Held, Answer]:
    """Return what an order leaves, and the answer; one that is refused changes nothing at all."""
    places = [place for place in held.courses if order.covers(place)]
    if not places:
        return held, Answer(False, _unknown(order, held))
    match order.kind:
        case Kind.SWITCH:
            return _switch(order, places, held, standings)
        case Kind.REVERT:
            return _revert(order, places, held)
        case Kind.FREEZE:
            return _freeze(order, held)
        case _:  # to unfreeze
            return _unfreeze(order, held)


def _unknown(order: Order, held: Held) -> str:
    """Say which of an order's names nothing has, and what there is."""
    services = dict.fromkeys(service for service, _ in held.courses)
    scopes = dict.fromkeys(scope for _, scope in held.courses)
    if order.service and order.service not in services:
        return f"there is no service {order.service}; known are {', '.join(services)}"
    return f"there is no region {order.region}; known are {', '.join(scopes)}"


def _where(service: str, region: str) -> str:
    """Return what an order was for, in words."""
    return (service or "everything") + _in(region)


def _in(region: str) -> str:
    """Return where an order is for, in words; empty: everywhere."""
    return f" in {_scope(region)}" if region else ""


def _scope(region: str) -> str:
    return "DNS" if region == EVERYWHERE else region


def _switch(
    order: Order,
    places: list[Place],
    held: Held,
    standings: Mapping[Place, Mapping[str, Standing]],
) -> tuple[Held, Answer]:
    if not order.service or any(order.target not in standings[place] for place in places):
        known = ", ".join(dict.fromkeys(name for place in places for name in standings[place]))
        text = f"{order.service or 'no service'} has no {order.target}; known are {known}"
        return held, Answer(False, text)
    failing: dict[str, list[str]] = {}
    for service, scope in places:
        if (standing := standings[service, scope][order.target]).state is State.DOWN:
            failing.setdefault(standing.why or "it fails", []).append(_scope(scope))
    if failing and not order.force:
        found = "; ".join(f"{', '.join(scopes)}: {why}" for why, scopes in failing.items())
        text = f"{order.target} fails ({found}); with force it is used even so"
        return held, Answer(False, text)
    pin = Pin(target=order.target, is_forced=order.force, who=order.who, why=order.why)
    pinned = {place: replace(held.courses[place], pin=pin) for place in places}
    courses = {**held.courses, **pinned}
    past = [held.courses[place].pin for place in places]
    over = [
        f"{each.who}'s switch to {each.target}"
        for each in dict.fromkeys(past)
        if each and (each.who, each.target) != (pin.who, pin.target)
    ]
    text = f"{order.target} is used first{_in(order.region)}"
    return replace(held, courses=courses), Answer(True, _and(text, "this ends", over))


def _revert(order: Order, places: list[Place], held: Held) -> tuple[Held, Answer]:
    pinned = [place for place in places if held.courses[place].pin]
    if not pinned:
        return held, Answer(False, "no switch is in force there, so nothing is to be reverted")
    freed = {place: replace(held.courses[place], pin=None) for place in pinned}
    courses = {**held.courses, **freed}
    text = f"what is best is used again{_in(order.region)}, in steps"
    return replace(held, courses=courses), Answer(True, text)


def _freeze(order: Order, held: Held) -> tuple[Held, Answer]:
    still = Standstill(order.service, order.region, order.who, order.why)
    kept = _others(order, held)
    left = replace(held, standstills=(*kept, still))
    return left, Answer(True, _and("nothing moves by itself", "instead of", _gone(order, held)))


def _unfreeze(order: Order, held: Held) -> tuple[Held, Answer]:
    kept = _others(order, held)
    if len(kept) == len(held.standstills):
        frozen = [_where(each.service, each.region) for each in held.standstills]
        text = f"frozen is {', '.join(frozen)}: name just that" if frozen else "nothing is frozen"
        return held, Answer(False, text)
    left = replace(held, standstills=kept)
    places = [place for place in held.courses if order.covers(place)]
    still = [each for each in kept if any(each.covers(place) for place in places)]
    text = _and("what fails is left again by itself", "this also lifts", _gone(order, held))
    if still:
        text = f"taken back; still in force: {'; '.join(map(_frozen, still))}"
    return left, Answer(True, text)


def _gone(order: Order, held: Held) -> list[str]:
    """Return what an order ends that is not just what its giver has frozen, in words."""
    return [
        _frozen(each)
        for each in held.standstills
        if order.covers((each.service, each.region))
        and (each.service, each.region, each.who) != (order.service, order.region, order.who)
    ]


def _frozen(still: Standstill) -> str:
    return f"{_where(still.service, still.region)}, frozen by {still.who}: {still.why}"


def _and(text: str, does: str, what: list[str]) -> str:
    return f"{text}; {does} {'; '.join(what)}" if what else text


def _others(order: Order, held: Held) -> tuple[Standstill, ...]:
    """Return the standstills that are not within what an order names."""
    return tuple(each for each in held.standstills if not order.covers((each.service, each.region)))
