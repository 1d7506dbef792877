"""Certificates that were renewed on disk are taken into use, by all workers, with no restart."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, TypeAlias

from edge.settings import CertificatePair
from edge.tls import CertificateError, Pem, read_pairs, stamps

LOOK_EVERY_S: Final = 2.0

Publish: TypeAlias = Callable[[tuple[Pem, ...]], Awaitable[None]]

log = logging.getLogger("edge.node")


class Renewal:
    """Looks at the files, and gives `publish` what they hold when it has changed and is good."""

    def __init__(self, pairs: Sequence[CertificatePair], publish: Publish) -> None:
        self._pairs = pairs
        self._publish = publish
        self._seen = stamps(pairs)
        self._asked = asyncio.Event()
        self.renewed = 0
        self.refused = 0  # files that could not be used

    def ask(self) -> None:
        """Look now, and take what is there even if it looks unchanged."""
        self._asked.set()

    async def run(self, every_s: float = LOOK_EVERY_S) -> None:
        """Look for ever."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(every_s):
                    await self._asked.wait()
            seen = stamps(self._pairs)
            if seen != self._seen or self._asked.is_set():
                self._asked.clear()
                self._seen = seen
                await self._take()

    async def _take(self) -> None:
        try:
            pems = read_pairs(self._pairs)
        except CertificateError as error:
            self.refused += 1
            log.error("certificates stay as they are: %s", error)
            return
        await self._publish(pems)
        self.renewed += 1
        log.info("certificates renewed")
