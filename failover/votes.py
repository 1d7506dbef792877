"""What one vantage says of a target: rounds go in, its vote comes out, fast down, slowly up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, unique
from typing import Final, NamedTuple, TypeAlias

from failover.evidence import Outcome, PlayerEvidence, Report, Round
from failover.model import Detection

Name: TypeAlias = tuple[str, str]
"""A service, and one of its targets."""


PLAYERS_MIN: Final = 20.0  # fewer of late say nothing
LEFT_SHARE: Final = 0.5  # of players that leave by themselves is a vote


@unique
class Vote(Enum):
    """What a vantage holds a target to be."""

    UP = "up"
    DOWN = "down"


class Ballot(NamedTuple):
    """The last rounds of one target at one vantage, and what they came to."""

    number: int = 0  # of the last round
    rounds: int = 0  # how many are known, those of the window at most
    failed: int = 0  # which of them failed: bit 0 is the last one
    vote: Vote | None = None  # None: not enough is known yet
    heard_mono: float | None = None  # when the last round came; None: not by this process
    why: str = ""  # of the last failure


EMPTY: Final = Ballot()


def counted(ballot: Ballot, seen: Round, detection: Detection, now_mono: float) -> Ballot:
    """Fold one round into a ballot. One that was counted already changes nothing.

    Where rounds are missing, nothing is in a row: those before them are forgotten, the vote stays.
    """
    if seen.number <= ballot.number:
        return ballot
    follows = seen.number == ballot.number + 1
    is_failure = seen.outcome is Outcome.FAIL
    kept = max(detection.window, detection.fall, detection.rise)
    if follows and not ballot.failed and not is_failure and ballot.vote is Vote.UP:
        rounds = ballot.rounds + (ballot.rounds < kept)  # as nearly always
        return Ballot(seen.number, rounds, 0, Vote.UP, now_mono, ballot.why)
    rounds = min(ballot.rounds + 1, kept) if follows else 1
    failed = (ballot.failed << 1 if follows else 0) & ((1 << kept) - 1) | is_failure
    return Ballot(
        seen.number,
        rounds,
        failed,
        _vote(rounds, failed, detection) or ballot.vote,
        now_mono,
        seen.why if is_failure else ballot.why,
    )


def _vote(rounds: int, failed: int, detection: Detection) -> Vote | None:
    """Say what rounds come to; None leaves the vote as it is."""
    streak = (1 << detection.fall) - 1
    window = (1 << detection.window) - 1
    if failed & streak == streak or (failed & window).bit_count() >= detection.window_failed:
        return Vote.DOWN
    if rounds >= detection.rise and not failed & ((1 << detection.rise) - 1):
        return Vote.UP
    return None


def cast(ballot: Ballot, detection: Detection, now_mono: float) -> Vote | None:
    """Return the vote that counts now, None where it is withdrawn.

    Who votes up and has just seen a failure abstains: nothing moves to what begins to fail.
    """
    if ballot.heard_mono is None or now_mono - ballot.heard_mono >= detection.fresh_s:
        return None
    if ballot.vote is Vote.UP and ballot.failed & 1:
        return None
    return ballot.vote


def is_news(before: Ballot, after: Ballot, detection: Detection, now_mono: float) -> bool:
    """Say whether a ballot that was heard just now counts otherwise than the one before it."""
    return (
        before.heard_mono is None
        or now_mono - before.heard_mono >= detection.fresh_s
        or before.vote is not after.vote
        or (before.failed ^ after.failed) & 1 != 0
    )


class Players(NamedTuple):
    """How many players asked for a pathway of late, and had left it; both fade away."""

    fetched: float = 0.0
    left: float = 0.0
    at_mono: float = 0.0

    def faded(self, now_mono: float, half_life_s: float) -> Players:
        """Return what is left of it now: half after each half-life."""
        part = 0.5 ** ((now_mono - self.at_mono) / half_life_s)
        return Players(self.fetched * part, self.left * part, now_mono)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attendance:
    """One vantage as it was heard: its start, its controls, and its ballots."""

    boot: str = ""
    number: int = 0  # of its last report
    controls_ok: bool = False
    controls_why: str = ""
    ballots: Mapping[Name, Ballot] = field(default_factory=dict)
    players: Mapping[Name, Players] = field(default_factory=dict)
    news: frozenset[Name] = frozenset()  # whose ballot counts otherwise since its report


NOBODY: Final = Attendance(controls_why="not heard yet")


def attend(
    known: Attendance, report: Report, detections: Mapping[Name, Detection], now_mono: float
) -> Attendance:
    """Fold a report into what is known of its vantage; one without news changes nothing.

    A vantage that began anew, or whose controls fail, has no votes until its rounds make new ones:
    what it saw while it could not see is not counted later either.
    """
    is_anew = report.boot != known.boot
    has_news = report.number > known.number or report.controls_ok is not known.controls_ok
    if not is_anew and (report.number < known.number or not has_news):
        return known
    if not report.controls_ok:
        return Attendance(
            boot=report.boot,
            number=report.number,
            controls_why=report.controls_why,
            news=frozenset(known.ballots),
        )
    ballots = {} if is_anew else dict(known.ballots)
    news = set(known.ballots if is_anew else ())
    for seen in report.rounds:
        if detection := detections.get(name := (seen.service, seen.target)):
            before = ballots.get(name, EMPTY)
            after = ballots[name] = counted(before, seen, detection, now_mono)
            if is_news(before, after, detection, now_mono):
                news.add(name)
    return Attendance(
        boot=report.boot,
        number=report.number,
        controls_ok=True,
        ballots=ballots,
        players=_asked({} if is_anew else known.players, report.players, detections, now_mono),
        news=frozenset(news),
    )


def _asked(
    known: Mapping[Name, Players],
    seen: Iterable[PlayerEvidence],
    detections: Mapping[Name, Detection],
    now_mono: float,
) -> Mapping[Name, Players]:
    players = dict(known)
    for each in seen:
        if detection := detections.get(name := (each.service, each.target)):
            past = players.get(name, Players()).faded(now_mono, detection.fresh_s)
            players[name] = past._replace(
                fetched=past.fetched + each.fetched, left=past.left + each.left
            )
    return players


def have_left(asked: Iterable[Players]) -> bool:
    """Say whether players, taken together, show by leaving that a target fails."""
    seen = list(asked)
    fetched = sum(each.fetched for each in seen)
    return fetched >= PLAYERS_MIN and sum(each.left for each in seen) >= LEFT_SHARE * fetched
