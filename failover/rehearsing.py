"""The whole night in virtual time, over the very rules that decide: nothing is asked or told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from failover.deciding import Decider, Heard
from failover.decision import Decision
from failover.drilling import NIGHT_S, WHY, clock, drawn, is_bad
from failover.evidence import Outcome, Report, Round
from failover.model import EVERYWHERE, Model, Service
from failover.votes import Name

WARM_S: Final = 30  # before 11:20: all is well
AFTER_MAX_S: Final = 12 * 3_600  # after 17:06: until everything is back, at most


@dataclass(slots=True)
class Viewer:
    """One that uses what it was told last, until that is too old."""

    how: str  # steering, or dns
    scope: str
    draw: float  # which share of the traffic it belongs to
    phase: float  # of its first time to wait (0 <= phase < 1)
    asks_at: float = 0.0  # when it asks again
    uses: str = ""


@dataclass(slots=True, kw_only=True)
class Rehearsal:
    """What came of it."""

    service: Service
    target: str
    speed: float
    viewers: list[Viewer]
    seconds: dict[str, float] = field(default_factory=dict)  # watched, by how they are led
    lost: dict[str, float] = field(default_factory=dict)  # of these, with a target that failed
    unmoved: dict[str, float] = field(default_factory=dict)  # lost, if nobody had moved
    moves: list[dict[str, Any]] = field(default_factory=list)
    back_at_s: float | None = None  # when all traffic was back, in seconds after 11:20

    def watch(self, decision: Decision, at_s: float, *, fails: bool) -> None:
        """Let every viewer watch for a second; what is before the night is not counted."""
        for each in self.viewers:
            choice = decision.choice(self.service.name, each.scope)
            if choice is not None and (at_s >= each.asks_at or not each.uses):
                phase = 1.0 if each.uses else each.phase
                each.uses = drawn_of(choice.shares, each.draw)
                each.asks_at = at_s + phase * self._ttl_s(each.how, suspect=choice.suspect)
            if at_s < 0:
                continue
            self.seconds[each.how] = self.seconds.get(each.how, 0.0) + 1.0
            if fails:
                self.unmoved[each.how] = self.unmoved.get(each.how, 0.0) + 1.0
                if each.uses == self.target:
                    self.lost[each.how] = self.lost.get(each.how, 0.0) + 1.0

    def _ttl_s(self, how: str, *, suspect: bool) -> float:
        settings = self.service.dns if how == "dns" else self.service.steering
        if settings is None:
            return 1.0  # a choice that edges act on themselves
        return settings.ttl_suspect_s if suspect else settings.ttl_s


def drawn_of(shares: Sequence[tuple[str, float]], draw: float) -> str:
    """Return which target a viewer is sent to (0 <= draw < 1)."""
    so_far = 0.0
    for name, share in shares:
        so_far += share
        if draw < so_far:
            return name
    return shares[-1][0]


def rehearse(model: Model, name: Name, *, speed: float = 1.0, viewers: int = 100) -> Rehearsal:
    """Live through the night; `viewers` of each kind, `speed` times as fast as it was."""
    service = next(each for each in model.services if each.name == name[0])
    model = replace(model, services=(service,))
    told = Rehearsal(
        service=service, target=name[1], speed=speed, viewers=list(_viewers(model, viewers))
    )
    decider = Decider(model)
    now_mono = 0.0
    memory = decider.start(now_mono)
    past: dict[str, tuple[tuple[str, float], ...]] = {}
    back_at_s = NIGHT_S
    for second in range(-WARM_S, int(NIGHT_S / speed) + AFTER_MAX_S):
        now_mono += 1.0
        at_s = second * speed
        reports = [_report(model, each.name, name, second, at_s) for each in model.vantages]
        memory = decider.step(memory, Heard(reports=reports), now_mono, 1).memory
        if memory.decision is None:
            continue
        shares = {each.region: tuple(sorted(each.shares)) for each in memory.decision.choices}
        if second >= 0:
            _note(told, past, shares, at_s)
        elif second == -1:
            before = shares
        told.watch(memory.decision, second, fails=is_bad(at_s, 1.0) and at_s >= 0)
        if second >= 0 and shares == before != past:
            back_at_s = at_s
        past = shares
        if at_s >= NIGHT_S and shares == before:
            told.back_at_s = back_at_s
            break
    return told


def _note(
    told: Rehearsal,
    past: dict[str, tuple[tuple[str, float], ...]],
    shares: dict[str, tuple[tuple[str, float], ...]],
    at_s: float,
) -> None:
    """Keep each change of shares, those of several regions at one time as one."""
    moved: dict[tuple[tuple[str, float], ...], list[str]] = {}
    for region, now in shares.items():
        is_shown = region != EVERYWHERE or told.service.dns
        if is_shown and past.get(region) != now:
            moved.setdefault(now, []).append(region)
    for now, regions in moved.items():
        was = dict(past.get(regions[0], ())).get(told.target, 0.0)
        share = dict(now).get(told.target, 0.0)
        told.moves.append(
            {
                "at": clock(at_s),
                "at_s": at_s,
                "regions": ["DNS" if each == EVERYWHERE else each for each in regions],
                "shares": [list(each) for each in now],
                "is_away": share < was,
            }
        )


def _viewers(model: Model, count: int) -> Iterator[Viewer]:
    """Yield viewers that are led by steering, spread over regions, and by DNS if there is any."""
    (service,) = model.services
    led = [("steering", region) for region in model.regions]
    kinds = [led, *([[("dns", EVERYWHERE)]] if service.dns else [])]
    for places in kinds:
        for number in range(count):
            how, scope = places[number % len(places)]
            draw = (number // len(places) + 0.5) * len(places) / count
            yield Viewer(how, scope, min(draw, 0.999), (number * 0.618) % 1.0)


def _report(model: Model, vantage: str, name: Name, second: int, at_s: float) -> Report:
    number = second + WARM_S + 1
    (service,) = model.services
    fails = at_s >= 0 and is_bad(at_s, drawn(vantage, number))
    rounds = tuple(
        Round(
            service=service.name,
            target=target.name,
            number=number,
            outcome=Outcome.FAIL if fails and target.name == name[1] else Outcome.OK,
            why=WHY if fails and target.name == name[1] else "",
        )
        for target in service.targets
    )
    return Report(vantage=vantage, boot="drill", number=number, controls_ok=True, rounds=rounds)
