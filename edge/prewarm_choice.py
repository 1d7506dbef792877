"""What one worker fetches next for players to come: ahead of those who watch, then what is ordered.

Decides only: `look` is called 40 times a second with what is stored, and says what to fetch now.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable
from enum import Enum
from typing import Final, NamedTuple, Protocol

from edge.look_ahead import CMCD, LookAhead, Wanted
from edge.playlists import Playlist, is_playlist
from edge.prewarm_budget import MEMORY, Budget, Pressure
from edge.prewarm_plan import Order
from edge.prewarmed import Ledger, Prewarmed

URGENT_MAX: Final = 512  # that players will ask for within seconds
URGENT_S: Final = 10.0  # then they have
ORDERS_MAX: Final = 8192
AWAITED_MAX: Final = 512  # playlists that are on their way to memory
AWAITED_S: Final = 5.0
LOOKED_AT: Final = 256  # prewarmed objects, each time
REFUSED_MAX: Final = 4096
REFUSED_S: Final = 120.0  # what could not be stored is not fetched again


class Outcome(Enum):
    """What became of a fetch."""

    STORED = "stored"
    VALIDATED = "validated"  # what was stored is still good
    SHARED = "shared"  # a player had asked before
    REFUSED = "refused"  # it may not be stored, or not prewarmed
    FAILED = "failed"


class Fetched(NamedTuple):
    """What a fetch came to."""

    outcome: Outcome
    size_bytes: int = 0
    is_used: bool = False  # players read it while it came
    hits: int = 0  # that what it became part of has had


class View(Protocol):
    """What this worker has."""

    def hits(self, key: str) -> int | None:
        """How often what is stored under a key has answered; None when nothing fresh is."""

    def playlist(self, key: str) -> Playlist | None:
        """What is stored under a key, if that is a playlist."""

    def favour(self, key: str) -> None:
        """Have eviction spare what is stored under a key: it will be asked for soon."""

    def end_favour(self, key: str) -> None:
        """Have eviction treat it like all else: it was asked for, or nobody came."""


class Chooser:
    """One worker's choices. Times are seconds of one clock."""

    def __init__(self, ahead: LookAhead, budget: Budget) -> None:
        self.ahead = ahead
        self.budget = budget
        self.ledger = Ledger()
        self.waits: Counter[str] = Counter()  # looks at which it had to wait, by reason
        self.running: set[str] = set()
        self.expanded: list[Order] = []  # what follows from orders, until it is taken
        self._urgent: OrderedDict[str, tuple[Wanted, float]] = OrderedDict()
        self._orders: OrderedDict[str, Order] = OrderedDict()
        self._awaited: dict[str, float] = {}
        self._refused: dict[str, float] = {}
        self.is_warming = False  # nobody is served yet

    @property
    def ordered(self) -> int:
        """Orders that are still to be carried out."""
        return len(self._orders) + len(self.running)

    def asked(self, key: str, view: View, now_s: float) -> None:
        """A player asks for something."""
        if not is_playlist(key):
            self._want(self.ahead.asked(key, now_s), now_s)
        elif (playlist := view.playlist(key)) is not None:
            self._want(self.ahead.learn(key, playlist, now_s), now_s)
        elif len(self._awaited) < AWAITED_MAX:
            self._awaited.setdefault(key, now_s + AWAITED_S)

    def told(self, keys: Iterable[str], now_s: float) -> None:
        """A player says what it asks for next."""
        self._want([Wanted(key, CMCD, 1.0) for key in keys], now_s)

    def order(self, orders: Iterable[Order]) -> None:
        """Take orders for those who are expected; what no room is left for is dropped."""
        for order in orders:
            if len(self._orders) < ORDERS_MAX:
                self._orders.setdefault(order.key, order)

    def look(self, view: View, pressure: Pressure, now_s: float) -> list[Wanted]:
        """What to fetch now, as far as budgets and players let it."""
        for key in [key for key in self._awaited if view.playlist(key) is not None]:
            del self._awaited[key]
            self.asked(key, view, now_s)
        for key in [key for key, until_s in self._awaited.items() if now_s >= until_s]:
            del self._awaited[key]
        for key, is_used in list(self.ledger.look(view.hits, now_s, LOOKED_AT)):
            view.end_favour(key)
            if is_used:
                self.asked(key, view, now_s)
        chosen: list[Wanted] = []
        while len(self.running) < self.budget.policy.at_once:
            wanted = self._next(view, now_s)
            if wanted is None:
                break
            why = self._refuses(pressure, now_s)
            if why:
                self._put_back(wanted, now_s)
                self.waits[why] += 1
                if self.is_warming and why == MEMORY:  # this is all that fits
                    self._orders.clear()
                break
            self.budget.ask(now_s)
            self.running.add(wanted.key)
            chosen.append(wanted)
        return chosen

    def fetched(self, wanted: Wanted, fetched: Fetched, view: View, now_s: float) -> None:
        """Take in what a fetch came to."""
        key = wanted.key
        self.running.discard(key)
        self.budget.receive(fetched.size_bytes, now_s)
        if fetched.outcome is Outcome.REFUSED:
            self._refused.pop(key, None)
            self._refused[key] = now_s + REFUSED_S
            while len(self._refused) > REFUSED_MAX:
                del self._refused[next(iter(self._refused))]
        if fetched.outcome is Outcome.STORED:
            prewarmed = Prewarmed(wanted.reason, fetched.size_bytes, now_s, fetched.hits)
            self.ledger.add(key, prewarmed, is_used=fetched.is_used)
            if fetched.is_used:
                self.asked(key, view, now_s)
            else:
                view.favour(key)
        self._expand(wanted, view)

    def _want(self, wanted: Iterable[Wanted], now_s: float) -> None:
        for each in wanted:
            if each.key not in self.running and len(self._urgent) < URGENT_MAX:
                self._urgent[each.key] = each, now_s + URGENT_S

    def _next(self, view: View, now_s: float) -> Wanted | None:
        """The next that is neither here nor hopeless."""
        while self._urgent:
            _, (wanted, until_s) = self._urgent.popitem(last=False)
            if now_s >= until_s:
                continue
            if self._is_missing(wanted.key, view, now_s):
                return wanted
            view.favour(wanted.key)  # it may have been on its way out
        while self._orders:
            _, order = self._orders.popitem(last=False)
            wanted = Wanted(order.key, order.reason, 1.0, order.requests)
            if self._is_missing(wanted.key, view, now_s):
                return wanted
            self._expand(wanted, view)
        return None

    def _is_missing(self, key: str, view: View, now_s: float) -> bool:
        refused = now_s < self._refused.get(key, now_s)
        return not refused and key not in self.running and view.hits(key) is None

    def _refuses(self, pressure: Pressure, now_s: float) -> str:
        ledger = self.ledger
        held_bytes = ledger.waiting_bytes if self.is_warming else ledger.spent_bytes
        return MEMORY if ledger.is_full else self.budget.refuses(pressure, held_bytes, now_s)

    def _put_back(self, wanted: Wanted, now_s: float) -> None:
        if wanted.starts:
            self._orders[wanted.key] = Order(wanted.key, wanted.reason, wanted.starts)
            self._orders.move_to_end(wanted.key, last=False)
        else:
            self._urgent[wanted.key] = wanted, now_s + URGENT_S
            self._urgent.move_to_end(wanted.key, last=False)

    def _expand(self, wanted: Wanted, view: View) -> None:
        """Have the head of a playlist that was ordered follow it."""
        if not wanted.starts or not is_playlist(wanted.key):
            return
        if not self.ahead.knows(wanted.key) and (playlist := view.playlist(wanted.key)):
            self.ahead.know(wanted.key, playlist)
        heads = self.ahead.heads(wanted.key, wanted.starts, wanted.reason)
        room = ORDERS_MAX - len(self.expanded)
        self.expanded += [Order(each.key, each.reason, wanted.starts) for each in heads[:room]]
