"""The decision that a member acts on: the newest that it has heard of, kept on disk."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

from failover.decision import Decision
from failover.orders import Ordered
from failover.wire import (
    WireError,
    decision_of_text,
    decision_to_text,
    mark_of,
    ordered_version_in,
)

log = logging.getLogger("failover.member")


class InForce:
    """What a member acts on, and who is told of it."""

    def __init__(self, path: Path) -> None:
        """Read what was in force before; what cannot be read is as if there were none."""
        self._path = path
        self._kept: bytes | None = None  # what the file has, if that is known
        self._keeping = asyncio.Lock()
        self._news = asyncio.Event()
        self.decision: Decision | None = None
        self.ordered = Ordered()  # by operators, as far as this member was told
        self.ordered_version = (0, 0)  # of the decision that carried out an order given here
        self._followers: list[Callable[[Decision], object]] = []
        try:
            text = path.read_bytes()
            self.decision, self.ordered = decision_of_text(text)
            self.ordered_version = ordered_version_in(text)
        except FileNotFoundError:
            pass
        except (OSError, WireError) as error:
            log.error("%s is not used: %s", path, error)

    @property
    def version(self) -> tuple[int, int]:
        """Of the decision in force; (0, 0) if there is none."""
        return self.decision.version if self.decision else (0, 0)

    @property
    def mark(self) -> str:
        """Of the decision in force and the orders that stand; empty if there is none."""
        return mark_of(self.decision, self.ordered) if self.decision else ""

    def follow(self, follower: Callable[[Decision], object]) -> None:
        """Have somebody told of every decision, the one in force first."""
        self._followers.append(follower)
        if self.decision is not None:
            follower(self.decision)

    def take(self, decision: Decision, ordered: Ordered) -> bool:
        """Act on a decision, unless a newer one is in force. The same one again is taken, too."""
        if decision.version < self.version:
            return False
        if self.decision == decision:
            if self.ordered != ordered:
                self.ordered = ordered
                self._news.set()
            return True
        if decision.version == self.version:
            log.error("another decision of version %s", decision.version)
            return False
        self.decision, self.ordered = decision, ordered
        for follower in self._followers:
            follower(decision)
        self._news.set()
        return True

    async def keep(self) -> bool:
        """Return when what is in force outlasts a crash; False if it could not be written."""
        async with self._keeping:
            self._news.clear()
            if self.decision is None:
                return True
            text = decision_to_text(self.decision, self.ordered, self.ordered_version)
            if text == self._kept:
                return True
            try:
                await asyncio.to_thread(_write, self._path, text)
            except OSError as error:
                log.error("the decision is not kept: %s", error)
                return False
            self._kept = text
            return True

    async def run(self) -> None:
        """Keep what is taken, until cancelled; a slow disk holds up nothing else."""
        while True:
            await self._news.wait()
            await self.keep()


def _write(path: Path, text: bytes) -> None:
    """Put a text in a file's place, on the disk itself: before it is there, the old one is."""
    aside = path.with_suffix(".new")
    with aside.open("wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
