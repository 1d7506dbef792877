"""Reading a change back: from its servers until they agree, from resolvers for the old TTL."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from failover.dns_asking import Asker, NoAnswerError
from failover.dns_seen import Seen, Subject
from failover.endpoint import Endpoint

SERVERS_EVERY_S: Final = 0.25
RESOLVERS_EVERY_S: Final = 5.0
GRACE_S: Final = 5.0  # past the old TTL: some resolvers round it up
WATCH_MAX_S: Final = 3_600.0  # however long the old TTL was

Told: TypeAlias = Callable[[Seen], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """Asks servers side by side; one that is slow holds up nobody. `told` hears what is new."""

    asker: Asker
    servers_every_s: float = SERVERS_EVERY_S
    resolvers_every_s: float = RESOLVERS_EVERY_S

    async def read_back(
        self, about: Subject, servers: Sequence[Endpoint], told: Told, *, within_s: float
    ) -> list[Seen]:
        """Ask all name servers until each agrees or time is over; return what they said last.

        `about.complaint_of_servers` says what that comes to.
        """
        watches = [
            self._watch(about, server, told, until_s=within_s, every_s=self.servers_every_s)
            for server in servers
        ]
        return list(await asyncio.gather(*watches))

    async def watch_resolvers(
        self, about: Subject, resolvers: Sequence[Endpoint], told: Told, *, old_ttl_s: float
    ) -> list[Seen]:
        """Ask resolvers until they agree or the old TTL is over; return what they said last.

        `about.complaint_of_resolvers` says what their last answers come to.
        """
        until_s = min(old_ttl_s + GRACE_S, WATCH_MAX_S)
        watches = [
            self._watch(
                about,
                resolver,
                told,
                until_s=until_s,
                every_s=self.resolvers_every_s,
                recursive=True,
            )
            for resolver in resolvers
        ]
        return list(await asyncio.gather(*watches))

    async def _watch(  # noqa: PLR0913 - one loop for both kinds
        self,
        about: Subject,
        server: Endpoint,
        told: Told,
        *,
        until_s: float,
        every_s: float,
        recursive: bool = False,
    ) -> Seen:
        began_mono = time.monotonic()
        last: Seen | None = None
        while True:
            seen = await self._look(about, server, began_mono, recursive)
            if not seen.same_as(last):
                told(seen)
                last = seen
            left_s = until_s - (time.monotonic() - began_mono)
            if seen.agrees or left_s <= 0.0:
                return seen
            await asyncio.sleep(min(every_s, left_s))

    async def _look(
        self, about: Subject, server: Endpoint, began_mono: float, recursive: bool
    ) -> Seen:
        try:
            found = await self.asker.rrsets(server, about.name, recursive=recursive)
        except NoAnswerError as error:
            after_s = time.monotonic() - began_mono
            return Seen(server=str(server), after_s=after_s, problem=str(error))
        return about.seen(str(server), found, time.monotonic() - began_mono)
