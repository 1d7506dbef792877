"""How to get from what is observed to what is decided: steps, each with its way back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from failover.decision import Choice, Decision
from failover.effects import (
    Effect,
    Key,
    Notify,
    Pathway,
    RouteEdge,
    SetRecords,
    SetTtl,
    Shares,
    SteerEdge,
    as_json,
)
from failover.model import EVERYWHERE, DnsKind, Model, Record, Service, Target
from failover.rrsets import chosen

EXPECTED_S: Final = {  # until an effect is in force, as a rule
    RouteEdge: 0.5,
    SteerEdge: 0.5,
    SetTtl: 3.0,
    SetRecords: 3.0,
    Notify: 5.0,
}
"""Also the order in which steps are listed: what helps soonest comes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do."""

    effect: Effect
    undo: Effect | None  # what is in force now; None: that is not known, or cannot be taken back
    expected_s: float  # until it is in force
    settled_s: float  # until everybody acts on it: what they were told before has run out

    def __str__(self) -> str:
        settled = f", with everybody in {self.settled_s:g} s" if self.settled_s else ""
        undo = f"; to undo: {self.undo}" if self.undo else ""
        return f"{self.effect} [in {self.expected_s:g} s{settled}]{undo}"

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            **as_json(self.effect),
            "undo": as_json(self.undo) if self.undo else None,
            "expected_s": self.expected_s,
            "settled_s": self.settled_s,
        }


def plan(
    model: Model, decision: Decision, observed: Mapping[Key, Effect], news: str = ""
) -> tuple[Step, ...]:
    """Return the steps that bring what is observed to what is decided; none, if it is there.

    What is observed is the effect that would bring it about, by its key. Steps do not wait for one
    another: each is good alone, and all of them can be taken again at any time. `news` is what
    people are told.
    """
    effects = [*wanted(model, decision)]
    if news:
        effects += [
            Notify(channel=each.name, version=decision.version, text=news)
            for each in model.channels
        ]
    steps = [
        _step(effect, observed.get(effect.key))
        for effect in effects
        if observed.get(effect.key) != effect
    ]
    places = list(EXPECTED_S)
    return tuple(sorted(steps, key=lambda step: places.index(type(step.effect))))


def _step(effect: Effect, seen: Effect | None) -> Step:
    settled_s = float(seen.ttl_s) if isinstance(seen, SteerEdge | SetRecords) else 0.0
    undo = seen
    if (
        isinstance(effect, SetRecords)
        and isinstance(seen, SetRecords)
        and effect.records == seen.records
    ):
        effect = _ttl(effect)
        undo = _ttl(seen)
    return Step(effect=effect, undo=undo, expected_s=EXPECTED_S[type(effect)], settled_s=settled_s)


def _ttl(records: SetRecords) -> SetTtl:
    return SetTtl(
        provider=records.provider, zone=records.zone, name=records.name, ttl_s=records.ttl_s
    )


def wanted(model: Model, decision: Decision) -> Iterator[Effect]:
    """Yield everything that a decision wants to be so."""
    for service in model.services:
        for vantage in model.vantages:
            choice = decision.choice(service.name, vantage.region)
            if vantage.edge_admin and choice:
                yield from _at_edge(vantage.name, service, choice)
        if choice := decision.choice(service.name, EVERYWHERE):
            yield from _in_dns(model, service, choice)


def _at_edge(edge: str, service: Service, choice: Choice) -> Iterator[Effect]:
    steered = {each.name: each for each in service.targets if each.pathway_host}
    if (settings := service.steering) and steered:
        order, shares = _among(steered, choice)
        yield SteerEdge(
            edge=edge,
            service=service.name,
            playlists=settings.playlists,
            server_uri=settings.server_uri,
            ttl_s=settings.ttl_suspect_s if choice.suspect else settings.ttl_s,
            pathways=tuple(
                Pathway(id=name, host=each.pathway_host, params=each.pathway_params)
                for name, each in steered.items()
            ),
            shares=shares,
            order=order,
        )
    routed = {each.name: each for each in service.targets if each.route_url}
    if service.route_group is not None and routed:
        order, _ = _among(routed, choice)
        urls = tuple(routed[name].route_url for name in order)
        yield RouteEdge(edge=edge, group=service.route_group, urls=urls)


def _in_dns(model: Model, service: Service, choice: Choice) -> Iterator[Effect]:
    """Yield what providers are to answer; our own name servers read the decision instead."""
    settings = service.dns
    if settings is None:
        return
    ttl_s = settings.ttl_suspect_s if choice.suspect else settings.ttl_s
    found = chosen({each.name: each for each in service.targets}, choice, ttl_s)
    kinds = {each.name: each.kind for each in model.dns_providers}
    for provider in settings.providers if found else ():
        if kinds[provider] is not DnsKind.OWN:
            yield SetRecords(
                provider=provider,
                zone=settings.zone,
                name=settings.name,
                records=tuple(Record(type=each.type, values=each.values) for each in found),
                ttl_s=ttl_s,
            )


def _among(targets: Mapping[str, Target], choice: Choice) -> tuple[tuple[str, ...], Shares]:
    """Return a choice's order and shares as they are among some targets.

    Those that it does not know, since they are new in the model, come last.
    """
    known = [name for name in choice.order if name in targets]
    order = tuple(dict.fromkeys((*known, *targets)))
    shares = [(name, share) for name, share in choice.shares if name in targets]
    total = sum(share for _, share in shares)
    return order, tuple((name, share / total) for name, share in shares) or ((order[0], 1.0),)


def report(steps: Sequence[Step]) -> str:
    """Return steps as text, one a line."""
    if not steps:
        return "Nothing to do: what is observed is what is decided."
    return "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))
