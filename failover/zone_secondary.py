"""Our own server as secondary: it follows another primary's zone and expires as the SOA says."""

from __future__ import annotations

import asyncio
import logging
import time

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.versioned
import dns.xfr
import dns.zone
from dns.name import Name
from dns.rdtypes.ANY.SOA import SOA

from failover.dns_answering import Answerer
from failover.dns_asking import Asker, NoAnswerError
from failover.endpoint import Endpoint
from failover.zone import Zone, is_newer
from failover.zone_file import check_zone, of_nodes
from failover.zone_refresh import Refresh

TRANSFER_S = 30.0

log = logging.getLogger(__name__)


class Secondary:
    """One zone that is another's. `run` is a task of whoever owns it."""

    def __init__(
        self,
        origin: Name,
        primary: Endpoint,
        key: dns.tsig.Key,
        *,
        answerer: Answerer,
        asker: Asker,
    ) -> None:
        self._origin, self._primary, self._key = origin, primary, key
        self._answerer, self._asker = answerer, asker
        self._refresh = Refresh()
        self._news = asyncio.Event()
        answerer.publish(origin, None)

    @property
    def zone(self) -> Zone | None:
        """The copy, while it may be used."""
        return self._answerer.zones[self._origin]

    def notified(self) -> None:
        """Ask the primary now: it says that something is new."""
        self._news.set()

    async def run(self) -> None:
        """Keep the copy current, until cancelled."""
        while True:
            if self._news.is_set():  # perhaps since the last question: then it is asked again
                self._news.clear()
                self._refresh = self._refresh.notified(time.monotonic())
            self._expire()
            if self._refresh.due_mono <= time.monotonic():
                await self._renew()
                self._expire()
            try:
                async with asyncio.timeout(self._refresh.wait_s(time.monotonic())):
                    await self._news.wait()
            except TimeoutError:
                continue

    def _expire(self) -> None:
        if self.zone is not None and self._refresh.is_expired(time.monotonic()):
            log.warning("zone %s has expired: %s was not reached", self._origin, self._primary)
            self._answerer.publish(self._origin, None)

    async def _renew(self) -> None:
        try:
            soa = await self._ask_soa()
            known = self._refresh.soa
            if known is None or self.zone is None or is_newer(int(soa.serial), int(known.serial)):
                zone = await self._transfer()
                self._answerer.publish(self._origin, zone)
                soa = zone.soa
                log.info("zone %s has serial %d of %s", self._origin, soa.serial, self._primary)
            else:
                soa = known
        except (NoAnswerError, dns.exception.DNSException, OSError, EOFError, ValueError) as error:
            why = str(error) or type(error).__name__
            log.warning("zone %s is not renewed from %s: %s", self._origin, self._primary, why)
            self._refresh = self._refresh.failed(time.monotonic())
        else:
            self._refresh = self._refresh.confirmed(soa, time.monotonic())

    async def _ask_soa(self) -> SOA:
        query = dns.message.make_query(self._origin, dns.rdatatype.SOA)
        query.flags &= ~dns.flags.RD
        answer = await self._asker.send(self._primary, query)
        if answer.rcode() != dns.rcode.NOERROR or not answer.flags & dns.flags.AA:
            said = dns.rcode.to_text(answer.rcode())
            raise NoAnswerError(f"{self._primary} has no authority for the zone ({said})")
        for rrset in answer.answer:
            if rrset.name == self._origin and isinstance(rrset[0], SOA):
                return rrset[0]
        raise NoAnswerError(f"{self._primary} answers without a SOA")

    async def _transfer(self) -> Zone:
        where = await self._asker.addresses.of(self._primary, self._asker.timeout_s)
        received = dns.zone.Zone(self._origin, relativize=False)
        query, _ = dns.xfr.make_query(received, serial=None, keyring=self._key)
        await dns.asyncquery.inbound_xfr(
            where, received, query, port=self._primary.port, lifetime=TRANSFER_S
        )
        zone = of_nodes(received.nodes, self._origin)
        check_zone(zone)
        return zone
