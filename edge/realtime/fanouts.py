"""Signals on their way to many: a few hundred clients at a time, topics in turn.

Signals of one topic leave in their order. A topic with a million members delays another one by one
slice, not by a million sends.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from itertools import islice

from edge.realtime.client import Client
from edge.realtime.marks import Mark


class _Fanout:
    __slots__ = ("at", "frame", "mark", "to")

    def __init__(self, frame: bytes, mark: Mark | None, to: list[Client]) -> None:
        self.frame, self.mark, self.to, self.at = frame, mark, to, 0


class Fanouts:
    """All that are not done. `lost` counts fleeting signals that others of their topic overtook."""

    def __init__(self, *, fleeting_max: int) -> None:
        self._fleeting_max = fleeting_max
        self._topics: OrderedDict[str, deque[_Fanout]] = OrderedDict()
        self.lost = 0

    def add(self, topic: str, frame: bytes, to: list[Client], mark: Mark | None = None) -> None:
        """Send a frame to these, who are in the topic now; `mark` says that it is a lasting one."""
        if not to:
            return
        waiting = self._topics.setdefault(topic, deque())
        waiting.append(_Fanout(frame, mark, to))
        if mark is None:
            self._lose_oldest(waiting)

    def step(self, clients: int) -> bool:
        """Send the next signal to the next so many clients; whether there is more to do."""
        if not self._topics:
            return False
        topic, waiting = next(iter(self._topics.items()))
        self._topics.move_to_end(topic)
        fanout = waiting[0]
        until = fanout.at + clients
        for client in fanout.to[fanout.at : until]:
            _give(client, topic, fanout)
        fanout.at = until
        if until >= len(fanout.to):
            waiting.popleft()
            if not waiting:
                del self._topics[topic]
        return bool(self._topics)

    def _lose_oldest(self, waiting: deque[_Fanout]) -> None:
        """Drop the oldest fleeting signal that has not begun, if too many wait."""
        fleeting = [each for each in islice(waiting, 1, None) if each.mark is None]
        if len(fleeting) > self._fleeting_max:
            waiting.remove(fleeting[0])
            self.lost += 1


def _give(client: Client, topic: str, fanout: _Fanout) -> None:
    """Send, unless the client left meanwhile, or came back and has heard it from the history."""
    last = client.topics.get(topic)
    if last is None:
        return
    if fanout.mark is None:
        client.line.send(fanout.frame, lasting=False)
    elif fanout.mark > last:
        client.topics[topic] = fanout.mark
        client.line.send(fanout.frame, lasting=True)
