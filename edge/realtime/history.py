"""Lasting signals of the last while, for those who come back: bounded by topic and in all."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import NamedTuple

from edge.realtime.marks import ZERO, Mark


class Kept(NamedTuple):
    """One lasting signal. Of two with the same key the second one says nothing new."""

    mark: Mark
    key: str
    frame: bytes


class Missed(NamedTuple):
    """What somebody missed; `gap` says that there was more, which nobody has any more."""

    since: Mark  # all that came after it is in `signals`
    signals: list[Kept]
    gap: bool


class _Topic:
    __slots__ = ("floor", "keys", "signals")

    def __init__(self, floor: Mark) -> None:
        self.floor = floor  # everything after this mark is here
        self.keys: set[str] = set()
        self.signals: deque[Kept] = deque()


class History:
    """By topic, in the order of marks; `floor` is the mark from which on it hears everything."""

    def __init__(self, *, topic_max: int, topics_max: int, floor: Mark = ZERO) -> None:
        self._topic_max, self._topics_max = topic_max, topics_max
        self._topics: OrderedDict[str, _Topic] = OrderedDict()
        self._floor = floor  # of topics that are not here
        self._latest = floor  # of all

    def __len__(self) -> int:
        return sum(len(topic.signals) for topic in self._topics.values())

    def begin(self, floor: Mark) -> None:
        """Hear everything from this mark on; called before anything is added."""
        self._floor = self._latest = floor

    def add(self, name: str, signal: Kept) -> bool:
        """Keep a signal; False for one that was heard before and is nobody's news."""
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = _Topic(self._floor)
        if signal.mark <= self._last(topic) or signal.key in topic.keys:
            return False
        self._latest = max(self._latest, signal.mark)
        topic.signals.append(signal)
        topic.keys.add(signal.key)
        self._topics.move_to_end(name)
        if len(topic.signals) > self._topic_max:
            gone = topic.signals.popleft()
            topic.keys.discard(gone.key)
            topic.floor = gone.mark
        while len(self._topics) > self._topics_max:
            _, oldest = self._topics.popitem(last=False)
            self._floor = max(self._floor, self._last(oldest))
        return True

    def missed(self, name: str, after: Mark) -> Missed:
        """What came after a mark. One that is still to come is not of ours: it says nothing."""
        topic = self._topics.get(name)
        floor = self._floor if topic is None else topic.floor
        last = self.last(name)
        since = min(max(after, floor), last)
        signals = () if topic is None else topic.signals
        is_ours = floor <= after <= max(last, self._latest)
        return Missed(since, [each for each in signals if each.mark > since], not is_ours)

    def last(self, name: str) -> Mark:
        """The mark after which nothing has come yet."""
        topic = self._topics.get(name)
        return self._floor if topic is None else self._last(topic)

    @staticmethod
    def _last(topic: _Topic) -> Mark:
        return topic.signals[-1].mark if topic.signals else topic.floor
