"""The eviction of a tier: the policy that the contest favours, and the change to another."""

from typing import Final, Generic

from cache_policies.contest import Contest, Objective
from cache_policies.eviction import Entry, Eviction
from cache_policies.shadow import POLICIES

FIRST: Final = {Objective.BYTES: "s3fifo", Objective.OBJECTS: "gdsf"}  # nothing is known yet
DWELL_S: Final = 600.0  # between two changes
_DECIDE_EVERY_S: Final = 1.0
_HARVESTED_PER_STEP: Final = 256  # watched entries whose marks are read
_MOVED_PER_STEP: Final = 2048  # entries that change from one policy's order to another's


class _Watch(Generic[Entry]):
    """An entry of the sample, and how many of its hits the contest has heard of."""

    __slots__ = ("entry", "told")

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.told = entry.mark


class Tournament(Generic[Entry]):
    """Admits and evicts like an `Eviction`, with the policy that serves the objective best.

    The contest hears of an entry of its sample when it arrives, when it leaves, and of its hits
    about once a second, from its mark: that costs a hit nothing.
    """

    def __init__(self, budget_bytes: int, objective: Objective = Objective.BYTES) -> None:
        self.budget_bytes = budget_bytes
        self.contest = Contest(budget_bytes, objective, FIRST[objective])
        self.switches = 0
        self._policy: Eviction[Entry] = self._make(self.contest.running)
        self._leaving: Eviction[Entry] | None = None  # gives its entries to the above, by and by
        self._watched: dict[int, _Watch[Entry]] = {}  # by name
        self._unread: list[int] = []  # names whose marks this round has not read yet
        self._decided_mono = 0.0
        self._switched_mono = -DWELL_S

    def __len__(self) -> int:
        return len(self._policy) + (0 if self._leaving is None else len(self._leaving))

    @property
    def used_bytes(self) -> int:
        """The sizes of all entries here."""
        left = 0 if self._leaving is None else self._leaving.used_bytes
        return self._policy.used_bytes + left

    @property
    def running(self) -> str:
        """The name of the policy that evicts."""
        return self.contest.running

    def admit(self, entry: Entry) -> list[Entry]:
        """Add an entry; return the victims (see `Eviction.admit`)."""
        if entry.size_bytes > self.budget_bytes:
            return [entry]
        victims = self.shrink(self.budget_bytes - entry.size_bytes)
        self._policy.admit(entry)
        name = entry.name_hash
        if self.contest.samples(name):
            self.contest.take(name, entry.size_bytes)
            self._watched[name] = _Watch(entry)
        return victims

    def remove(self, entry: Entry) -> bool:
        """Forget an entry; False when it is not here."""
        here = self._policy.remove(entry) or (
            self._leaving is not None and self._leaving.remove(entry)
        )
        if here:
            self._unwatch(entry)
        return here

    def shrink(self, to_bytes: int) -> list[Entry]:
        """Evict until at most `to_bytes` are used; return the victims."""
        if self.used_bytes <= to_bytes:
            return []
        victims = []
        if self._leaving is not None:
            victims = self._leaving.shrink(max(0, to_bytes - self._policy.used_bytes))
        victims += self._policy.shrink(max(0, to_bytes))
        for victim in victims:
            self._unwatch(victim)
        return victims

    def step(self, now_mono: float) -> None:
        """Do a bounded piece of what hits and stores leave to be done: 20 times a second."""
        self._harvest()
        self._move()
        self.contest.step()
        if now_mono - self._decided_mono < _DECIDE_EVERY_S:
            return
        self._decided_mono = now_mono
        self.contest.fade(now_mono)
        if now_mono - self._switched_mono >= DWELL_S and self._leaving is None:
            leader = self.contest.leader()
            if leader != self.running:
                self._switch(leader)
                self._switched_mono = now_mono

    def _harvest(self) -> None:
        """Tell the contest of hits since the last look at the next few of its entries."""
        if not self._unread:
            self._unread = list(self._watched)
        for _ in range(min(_HARVESTED_PER_STEP, len(self._unread))):
            watch = self._watched.get(self._unread.pop())
            if watch is not None:
                self._tell(watch)

    def _tell(self, watch: _Watch[Entry]) -> None:
        entry = watch.entry
        hits = entry.mark - watch.told
        if hits and self.contest.samples(entry.name_hash):
            watch.told = entry.mark
            self.contest.take(entry.name_hash, entry.size_bytes, hits)

    def _unwatch(self, entry: Entry) -> None:
        name = entry.name_hash
        watch = self._watched.get(name)
        if watch is not None and watch.entry is entry:
            del self._watched[name]
            self._tell(watch)

    def _switch(self, leader: str) -> None:
        self._leaving, self._policy = self._policy, self._make(leader)
        self.contest.run(leader)
        self.switches += 1

    def _move(self) -> None:
        """Put the next entries of the policy that leaves into the order of the one that runs."""
        if self._leaving is None:
            return
        for entry in self._leaving.hand_over(_MOVED_PER_STEP):
            self._policy.adopt(entry)
        if not len(self._leaving):
            self._leaving = None

    def _make(self, name: str) -> Eviction[Entry]:
        policy: type[Eviction[Entry]] = POLICIES[name]  # type: ignore[assignment]
        return policy(self.budget_bytes)
