"""What several vantages together say of a target: more than half of all that are configured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, unique

from failover.model import EVERYWHERE, Vantage
from failover.votes import Vote


@unique
class Verdict(Enum):
    """What is held to be true of a target."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"  # too few say the same: nothing moves


@dataclass(frozen=True, slots=True)
class Electorate:
    """Who votes on what is decided for a scope, and how many must agree."""

    vantages: tuple[str, ...]
    needed: int


def electorate(vantages: Sequence[Vantage], scope: str, vantages_min: int) -> Electorate:
    """Return who votes for a region, or EVERYWHERE. A region with too few has all of them.

    Those that are silent are counted in: who hears few of them decides nothing.
    """
    local = [vantage.name for vantage in vantages if scope in {EVERYWHERE, vantage.region}]
    if len(local) < vantages_min:
        local = [vantage.name for vantage in vantages]
    return Electorate(tuple(local), max(len(local) // 2 + 1, vantages_min))


@dataclass(frozen=True, slots=True)
class Tally:
    """The votes on one target."""

    up: int = 0
    down: int = 0
    silent: int = 0  # withdrawn, or not cast yet
    players_left: bool = False

    def verdict(self, needed: int) -> Verdict:
        """Say what `needed` votes agree on. Players are one vote more, and none on their own."""
        is_up = self.up >= needed
        is_down = self.down > 0 and self.down + self.players_left >= needed
        if is_up is is_down:
            return Verdict.UNKNOWN
        return Verdict.UP if is_up else Verdict.DOWN

    def __str__(self) -> str:
        """Say it in words."""
        of = f"{self.up + self.down + self.silent} vantages"
        players = " and its players" if self.players_left else ""
        return f"{self.down} of {of}{players} say down, {self.up} up"


def tally(votes: Iterable[Vote | None], *, players_left: bool) -> Tally:
    """Count votes; None is one that is withdrawn."""
    cast = list(votes)
    up, down = cast.count(Vote.UP), cast.count(Vote.DOWN)
    return Tally(up, down, len(cast) - up - down, players_left)
