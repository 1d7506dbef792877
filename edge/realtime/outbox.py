"""What waits for a reader that is slower than its signals: bounded, and old news goes first."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from enum import Enum


class Put(Enum):
    """What became of a frame that was put into an outbox."""

    KEPT = "kept"
    LOST_OLDER = "lost-older"  # the oldest fleeting one went for it
    FULL = "full"  # of lasting ones: the reader has to come back for them


class Outbox:
    """Frames in their order. Only fleeting ones are ever lost."""

    __slots__ = ("_fleeting", "_fleeting_max", "_lasting", "_lasting_max", "_number")

    def __init__(self, *, fleeting_max: int, lasting_max: int) -> None:
        self._fleeting: deque[tuple[int, bytes]] = deque()
        self._lasting: deque[tuple[int, bytes]] = deque()
        self._fleeting_max, self._lasting_max = fleeting_max, lasting_max
        self._number = 0

    def __len__(self) -> int:
        return len(self._fleeting) + len(self._lasting)

    def put(self, frame: bytes, *, lasting: bool) -> Put:
        """Take a frame, at the cost of an older one if need be."""
        queue = self._lasting if lasting else self._fleeting
        if lasting and len(queue) >= self._lasting_max:
            return Put.FULL
        self._number += 1
        queue.append((self._number, frame))
        if not lasting and len(queue) > self._fleeting_max:
            queue.popleft()
            return Put.LOST_OLDER
        return Put.KEPT

    def take(self) -> Iterator[bytes]:
        """Give the frames out, oldest first, for as long as one asks."""
        while self:
            queues = [queue for queue in (self._fleeting, self._lasting) if queue]
            yield min(queues, key=lambda queue: queue[0][0]).popleft()[1]
