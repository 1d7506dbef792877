"""The whole of deciding, step by step: what was heard and ordered goes in, a decision comes out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from failover.choosing import Course, choice, move
from failover.decision import Decision
from failover.events import Event, Happening, merged, named
from failover.evidence import Report
from failover.memory import NEVER, UNTOLD_MAX, Memory, fitted
from failover.model import EVERYWHERE, Model, Service
from failover.noticing import noticed
from failover.orders import Answer, Held, Kind, Order, Place, carry_out
from failover.quorum import Electorate, Tally, Verdict, electorate, tally
from failover.target_state import Standing, State, is_settled, step
from failover.votes import NOBODY, Attendance, Name, Vote, attend, cast, have_left


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What came in since the last step."""

    reports: Sequence[Report] = ()
    orders: Sequence[Order] = ()
    version: tuple[int, int] = (0, 0)  # of the newest decision that a member acts on


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What came out."""

    memory: Memory  # to be kept before the decision is published
    decision: Decision | None  # to be published; None: the last one holds
    events: tuple[Event, ...]
    answers: tuple[Answer, ...]  # to the orders, in their order

    @property
    def matters(self) -> bool:
        """Whether the memory is to be kept now; else it can wait for some seconds."""
        return bool(self.decision or self.events or self.answers)


class Decider:
    """The rules for one model. It remembers nothing itself: equal steps have equal results."""

    def __init__(self, model: Model, regions: Sequence[str] = ()) -> None:
        """Decide for `regions` only, where some are named; else for all, and EVERYWHERE."""
        scopes = regions or (*model.regions, EVERYWHERE)
        self.model = model
        self.places = tuple((each.name, scope) for each in model.services for scope in scopes)
        self._services = {each.name: each for each in model.services}
        self._detections = {
            (service.name, target.name): service.detection
            for service in model.services
            for target in service.targets
        }
        self._fresh_s = {each.fresh_s for each in self._detections.values()}
        self.fresh_min_s = min(self._fresh_s, default=float("inf"))
        self._vantages = frozenset(vantage.name for vantage in model.vantages)
        self._electorates: dict[str, dict[Electorate, list[Place]]] = {}
        for place in self.places:
            voters = self._electorates.setdefault(place[0], {})
            who = electorate(model.vantages, place[1], self._of(place).detection.vantages_min)
            voters.setdefault(who, []).append(place)

    def _of(self, place: Place) -> Service:
        return self._services[place[0]]

    def start(self, now_mono: float, published: Decision | None = None) -> Memory:
        """Return the memory of somebody who knows no more than the decision in force, if that."""
        return self.fitted(Memory(decision=published, at_mono=now_mono))

    def fitted(self, memory: Memory) -> Memory:
        """Return a memory as it fits this model, whichever it was kept under."""
        return fitted(memory, self.model, self.places)

    def step(self, memory: Memory, heard: Heard, now_mono: float, epoch: int) -> Step:
        """Fold what was heard into a memory that fits; `epoch` is that of the controller's lease.

        Raises ValueError when the memory is of a later epoch: somebody else holds the lease.
        """
        if memory.decision and memory.decision.epoch > epoch:
            raise ValueError(f"epoch {epoch} is over: {memory.decision.epoch} has decided")
        attendances = self._attended(memory.attendances, heard.reports, now_mono)
        passed_s = max(0.0, now_mono - memory.at_mono)
        standings = self._judged(memory, attendances, passed_s, now_mono)
        held, answers, at_once = self._ordered(memory, heard.orders, standings)
        after = Memory(
            attendances=attendances,
            standings=standings,
            courses=self._moved(memory, standings, held, at_once, now_mono),
            standstills=held.standstills,
            decision=memory.decision,
            at_mono=now_mono,
            judged_mono=now_mono,
        )
        decision = self._decided(memory, after, epoch, heard.version)
        told = [_told(*each) for each in zip(heard.orders, answers, strict=True)]
        events = named(merged((*told, *noticed(memory, after))), epoch, memory.happened)
        return Step(
            memory=replace(
                after,
                decision=decision,
                happened=memory.happened + len(events),
                untold=(*memory.untold, *events)[-UNTOLD_MAX:],
            ),
            decision=None if decision is memory.decision else decision,
            events=events,
            answers=answers,
        )

    def rehearsed(self, memory: Memory, failed: Name, now_mono: float) -> Decision | None:
        """Return what would hold if a target were down everywhere: for plans, never to publish."""
        fallen = Standing(State.DOWN, Verdict.DOWN, why="so it is supposed")
        standings = {
            place: {**here, failed[1]: fallen} if place[0] == failed[0] else here
            for place, here in memory.standings.items()
        }
        held = Held(memory.courses, memory.standstills)
        courses = self._moved(memory, standings, held, set(), now_mono)
        after = replace(memory, standings=standings, courses=courses)
        return self._decided(memory, after, memory.decision.epoch if memory.decision else 0, (0, 0))

    def tallies(self, memory: Memory, now_mono: float) -> dict[tuple[Place, str], Tally]:
        """Return the votes on every target in every place as they count now."""
        return {
            (place, target.name): count
            for service in self.model.services
            for target in service.targets
            for _, count, places in self._counts(
                (service.name, target.name), memory.attendances, now_mono
            )
            for place in places
        }

    def _attended(
        self, known: Mapping[str, Attendance], reports: Sequence[Report], now_mono: float
    ) -> Mapping[str, Attendance]:
        attendances = dict(known)
        for report in reports:
            if report.vantage in self._vantages:
                past = attendances.get(report.vantage, NOBODY)
                new = attend(past, report, self._detections, now_mono)
                if past is not known.get(report.vantage, NOBODY) and new is not past:
                    new = replace(new, news=new.news | past.news)  # both came since the last step
                attendances[report.vantage] = new
        return attendances

    def _judged(
        self,
        memory: Memory,
        attendances: Mapping[str, Attendance],
        passed_s: float,
        now_mono: float,
    ) -> Mapping[Place, Mapping[str, Standing]]:
        """Step targets in every place; a place where nothing changed keeps its very object."""
        known = memory.standings
        changed: dict[Place, dict[str, Standing]] = {}
        for name in self._unsettled(memory, attendances, now_mono):
            detection = self._detections[name]
            for who, count, places in self._counts(name, attendances, now_mono):
                verdict = count.verdict(who.needed)
                for place in places:
                    old = known[place][name[1]]
                    is_news = verdict is Verdict.DOWN and old.state is not State.DOWN
                    why = f"{count}, {_reason(name, who, attendances)}" if is_news else ""
                    new = step(old, verdict, passed_s, detection, why)
                    if new is not old:
                        changed.setdefault(place, dict(known[place]))[name[1]] = new
        return {**known, **changed}

    def _unsettled(
        self, memory: Memory, attendances: Mapping[str, Attendance], now_mono: float
    ) -> Iterable[Name]:
        """Return which targets a step can change: of a thousand, those few that anything is new of.

        All others are up and stay so: no ballot counts otherwise, and none has become too old.
        """
        if memory.judged_mono == NEVER:
            return self._detections
        found = {
            (place[0], target)
            for place, standings in memory.standings.items()
            for target, standing in standings.items()
            if not is_settled(standing)
        }
        for vantage, known in attendances.items():
            if known is not memory.attendances.get(vantage):
                found |= known.news
            found.update(known.players)
            for fresh_s in self._fresh_s:
                after, until = memory.judged_mono - fresh_s, now_mono - fresh_s
                found.update(
                    name
                    for name, ballot in known.ballots.items()
                    if ballot.heard_mono is not None and after < ballot.heard_mono <= until
                )
        return [name for name in self._detections if name in found]

    def _counts(
        self, name: Name, attendances: Mapping[str, Attendance], now_mono: float
    ) -> Iterator[tuple[Electorate, Tally, list[Place]]]:
        """Count the votes on a target once for each electorate, whatever places it decides for."""
        detection = self._detections[name]
        votes: dict[str, Vote | None] = {}
        for vantage, known in attendances.items():
            if ballot := known.ballots.get(name):
                votes[vantage] = cast(ballot, detection, now_mono)
        for who, places in self._electorates[name[0]].items():
            asked = [
                players.faded(now_mono, detection.fresh_s)
                for vantage in who.vantages
                if vantage in attendances and (players := attendances[vantage].players.get(name))
            ]
            left = have_left(asked)
            yield who, tally(map(votes.get, who.vantages), players_left=left), places

    def _ordered(
        self,
        memory: Memory,
        orders: Sequence[Order],
        standings: Mapping[Place, Mapping[str, Standing]],
    ) -> tuple[Held, tuple[Answer, ...], set[Place]]:
        """Return what orders leave, the answers, and the places that move at once by order."""
        held = Held(memory.courses, memory.standstills)
        answers: list[Answer] = []
        at_once: set[Place] = set()
        for order in orders:
            is_known = order.service in {"", *self._services}
            if order.region == EVERYWHERE and is_known and not self._has_dns(order.service):
                what = f"{order.service} has no" if order.service else "nothing has a"
                answers.append(Answer(False, f"{what} name in DNS"))
                continue
            held, answer = carry_out(order, held, standings)
            answers.append(answer)
            if order.kind is Kind.SWITCH and answer.is_carried_out:
                at_once |= {place for place in self.places if order.covers(place)}
        return held, tuple(answers), {each for each in at_once if held.courses[each].pin}

    def _has_dns(self, service: str) -> bool:
        """Say whether a service has a name in DNS; any of them, where none is named."""
        named = [self._services[service]] if service else self._services.values()
        return any(each.dns is not None for each in named)

    def _moved(
        self,
        memory: Memory,
        standings: Mapping[Place, Mapping[str, Standing]],
        held: Held,
        at_once: set[Place],
        now_mono: float,
    ) -> Mapping[Place, Course]:
        courses = dict(held.courses)
        for place, course in held.courses.items():
            service, here, is_ordered = self._of(place), standings[place], place in at_once
            is_same = course is memory.courses[place] and _are_alike(memory.standings[place], here)
            if is_ordered:
                courses[place] = move(service, here, course, now_mono, is_ordered=True)
            elif is_same and course.is_settled:
                continue
            elif held.is_frozen(place) and (course.shares or memory.decision is None):
                courses[place] = replace(course, is_settled=False) if course.is_settled else course
            elif course.shares or _may_begin(service, here, course, now_mono):
                courses[place] = move(service, here, course, now_mono)
        return courses

    def _decided(
        self, before: Memory, after: Memory, epoch: int, version: tuple[int, int]
    ) -> Decision | None:
        """Return the decision that holds now: the last one itself, if that says it already.

        Where all is frozen nothing changes but by order, no TTL either, nor what would be next;
        it does when that is over, whatever has been ordered meanwhile.
        """
        held, last = Held(after.courses, after.standstills), before.decision
        past = Held(before.courses, before.standstills)
        known = {(each.service, each.region): each for each in last.choices} if last else {}
        choices = []
        for place in self.places:
            course, here, old = after.courses[place], after.standings[place], known.get(place)
            is_frozen = held.is_frozen(place)
            is_same = course is before.courses[place] and _are_alike(before.standings[place], here)
            is_kept = (
                course.shares == before.courses[place].shares
                if is_frozen
                else is_same and not past.is_frozen(place)
            )
            if old and is_kept and here.keys() == set(old.order):
                choices.append(old)
            elif course.shares:
                new = choice(self._of(place), place[1], here, course)
                choices.append(old if old and replace(old, why=new.why) == new else new)
        if not choices:
            return last
        number = last.number if last and last.epoch == epoch else 0
        if version[0] == epoch:
            number = max(number, version[1])
        if last and (last.epoch, last.number, last.choices) == (epoch, number, tuple(choices)):
            return last
        return Decision(epoch=epoch, number=number + 1, choices=tuple(choices))


def _may_begin(
    service: Service, standings: Mapping[str, Standing], course: Course, now_mono: float
) -> bool:
    """Say whether enough is known for the first choice: before it, everybody keeps what they do."""
    known = [standing for standing in standings.values() if standing.verdict is not None]
    waited_s = now_mono - course.moved_mono
    has_waited = waited_s >= 2 * service.detection.fresh_s
    return len(known) == len(standings) or (bool(known) and has_waited)


def _are_alike(before: Mapping[str, Standing], after: Mapping[str, Standing]) -> bool:
    """Say whether targets stand as they did, but for the time that has passed."""
    return before is after or all(
        past.state is now.state and past.verdict is now.verdict
        for past, now in zip(before.values(), after.values(), strict=True)
    )


def _reason(name: Name, who: Electorate, attendances: Mapping[str, Attendance]) -> str:
    """Return what most vantages met that found a target to fail."""
    met = Counter(
        ballot.why
        for vantage in who.vantages
        if vantage in attendances
        and (ballot := attendances[vantage].ballots.get(name))
        and ballot.vote is Vote.DOWN
    )
    return met.most_common(1)[0][0] or "no reason given"


def _told(order: Order, answer: Answer) -> Event:
    what = " ".join(filter(None, (order.kind.value, order.service, order.target)))
    if not answer.is_carried_out:
        what = f"refused: {what}"
    return Event(
        happening=Happening.ORDERED if answer.is_carried_out else Happening.REFUSED,
        text=f"{what}: {answer.text} (because: {order.why})",
        service=order.service,
        target=order.target,
        regions=(order.region,) if order.region else (),
        who=order.who,
    )
