"""How everything stands, as plain values: for the command line, the console and scripts."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from failover.controlling import Controller
from failover.decision import Decision
from failover.effects import Effect, Key, RouteEdge, SetRecords, SteerEdge
from failover.member import Member
from failover.memory import Memory
from failover.model import Model, ProbeKind, Vantage
from failover.plan import plan, wanted
from failover.quorum import Verdict
from failover.staying import scopes, stays, why_no_steps
from failover.target_state import Standing, State
from failover.votes import NOBODY, Attendance


def status(member: Member) -> dict[str, Any]:
    """What a member knows: of itself always, of targets and vantages while it leads."""
    controller = member.controller
    assert controller is not None
    held, memory = controller.held, controller.memory
    leads = bool(controller.epoch()) and memory is not None
    told: dict[str, Any] = {
        "member": member.vantage.name,
        "region": member.vantage.region,
        "leads": leads,
        "alone": member.is_alone,
        "controller": {
            "name": held.holder if held else "",
            "epoch": held.epoch if held else member.controller_epoch,
            "why_not": controller.why_no_lease,
            "loss_is_told": controller.lease.loss_is_told,
        },
        "decision": _decision(member.model, member.decision),
        "edge": None
        if member.edge is None
        else {"url": member.vantage.edge_admin, "why_not": member.edge.why_not},
    }
    if leads and memory is not None:
        told |= _led(controller, memory)
    return told


def _led(controller: Controller, memory: Memory) -> dict[str, Any]:
    now_mono = time.monotonic()
    tallies = controller.decider.tallies(memory, now_mono)
    model = controller.decider.model
    shown = {(name, scope) for name, those in scopes(model).items() for scope in those}
    targets = []
    for (service, scope), standings in memory.standings.items():
        if (service, scope) not in shown:
            continue
        for name, standing in standings.items():
            count = tallies[(service, scope), name]
            row = {"service": service, "region": scope, "target": name}
            targets.append(
                row
                | _standing(standing)
                | {"votes": {"up": count.up, "down": count.down, "silent": count.silent}}
            )
    return {
        "targets": targets,
        "vantages": [
            _vantage(
                vantage,
                memory.attendances.get(vantage.name, NOBODY),
                peer.known.why_not if (peer := controller.peers.get(vantage.name)) else "",
            )
            for vantage in controller.decider.model.vantages
        ],
        "members": {name: each.known.why_not for name, each in controller.peers.items()},
        "pins": [
            {
                "service": service,
                "region": scope,
                "target": pin.target,
                "who": pin.who,
                "why": pin.why,
                "is_forced": pin.is_forced,
            }
            for (service, scope), course in memory.courses.items()
            if (pin := course.pin) is not None and (service, scope) in shown
        ],
        "frozen": [
            {"service": each.service, "region": each.region, "who": each.who, "why": each.why}
            for each in memory.standstills
        ],
        "drill": controller.drill.as_json(now_mono) if controller.drill else None,
        "dns": [each.as_json() for each in controller.dns.progress],
        "dns_apis": [each.as_json() for each in controller.dns.apis.values()],
        "steps": len(_steps(controller, memory, memory.decision)),
        "kept": _kept(model, memory),
    }


def _kept(model: Model, memory: Memory) -> list[dict[str, Any]]:
    """Return what is down and carries traffic all the same, and why."""
    fallen = dict.fromkeys(
        (place[0], target)
        for place, standings in memory.standings.items()
        for target, standing in standings.items()
        if standing.state is State.DOWN
    )
    return [
        {"service": service, "target": target} | asdict(each)
        for service, target in fallen
        for each in stays(model, memory, memory.decision, (service, target))
        if memory.standings[service, each.region][target].state is State.DOWN
    ]


def drill(controller: Controller) -> dict[str, Any]:
    """How a drill goes, or why the last one was over; and where viewers can fetch of targets."""
    now = controller.drill.as_json(time.monotonic()) if controller.drill else None
    urls = {
        f"{service.name}/{target.name}": next(
            (p.url for p in target.probes if p.kind in {ProbeKind.HTTP, ProbeKind.SEGMENT}), ""
        )
        for service in controller.decider.model.services
        for target in service.targets
    }
    return {"drill": now, "over": controller.last_drill, "urls": urls}


def _standing(standing: Standing) -> dict[str, Any]:
    return {
        "state": standing.state.value,
        "why": _why(standing),
        "since_s": round(standing.since_s, 1),
        "held_off_s": round(max(0.0, standing.hold_off_s - standing.good_s), 1)
        if standing.state is State.HELD
        else 0.0,
    }


def _why(standing: Standing) -> str:
    """Return why a target stands as it does now; empty: it is up."""
    match standing.state, standing.verdict:
        case State.UP, _:
            return ""
        case State.DOWN, _:
            return standing.why
        case State.HELD, _:
            return f"it fell: {standing.why}" if standing.why else "it had been left before"
        case _, None:
            return "no verdict yet"
        case _, Verdict.UP:
            return "it works, and is in doubt until that has lasted"
        case _:
            return "too few vantages agree"


def _vantage(vantage: Vantage, known: Attendance, silent: str) -> dict[str, Any]:
    return {
        "name": vantage.name,
        "region": vantage.region,
        "counts": known.controls_ok and not silent,
        "why_not": silent or known.controls_why,
    }


def _decision(model: Model, decision: Decision | None) -> dict[str, Any] | None:
    if decision is None:
        return None
    shown = scopes(model)
    return {
        "version": list(decision.version),
        "choices": [
            {
                "service": each.service,
                "region": each.region,
                "order": list(each.order),
                "shares": [list(share) for share in each.shares],
                "suspect": each.suspect,
                "fails_open": each.fails_open,
                "why": each.why,
            }
            for each in decision.choices
            if each.region in shown.get(each.service, (each.region,))
        ],
    }


def planned(
    controller: Controller, memory: Memory, failed: tuple[str, str] | None = None
) -> dict[str, Any]:
    """What is left to do for the decision to be in force; or what would be done if `failed` fell.

    `why` says why there is nothing to do, where there is not; `kept` is what `failed` would carry.
    """
    decision = memory.decision
    if decision is not None and failed is not None:
        decision = controller.decider.rehearsed(memory, failed, time.monotonic())
    told = _steps(controller, memory, decision)
    model = controller.decider.model
    why = "" if told else why_no_steps(model, memory, decision, failed)
    kept = stays(model, memory, decision, failed) if failed else []
    return {"steps": told, "why": why, "kept": [asdict(each) for each in kept]}


def _steps(
    controller: Controller, memory: Memory, decision: Decision | None
) -> list[dict[str, Any]]:
    """Return steps, each with its effect, its undo and its expected time."""
    if decision is None:
        return []
    observed = _observed(controller, memory.decision)
    return [
        each.as_json() | {"text": str(each)}
        for each in plan(controller.decider.model, decision, observed)
    ]


def _observed(controller: Controller, decision: Decision | None) -> dict[Key, Effect]:
    """The effects of the decision in force that were seen to be there."""
    if decision is None:
        return {}
    behind = {
        name for name, each in controller.peers.items() if each.known.version != decision.version
    }
    in_force = {
        (each.provider, each.name) for each in controller.dns.progress if each.state == "in force"
    }
    seen = {}
    for effect in wanted(controller.decider.model, decision):
        match effect:
            case SteerEdge() | RouteEdge():
                is_there = effect.edge not in behind
            case SetRecords():
                is_there = (effect.provider, effect.name) in in_force
            case _:
                is_there = False
        if is_there:
            seen[effect.key] = effect
    return seen
