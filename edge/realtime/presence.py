"""How many people are where: each once, however many pages they have open, on all edges.

Who leaves is there for a moment longer: reloading a page, or changing networks, is no news. Numbers
are shown and no names: nobody learns who watches, and a count is as small for a million as for one.
"""

from __future__ import annotations

from collections import Counter, deque


class Presence:
    """People by topic: our own by name, those of other edges by what these edges say."""

    def __init__(self, *, grace_s: float, heard_s: float) -> None:
        self._grace_s, self._heard_s = grace_s, heard_s
        self._pages: dict[str, Counter[str]] = {}  # of each person, by topic
        self._leaving: deque[tuple[float, str, str]] = deque()  # until when, topic, person
        self._elsewhere: dict[str, dict[str, tuple[int, float]]] = {}  # topic: edge: count, until
        self._changed: set[str] = set()
        self._ours_changed: set[str] = set()

    def enter(self, topic: str, person: str) -> None:
        """A page of theirs has joined."""
        pages = self._pages.setdefault(topic, Counter())
        if person not in pages:
            self._change(topic)
        pages[person] += 1

    def leave(self, topic: str, person: str, now_mono: float) -> None:
        """A page of theirs has left. Each `leave` follows an `enter` of its own."""
        self._leaving.append((now_mono + self._grace_s, topic, person))

    def hear(self, topic: str, edge: str, count: int, now_mono: float) -> None:
        """Another edge says how many it has there."""
        counts = self._elsewhere.setdefault(topic, {})
        if counts.get(edge, (0, 0.0))[0] != count:
            self._changed.add(topic)
        if count:
            counts[edge] = (count, now_mono + self._heard_s)
        else:
            counts.pop(edge, None)
            self._drop_if_empty(topic)

    def pass_time(self, now_mono: float) -> None:
        """Let those go whose time is over."""
        while self._leaving and self._leaving[0][0] <= now_mono:
            _, topic, person = self._leaving.popleft()
            pages = self._pages[topic]
            pages[person] -= 1
            if not pages[person]:
                del pages[person]
                self._change(topic)
                if not pages:
                    del self._pages[topic]
        for topic in list(self._elsewhere):
            counts = self._elsewhere[topic]
            for edge in [each for each, (_, until) in counts.items() if until <= now_mono]:
                del counts[edge]
                self._changed.add(topic)
            self._drop_if_empty(topic)

    def changed(self) -> set[str]:
        """The topics whose count may be another one than when this was last asked."""
        found, self._changed = self._changed, set()
        return found

    def ours(self, turn: int, turns: int) -> dict[str, int]:
        """How many are at this edge, for others: where that changed, and a part of all topics.

        Within so many turns each topic has been said.
        """
        said = self._ours_changed | {each for each in self._pages if hash(each) % turns == turn}
        self._ours_changed.clear()
        return {topic: len(self._pages.get(topic, ())) for topic in said}

    def count(self, topic: str) -> int:
        """How many are there, on all edges."""
        elsewhere = sum(count for count, _ in self._elsewhere.get(topic, {}).values())
        return len(self._pages.get(topic, ())) + elsewhere

    def _change(self, topic: str) -> None:
        self._changed.add(topic)
        self._ours_changed.add(topic)

    def _drop_if_empty(self, topic: str) -> None:
        if not self._elsewhere[topic]:
            del self._elsewhere[topic]
