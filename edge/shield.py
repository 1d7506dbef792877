"""The region as one worker sees it: whom to ask for a key, and how those have been answering."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from math import inf
from typing import Final, TypeVar

from edge.members import Members, owners
from edge.region_ranking import OVERLOAD_SPARE, Member, above, overloaded
from edge.routes import Route, Upstream
from failover.health import Effect, Health, HealthPolicy, Signal, State, step

HEALTH: Final = HealthPolicy(fall=3, rise=1)
CUT_OFF_S: Final = 10.0  # one that reached no origin is asked once in this time, to see if it does

T = TypeVar("T")

log = logging.getLogger("edge.shield")


class Shield:
    """The members that own keys, their health, and the fills that they have in flight for us."""

    def __init__(self, own: str | None = None, policy: HealthPolicy = HEALTH) -> None:
        """`own` is what other edges reach this one by; None when they cannot."""
        self.own = None if own is None else Member(own)
        self._policy = policy
        self._listed: Members = {}
        self._owners: frozenset[str] | None = None  # of the last look; None: look anew
        self._next_mono = inf  # when another one owns keys
        self._is_owner = False
        self._members: tuple[Member, ...] = ()  # others that own keys and are not down
        self._routes: dict[Member, Route] = {}
        self._health: dict[Upstream, Health] = {}
        self._reach: dict[Upstream, Health] = {}  # of origins, through those that failed to
        self._retry_mono: dict[Upstream, float] = {}  # of those that are cut off from them
        self._in_flight: Counter[Member] = Counter()
        self._asked_below: Counter[bytes] = Counter()  # keys that lower members may be asked for
        self._answering: Counter[bytes] = Counter()  # keys that members may wait for here

    def follow(self, members: Mapping[str, float]) -> None:
        """Take another list of members for true; what is known of those that stay is kept."""
        self._listed = dict(members)
        self._owners = None
        known = {member.url: member for member in self._routes}
        named = [known.get(url) or Member(url) for url in members]
        self._routes = {
            each: self._routes.get(each) or Route(Upstream(each.url), peer=True, edge=True)
            for each in named
        }
        here = {route.upstream for route in self._routes.values()}
        self._reach = {each: health for each, health in self._reach.items() if each in here}
        self._health = {
            upstream: self._health.get(upstream, Health()) for upstream in sorted(here, key=str)
        }

    def is_owner(self, now_mono: float) -> bool:
        """Whether this edge owns keys by its own list."""
        self._look(now_mono)
        return self._is_owner

    def routes(self, key: bytes, now_mono: float) -> list[Route]:
        """The members to ask for `key`, best first; none that could wait for this edge.

        Those that are down are left out, and those that have too much to do or reach no origin.
        """
        self._look(now_mono)
        members = self._members
        own = self.own if self._answering[key] or self._is_owner else None
        routes = above(key, own, members)
        if max(self._in_flight.values(), default=0) > OVERLOAD_SPARE:
            busy = overloaded(self._in_flight, members)
            routes = [member for member in routes if member not in busy]
        found = [self._routes[member] for member in routes]
        if self._reach:
            found = [route for route in found if not self._is_to_wait(route.upstream, now_mono)]
        return found

    def answer(self, key: bytes, now_mono: float) -> Lease | None:
        """Let a member wait for this edge; None when that is not for it to answer.

        One that does not own keys yet asks others that may rank lower. Its last such questions may
        last until it does: nobody waits for a key then, so that no two wait for each other.
        """
        if self._asked_below[key] or not self.is_owner(now_mono):
            return None
        return Lease(self._answered, key)

    def ask(self, route: Route, key: bytes) -> Lease | None:
        """Count a question to a member, until its answer is there to the end.

        None when it is not to be asked any more: it ranks lower, and others wait for this edge now.
        """
        member = Member(route.upstream.url)
        is_below = self.own is not None and (
            (member.weight(key), member) < (self.own.weight(key), self.own)
        )
        if is_below and self._answering[key]:
            return None
        return Lease(partial(self._asked, member, is_below), key)

    def ask_worker(self, key: bytes, now_mono: float) -> Lease | None:
        """Count a question to another worker of the node, which may ask members of any rank.

        None when it has to be told to ask only those above, as this one may.
        """
        if self._answering[key] or self.is_owner(now_mono):
            return None
        return Lease(self._asked_on, key)

    def answer_worker(self, key: bytes) -> Lease | None:
        """Let another worker of the node wait for this one, and members for that worker.

        None when this one waits for lower members; as in `answer`, nobody waits for it then.
        """
        return None if self._asked_below[key] else Lease(self._answered, key)

    def saw(self, upstream: Upstream, signal: Signal) -> None:
        """Learn from an answer, from its absence, or from a probe."""
        before = self._health.get(upstream)
        if before is None:
            return
        self._health[upstream], effect = step(before, signal, self._policy)
        if effect is not None:
            self._owners = None
        if effect is Effect.EJECT:
            log.warning("edge %s of the region is down", upstream.url)
        elif effect is Effect.RESTORE:
            log.warning("edge %s of the region is up again", upstream.url)

    def found_origin(self, upstream: Upstream, signal: Signal, now_mono: float) -> None:
        """Learn whether a member reached an origin, for what somebody could have from one."""
        if upstream not in self._health or (signal is Signal.OK and upstream not in self._reach):
            return
        before = self._reach.get(upstream, Health())
        self._reach[upstream], effect = step(before, signal, self._policy)
        if effect is Effect.EJECT:
            self._retry_mono[upstream] = now_mono + CUT_OFF_S
            log.warning("edge %s of the region reaches no origin", upstream.url)
        elif effect is Effect.RESTORE:
            log.warning("edge %s of the region reaches its origin again", upstream.url)
        if self._reach[upstream].state is State.UP:
            del self._reach[upstream]

    def is_cut_off(self, upstream: Upstream) -> bool:
        """Whether this member has failed to reach an origin that others reach."""
        health = self._reach.get(upstream)
        return health is not None and health.state is State.DOWN

    def is_down(self, upstream: Upstream) -> bool:
        """Whether this member was ejected and has not come back."""
        health = self._health.get(upstream)
        return health is not None and health.state is State.DOWN

    def doubted(self) -> list[Upstream]:
        """The members to be probed: of all others, answers tell."""
        own = None if self.own is None else self.own.url
        return [
            upstream
            for upstream, health in self._health.items()
            if health.state is not State.UP and upstream.url != own
        ]

    def told(self) -> Iterator[tuple[str, float]]:
        """The values of gauges, by name."""
        for member, route in self._routes.items():
            if member != self.own:
                is_out = self.is_down(route.upstream) or self.is_cut_off(route.upstream)
                yield f"edge_up {member.url}", float(not is_out)
                yield f"edge_in_flight {member.url}", self._in_flight[member]

    def _asked(self, member: Member, is_below: bool, key: bytes, more: int) -> None:
        _add(self._in_flight, member, more)
        if is_below:
            self._asked_on(key, more)

    def _asked_on(self, key: bytes, more: int) -> None:
        _add(self._asked_below, key, more)

    def _is_to_wait(self, upstream: Upstream, now_mono: float) -> bool:
        """Whether it is cut off from origins, and somebody else is to find out if it still is."""
        if not self.is_cut_off(upstream):
            return False
        if now_mono < self._retry_mono[upstream]:
            return True
        self._retry_mono[upstream] = now_mono + CUT_OFF_S
        return False

    def _answered(self, key: bytes, more: int) -> None:
        _add(self._answering, key, more)

    def _look(self, now_mono: float) -> None:
        """See who owns keys by now, if that may have changed."""
        if self._owners is not None and now_mono < self._next_mono:
            return
        self._owners = owners(self._listed, now_mono)
        later = (each for each in self._listed.values() if each > now_mono)
        self._next_mono = min(later, default=inf)
        self._is_owner = self.own is not None and self.own.url in self._owners
        self._members = tuple(
            member
            for member, route in self._routes.items()
            if member.url in self._owners
            and member != self.own
            and not self.is_down(route.upstream)
        )


class Lease:
    """One question that is under way; it ends once."""

    __slots__ = ("_count", "_key")

    def __init__(self, count: Callable[[bytes, int], None], key: bytes) -> None:
        self._count: Callable[[bytes, int], None] | None = count
        self._key = key
        count(key, 1)

    def end(self) -> None:
        """The answer is there, or will not come."""
        count, self._count = self._count, None
        if count is not None:
            count(self._key, -1)


def _add(counter: Counter[T], name: T, more: int) -> None:
    """Count something that is forgotten when there is none of it."""
    counter[name] += more
    if not counter[name]:
        del counter[name]
