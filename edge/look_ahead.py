"""What a player asks for next: known from the playlists that passed through, and from itself.

A worker tells what was asked; what it gets are keys that will probably be asked soon, each with
the chance of that. Nothing is known of players: two of them in one video are told apart by nothing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import exp
from typing import Final, NamedTuple

from edge.playlists import MediaPlaylist, MultivariantPlaylist, Playlist
from edge.retention import Retention

NEXT: Final = "next"  # reasons: what follows in the playlist
CMCD: Final = "cmcd"  # the player said so
SEQUENCES_MAX: Final = 2048  # playlists that are remembered
KEYS_MAX: Final = 65_536  # segments of them
STORY_PRIOR: Final = 8.0  # requests of one sequence that all others together stand for
SWITCHED_S: Final = 20.0  # after a request for another rendition of the same story


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAheadPolicy:
    """How far ahead of a player is fetched."""

    depth_max: int = 2  # segments after the one that was asked for
    chance_min: float = 0.7  # of being asked for, for all but the very next


class Wanted(NamedTuple):
    """Something to have before it is asked for."""

    key: str
    reason: str
    chance: float
    starts: float = 0.0  # of a playlist: how many will probably begin to play it


@dataclass(slots=True)
class Known:
    """A media playlist that passed through."""

    playlist: MediaPlaylist
    group: list[float]  # shared by renditions of one story: the last position asked, and when
    retention: Retention = field(default_factory=Retention)


class LookAhead:
    """The playlists that one worker knows."""

    def __init__(self, policy: LookAheadPolicy | None = None) -> None:
        self.policy = policy or LookAheadPolicy()
        self.retention = Retention()  # of all sequences, until it is taken
        self._overall = Retention()  # of the whole node
        self._known: dict[str, Known] = {}  # by key of the playlist, in order of their use
        self._places: dict[str, tuple[str, int]] = {}  # segment: its playlist, and where it is
        self._groups: dict[str, list[float]] = {}  # rendition: its group, until it is known

    def __len__(self) -> int:
        return len(self._places)

    def knows(self, key: str) -> bool:
        """Whether a media playlist is known."""
        return key in self._known

    def heard(self, counted: Iterable[Iterable[float]]) -> None:
        """Learn what all workers together know of retention."""
        self._overall = Retention.from_list(counted)

    # what is asked

    def learn(self, key: str, playlist: Playlist, now_s: float) -> list[Wanted]:
        """Remember a playlist that was asked for; say what of it will be asked for next."""
        self.know(key, playlist)
        return self.begun(key, now_s)

    def know(self, key: str, playlist: Playlist) -> None:
        """Remember a playlist from now on, while there is room."""
        if isinstance(playlist, MultivariantPlaylist):
            group = [0.0, -SWITCHED_S]
            for rendition in playlist.renditions:
                self._groups.setdefault(rendition.key, group)
            while len(self._groups) > SEQUENCES_MAX:
                del self._groups[next(iter(self._groups))]
            return
        before = self._forget(key)
        group = before.group if before else self._groups.get(key, [0.0, -SWITCHED_S])
        known = self._known[key] = Known(playlist, group)
        if before is not None:
            known.retention = before.retention
        for position, segment in enumerate(playlist.segments):
            if not segment.is_part:
                self._places[segment.key] = key, position
        while len(self._known) > SEQUENCES_MAX or len(self._places) > KEYS_MAX:
            self._forget(next(iter(self._known)))

    def begun(self, key: str, now_s: float) -> list[Wanted]:
        """What a player that asked for a media playlist asks for next."""
        known = self._known.get(key)
        if known is None:
            return []
        self._use(key, known)
        sections = [Wanted(each, NEXT, 1.0) for each in known.playlist.sections]
        at, when_s = known.group
        if not known.playlist.has_ended:  # live: its end is watched
            last = known.playlist.segments[-1]
            return sections if last.is_part else [*sections, Wanted(last.key, NEXT, 1.0)]
        first = int(at) + 1 if 0.0 <= now_s - when_s < SWITCHED_S else 0
        if first >= len(known.playlist.segments):
            return sections
        return [*sections, *self._from(known, first, 1.0)]

    def asked(self, key: str, now_s: float) -> list[Wanted]:
        """What a player that asked for a segment asks for next; nothing when that is unknown."""
        place = self._places.get(key)
        if place is None:
            return []
        known = self._known[place[0]]
        self._use(place[0], known)
        known.group[:] = place[1], now_s
        chance = self._goes_on(known, place[1])
        return list(self._from(known, place[1] + 1, chance))

    def count(self, key: str, weight: float) -> None:
        """Learn from a sample which segments are watched."""
        place = self._places.get(key)
        if place is None:
            return
        known = self._known[place[0]]
        is_last = place[1] + 1 >= len(known.playlist.segments)
        if known.playlist.has_ended:
            known.retention.add(place[1], weight, is_last=is_last)
            self.retention.add(place[1], weight, is_last=is_last)

    # what will be begun

    def heads(self, key: str, starts: float, reason: str) -> list[Wanted]:
        """What those want who will begin to play a media playlist: its head, seldom its tail.

        `starts` is how many are expected; the chance is that at least one of them gets so far.
        """
        known = self._known.get(key)
        if known is None:
            return []
        found = [Wanted(each, reason, _chance(starts)) for each in known.playlist.sections]
        for position, segment in enumerate(known.playlist.segments):
            if _chance(starts) < self.policy.chance_min:
                break
            if not segment.is_part:
                found.append(Wanted(segment.key, reason, _chance(starts)))
            starts *= self._goes_on(known, position)
        return found

    def _from(self, known: Known, first: int, chance: float) -> Iterator[Wanted]:
        """Segments from `first` on, where that is asked for with `chance`."""
        segments = known.playlist.segments
        for position in range(first, min(first + self.policy.depth_max, len(segments))):
            if position > first and chance < self.policy.chance_min:
                break
            if not segments[position].is_part:
                yield Wanted(segments[position].key, NEXT, chance)
            chance *= self._goes_on(known, position)

    def _goes_on(self, known: Known, position: int) -> float:
        usually = self._overall.goes_on(position)
        return known.retention.goes_on(position, usually, STORY_PRIOR)

    def _use(self, key: str, known: Known) -> None:
        del self._known[key]
        self._known[key] = known

    def _forget(self, key: str) -> Known | None:
        known = self._known.pop(key, None)
        if known is not None:
            for segment in known.playlist.segments:
                if self._places.get(segment.key, ("", 0))[0] == key:
                    del self._places[segment.key]
        return known


def _chance(expected: float) -> float:
    """Of at least one, where `expected` come by chance."""
    return 1.0 - exp(-expected)
