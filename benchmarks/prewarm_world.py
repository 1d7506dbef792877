"""An edge in virtual time: the worker's and supervisor's own decisions over seeded viewers.

What is simulated is what they decide about: memory (sizes only, under the edge's own eviction), an
origin that answers after `ORIGIN_S` over an uplink, and players with a buffer on mobile networks.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Any, Final

from benchmarks.viewers import SEGMENT_S, Crowd, Story, View
from cache_policies.eviction import Evictable
from cache_policies.tournament import Tournament
from edge.audience import Audience
from edge.favour import end_favour, favour
from edge.look_ahead import LookAhead, Wanted
from edge.playlists import MediaPlaylist, Playlist, Segment
from edge.prewarm_budget import Budget, Pressure, PrewarmPolicy
from edge.prewarm_choice import Chooser, Fetched, Outcome
from edge.prewarm_plan import WARM, Expected, PlanBudget, plan
from edge.warming import WARM_HORIZON_S

ORIGIN_S: Final = 0.04  # to the first byte
UPLINK_BPS: Final = 125e6  # bytes a second
PLAYER_S: Final = 0.03  # from a player's request to the edge
LOOK_S: Final = 0.025
PLAYLIST_BYTES: Final = 2000


class Kept(Evictable):
    """An object in memory, of which only the size is there."""

    __slots__ = ("key",)

    def __init__(self, key: str, size_bytes: int) -> None:
        super().__init__(size_bytes)
        self.key = key

    @property
    def name_hash(self) -> int:
        """As an entry's."""
        return hash(self.key)


@dataclass(slots=True)
class Counts:
    """What players met, and what it cost."""

    first: Counter[bool] = field(default_factory=Counter)  # hits of the first segment
    later: Counter[bool] = field(default_factory=Counter)  # of all others
    origin_requests: int = 0
    origin_bytes: int = 0


class World:
    """One edge with its viewers."""

    def __init__(self, crowd: Crowd, memory_bytes: int, *, prewarms: bool) -> None:
        self._crowd = crowd
        self._memory_bytes = memory_bytes
        self._prewarms = prewarms
        self._policy = PrewarmPolicy(uplink_bps=UPLINK_BPS)
        self.now_s = 0.0
        self._numbers = count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._sizes: dict[str, int] = {}
        self._playlists: dict[str, MediaPlaylist] = {}
        self.audience = Audience()
        self.chooser: Chooser
        self.counts = Counts()
        self.counts_from_s = 0.0
        self.begin()

    # what a chooser sees

    def hits(self, key: str) -> int | None:
        """As a worker's memory tells it."""
        kept = self._memory.get(key)
        return None if kept is None else kept.mark

    def playlist(self, key: str) -> Playlist | None:
        """A playlist in memory."""
        return self._playlists.get(key) if key in self._memory else None

    def favour(self, key: str) -> None:
        """As a worker favours what it fetched ahead."""
        kept = self._memory.get(key)
        if kept is not None:
            favour(kept)

    def end_favour(self, key: str) -> None:
        """And ends that, as a worker does."""
        kept = self._memory.get(key)
        if kept is not None:
            end_favour(kept)

    # the edge

    def begin(self) -> None:
        """Begin with nothing in memory, and nothing learnt but what outlasts a restart."""
        self._memory: dict[str, Kept] = {}
        self._tournament: Tournament[Kept] = Tournament(self._memory_bytes)
        budget = Budget(self._policy, self._memory_bytes, self.now_s)
        self.chooser = Chooser(LookAhead(), budget)
        self._coming: dict[str, list[Callable[[], None]]] = {}
        self._uplink_free_s = self.now_s
        self._looks = False
        self._noted: list[str] = []

    def warm(self, limit_s: float) -> tuple[float, int, float]:
        """Fill memory as a restarted edge does; return seconds, bytes, and objects."""
        began_s, before = self.now_s, self.counts.origin_bytes
        chooser = self.chooser
        chooser.is_warming = True
        chooser.budget = Budget(self._policy.warming(), self._memory_bytes, self.now_s)
        listed = self.audience.warm_list(8192, self.now_s)
        minutes = WARM_HORIZON_S / 60.0
        expected = [Expected(key, rate * minutes, WARM) for key, _, rate in listed]
        orders = plan(expected, (), PlanBudget(requests=8192, bytes=1e12), is_busy=False)
        chooser.order(orders)
        done = {order.key for order in orders}
        while chooser.ordered and self.now_s - began_s < limit_s:
            self._look()
            more = [each for each in chooser.expanded if each.key not in done]
            done |= {each.key for each in more}
            chooser.expanded = []
            chooser.order(more)
            if not self._step():
                self.now_s += LOOK_S
        chooser.is_warming = False
        chooser.budget = Budget(self._policy, self._memory_bytes, self.now_s)
        took_s = self.now_s - began_s
        return took_s, self.counts.origin_bytes - before, float(len(self._memory))

    def ask(self, key: str, size_bytes: int, got: Callable[[], None]) -> bool:
        """A player's request: `got` is called when its first byte is here; whether it was here."""
        self._sizes[key] = size_bytes
        self.audience.objects.add("here", key, 1.0, self.now_s)
        kept = self._memory.get(key)
        if kept is not None:
            kept.mark += 1
            got()
        elif key in self._coming:
            self._coming[key].append(got)
        else:
            self._fetch(key, size_bytes, lambda _: None)
            self._coming[key].append(got)
        if self._prewarms:
            self.chooser.ahead.count(key, 1.0)
            self._noted.append(key)
            self._look_soon()
        return kept is not None

    def _fetch(self, key: str, size_bytes: int, done: Callable[[bool], None]) -> None:
        self.counts.origin_requests += 1
        self.counts.origin_bytes += size_bytes
        self._coming[key] = []
        self._uplink_free_s = max(self._uplink_free_s, self.now_s) + size_bytes / UPLINK_BPS
        memory, begun = self._memory, self._coming[key]

        def arrived() -> None:
            if memory is self._memory:  # else: the edge was restarted meanwhile
                self._coming.pop(key, None)
                self._store(Kept(key, size_bytes))
                done(bool(begun))
            for got in begun:
                got()

        self.at(self._uplink_free_s + ORIGIN_S, arrived)

    def _store(self, kept: Kept) -> None:
        self._memory[kept.key] = kept
        for victim in self._tournament.admit(kept):
            if self._memory.get(victim.key) is victim:
                del self._memory[victim.key]

    # prewarming

    def _look_soon(self) -> None:
        if not self._looks:
            self._looks = True
            at_s = (int(self.now_s / LOOK_S) + 1) * LOOK_S
            self.at(at_s, self._look)

    def _look(self) -> None:
        self._looks = False
        self._tournament.step(self.now_s)
        noted, self._noted = self._noted, []
        for key in noted:
            self.chooser.asked(key, self, self.now_s)
        for wanted in self.chooser.look(self, Pressure(), self.now_s):
            self._prewarm(wanted)

    def _prewarm(self, wanted: Wanted) -> None:
        key = wanted.key
        chooser = self.chooser
        if key in self._coming:
            chooser.fetched(wanted, Fetched(Outcome.SHARED), self, self.now_s)
            return
        size_bytes = self._sizes.get(key, 0)

        def done(is_used: bool) -> None:
            outcome = Outcome.STORED if key in self._memory else Outcome.REFUSED
            fetched = Fetched(outcome, size_bytes, is_used)
            chooser.fetched(wanted, fetched, self, self.now_s)
            self._look_soon()

        self._fetch(key, size_bytes, done)

    # time

    def at(self, when_s: float, what: Callable[[], None]) -> None:
        """Do something then."""
        heappush(self._events, (when_s, next(self._numbers), what))

    def _step(self) -> bool:
        if not self._events:
            return False
        self.now_s, _, what = heappop(self._events)
        what()
        return True

    def run(self, views: Iterable[View], until_s: float) -> None:
        """Let these viewers watch until then."""
        for view in views:
            self.at(view.begins_s, Player(self, view, self._crowd.buffer_s).begin)
        while self._events and self._events[0][0] < until_s:
            self._step()
        self.now_s = until_s

    def learn(self, story: Story) -> None:
        """Know what the origin has of a story."""
        if story.playlist not in self._playlists:
            segments = tuple(
                Segment(story.segment(number), SEGMENT_S) for number in range(len(story.sizes))
            )
            self._playlists[story.playlist] = MediaPlaylist(segments=segments)
            for number, size_bytes in enumerate(story.sizes):
                self._sizes[story.segment(number)] = size_bytes


class Player:
    """One viewer's player: segments in order, a buffer ahead, gone when the viewer is."""

    def __init__(self, world: World, view: View, buffer_s: float) -> None:
        self._world, self._view, self._buffer_s = world, view, buffer_s
        self._position = 0
        self._plays_s: float | None = None  # when its beginning would have been shown

    def begin(self) -> None:
        """Ask for the playlist."""
        world, story = self._world, self._view.story
        world.learn(story)
        world.ask(story.playlist, PLAYLIST_BYTES, self._soon)

    def _soon(self) -> None:
        self._world.at(self._world.now_s + PLAYER_S, self._next)

    def _next(self) -> None:
        """Ask for the next segment, if the viewer is still there."""
        world, view = self._world, self._view
        if self._plays_s is not None and world.now_s - self._plays_s >= view.leaves_s:
            return
        key, size_bytes = view.story.segment(self._position), view.story.sizes[self._position]
        is_hit = world.ask(key, size_bytes, self._receive)
        if world.now_s >= world.counts_from_s:
            side = world.counts.later if self._position else world.counts.first
            side[is_hit] += 1

    def _receive(self) -> None:
        world, view = self._world, self._view
        size_bytes = view.story.sizes[self._position]
        world.at(view.network.arrives_s(size_bytes, world.now_s, view.offset), self._has)

    def _has(self) -> None:
        """A segment is there: play it, and wait until the buffer has room for another."""
        world, view = self._world, self._view
        begins_s = self._position * SEGMENT_S  # of what has come, in the video
        if self._plays_s is None:
            self._plays_s = world.now_s
        self._plays_s = max(self._plays_s, world.now_s - begins_s)  # it had to wait for it
        self._position += 1
        if self._position < len(view.story.sizes):
            full_until_s = self._plays_s + begins_s + SEGMENT_S - self._buffer_s
            world.at(max(world.now_s, full_until_s) + PLAYER_S, self._next)


def ratio(counted: Mapping[bool, int]) -> float:
    """The share of hits."""
    return counted.get(True, 0) / max(1, sum(counted.values()))


def waste(world: World) -> dict[str, Any]:
    """What was prewarmed, and what of it was for nothing; what still waits counts as that."""
    ledger = world.chooser.ledger
    used = sum(size for (_, what), size in ledger.bytes.items() if what == "used")
    total = sum(ledger.bytes.values()) + ledger.waiting_bytes
    return {"prewarmed_mb": total / 1e6, "waste": 1.0 - used / total if total else 0.0}
