"""Our own server as primary: the zone follows the decision at once, secondaries are told."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.tsig

from failover.decision import Decision
from failover.dns_answering import Answerer
from failover.dns_asking import Asker, NoAnswerError
from failover.endpoint import Endpoint
from failover.service_zone import ServiceZone
from failover.zone import Zone

TRIES: Final = 6
PAUSE_S: Final = 0.5  # before a NOTIFY is sent again, doubled each time (RFC 1996 §3.6)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secondaries:
    """Who is told that a zone has changed, and the key that shows who says so."""

    servers: Sequence[Endpoint]
    key: dns.tsig.Key | None


class Primary:
    """One zone that is ours. `run` is a task of whoever owns it; `follow` may be called before."""

    def __init__(
        self,
        source: ServiceZone,
        *,
        answerer: Answerer,
        secondaries: Secondaries,
        asker: Asker,
    ) -> None:
        self._source, self._answerer, self._asker = source, answerer, asker
        self._secondaries = secondaries
        self._news = [asyncio.Event() for _ in secondaries.servers]
        self._zone: Zone | None = None

    @property
    def zone(self) -> Zone | None:
        """What is published."""
        return self._zone

    def follow(self, decision: Decision | None) -> bool:
        """Answer by a decision from now on; say whether that changed anything."""
        zone = self._source.after(self._zone, decision, time.time())
        if zone is self._zone:
            return False
        self._zone = zone
        self._answerer.publish(zone.origin, zone)
        for event in self._news:
            event.set()
        return True

    async def run(self) -> None:
        """Tell each secondary of each change, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for server, event in zip(self._secondaries.servers, self._news, strict=True):
                group.create_task(self._tell_always(server, event))

    async def _tell_always(self, server: Endpoint, event: asyncio.Event) -> None:
        while True:
            await event.wait()
            event.clear()
            await self._tell(server, event)

    async def _tell(self, server: Endpoint, newer: asyncio.Event) -> None:
        """Send one NOTIFY, again while it is not answered, unless something newer has come."""
        why = ""
        for attempt in range(TRIES):
            if newer.is_set():
                return
            try:
                answer = await self._asker.send(server, self._notify())
            except (NoAnswerError, dns.exception.DNSException) as error:
                why = str(error) or type(error).__name__
                await asyncio.sleep(PAUSE_S * 2**attempt)
                continue
            if answer.rcode() != dns.rcode.NOERROR:
                why = f"{server} answers {dns.rcode.to_text(answer.rcode())}"
                break
            return
        log.warning("secondary %s of %s was not told: %s", server, self._source.base.origin, why)

    def _notify(self) -> dns.message.Message:
        assert self._zone is not None
        message = dns.message.make_query(self._zone.origin, dns.rdatatype.SOA)
        message.set_opcode(dns.opcode.NOTIFY)
        message.flags = (message.flags & ~dns.flags.RD) | dns.flags.AA
        soa = self._zone.rrset(self._zone.origin, dns.rdatatype.SOA)
        assert soa is not None
        message.answer.append(soa)
        if self._secondaries.key is not None:
            message.use_tsig(self._secondaries.key)
        return message
