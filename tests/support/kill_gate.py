"""Where everything that one process does passes by, and one thing of it is its last.

What a process does is seen from outside: at servers and proxies of the test, and, for its files, by
`kill_hooks`, which asks here before and after each write. Whoever passes waits for the answer, so a
process is killed exactly there: nothing that would have come next has begun.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ANYBODY = ""  # whoever does it: nobody else does


@dataclass(frozen=True, slots=True)
class Point:
    """A moment in what a process does: before or after the nth time that it does something."""

    what: str
    nth: int = 1
    is_after: bool = False

    def __str__(self) -> str:
        nth = f" ({self.nth})" if self.nth > 1 else ""
        return f"{'after' if self.is_after else 'before'} {self.what}{nth}"


class Gate:
    """Counts what `actor` does from the moment that it is watched."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._actor: str | None = None
        self._counts: Counter[str] = Counter()
        self._point: Point | None = None
        self._kill: Callable[[], object] = lambda: None
        self.seen: list[Point] = []
        self.killed_mono = 0.0
        self.has_killed = threading.Event()

    def watch(
        self, actor: str, point: Point | None = None, kill: Callable[[], object] = lambda: None
    ) -> None:
        """Count from now on; at `point`, kill it."""
        with self._lock:
            self._actor, self._point, self._kill = actor, point, kill
            self._counts.clear()
            self.seen = []
            self.has_killed.clear()

    def leave(self) -> None:
        """Let everybody pass."""
        with self._lock:
            self._actor = None

    def behind(self, name: str, names: Sequence[str]) -> int:
        """How many places after the one who is watched somebody comes in a ring; 0: nobody is."""
        actor = self._actor
        return (names.index(name) - names.index(actor)) % len(names) if actor else 0

    def passes(self, actor: str, what: str, *, is_after: bool = False) -> bool:
        """Say whether it lives on. What it does is not done if it is killed before it."""
        with self._lock:
            if self._actor is None or actor not in {ANYBODY, self._actor}:
                return True
            self._counts[what] += not is_after
            here = Point(what, self._counts[what], is_after)
            self.seen.append(here)
            if here != self._point:
                return True
            self._kill()
            self.killed_mono, self._actor = time.monotonic(), None
            self.has_killed.set()
            return False

    @contextmanager
    def serving(self, path: Path) -> Iterator[None]:
        """Answer the hooks of processes on a Unix socket."""
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen(64)
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
            yield
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):  # it is closed in the end
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with client, client.makefile("r") as said, suppress(OSError):
            actor, when, what = said.readline().rstrip("\n").split("\t")
            if self.passes(actor, what, is_after=when == "after"):
                client.sendall(b"+")
