"""The ring of access keys: read when its file changes, and followed by every worker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from cache_policies.access_ring import RING_BYTES_MAX, Ring, RingError, parse_ring

LOOK_EVERY_S: Final = 2.0

Publish: TypeAlias = Callable[[str], Awaitable[tuple[str, ...]]]
"""Gives a ring to every process, and returns the names of those that did not confirm it."""

log = logging.getLogger("edge.node")


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a look at the file came to, and who does not follow it yet."""

    ring: Ring
    hanging: tuple[str, ...] = ()

    def to_mapping(self) -> dict[str, Any]:
        """Return what the admin listener answers: ids, never keys."""
        answer = told(self.ring)
        if self.hanging:
            answer["error"] = f"not followed in time by {', '.join(self.hanging)}"
        return answer


class AccessKeys:
    """The ring of a node, if it has one. Nothing but ids, its version and counts is ever told."""

    def __init__(self, file: str | None, text: str | None, publish: Publish) -> None:
        """`text` is what `file` holds, or a ring that has none; raises RingError."""
        self.ring = None if text is None else parse_ring(text)
        self.renewed = 0
        self.refused = 0  # files that could not be used
        self._file = file
        self._text = text
        self._complaint = ""  # of the file as it is
        self._publish = publish
        self._looking = asyncio.Lock()
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Look now."""
        self._asked.set()

    def status(self) -> dict[str, Any] | None:
        """Return what `/status` says of it."""
        return None if self.ring is None else told(self.ring)

    async def run(self, every_s: float = LOOK_EVERY_S) -> None:
        """Look for ever, if there is a file to look at."""
        while self._file is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(every_s):
                    await self._asked.wait()
            self._asked.clear()
            with suppress(RingError):  # it is in the log
                await self.look()

    async def look(self) -> Taken:
        """Take what the file holds, if that has changed. Raises RingError, then nothing has."""
        async with self._looking:
            if self.ring is None:
                raise RingError("this edge has no access keys: start it with --access-keys FILE")
            if self._file is None:
                return Taken(ring=self.ring)
            try:
                text = read_ring(self._file)
                ring = self.ring if text == self._text else parse_ring(text)
            except RingError as error:
                self._refuse(str(error))
                raise
            self._complaint = ""
            if text == self._text:
                return Taken(ring=ring)
            hanging = await self._publish(text)
            self.ring, self._text = ring, None if hanging else text  # they are told again
            self.renewed += 1
            log.info("access keys %s of %s are in force", ring.version, self._file)
            return Taken(ring=ring, hanging=hanging)

    def _refuse(self, complaint: str) -> None:
        if complaint != self._complaint:  # said once
            self._complaint = complaint
            self.refused += 1
            log.error("access keys stay as they are: %s: %s", self._file, complaint)


def read_ring(file: str) -> str:
    """Return the text of a file. Raises RingError when it cannot be read."""
    try:
        with Path(file).open("rb") as opened:
            return opened.read(RING_BYTES_MAX + 1).decode()
    except OSError as error:
        raise RingError(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RingError("is not UTF-8") from None


def told(ring: Ring) -> dict[str, Any]:
    """Return what may be told of a ring."""
    return {
        "version": ring.version,
        "keys": [name.decode() for name in ring.keys],
        "revoked": {prefix.decode(): number for prefix, number in ring.revoked.items()},
        "grace_s": ring.grace_s,
    }
