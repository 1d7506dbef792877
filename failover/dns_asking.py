"""One question to one name server: UDP, then TCP, within a deadline."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
from dns.message import Message

from failover.dns_records import of_answer
from failover.endpoint import Endpoint
from failover.rrsets import TYPES, RRset, RRsets

PAYLOAD_BYTES = 1_232  # of EDNS0 over UDP: no fragments (DNS flag day 2020)


class NoAnswerError(Exception):
    """A server did not answer a question, or not with what was asked; says why."""


@dataclass(slots=True)
class Addresses:
    """Where name servers are. What was found once is used on while their own names are gone."""

    known: dict[Endpoint, str] = field(default_factory=dict)

    async def of(self, server: Endpoint, timeout_s: float) -> str:
        """An address of a server; raises NoAnswerError."""
        if server.is_address:
            return server.host
        loop = asyncio.get_running_loop()
        asked = loop.getaddrinfo(server.host, server.port, type=socket.SOCK_DGRAM)
        try:
            found = await asyncio.wait_for(asked, timeout_s)
            self.known[server] = str(found[0][4][0])
        except (OSError, TimeoutError) as error:
            if server not in self.known:
                raise NoAnswerError(f"{server.host} has no address: {error}") from error
        return self.known[server]


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks name servers; every call ends within `timeout_s`."""

    timeout_s: float = 2.0
    addresses: Addresses = field(default_factory=Addresses)

    async def send(self, server: Endpoint, message: Message, *, tcp: bool = False) -> Message:
        """Return the answer to a message; a truncated one is asked for again by TCP."""
        try:
            async with asyncio.timeout(self.timeout_s):
                where = await self.addresses.of(server, self.timeout_s / 2)
                if tcp:
                    return await dns.asyncquery.tcp(message, where, port=server.port)
                answer, _ = await dns.asyncquery.udp_with_fallback(
                    message, where, port=server.port, ignore_unexpected=True
                )
                return answer
        except TimeoutError as error:
            raise NoAnswerError(f"{server} does not answer within {self.timeout_s:g} s") from error
        except OSError as error:
            raise NoAnswerError(f"{server}: {error.strerror or error}") from error
        except EOFError as error:
            raise NoAnswerError(f"{server} ended the connection") from error

    async def rrsets(self, server: Endpoint, name: str, *, recursive: bool = False) -> RRsets:
        """Return what a server says that a name has; raises NoAnswerError.

        A server that is not recursive must say that it has authority (RFC 1035 §4.1.1, AA).
        """
        asked = [self._records(server, name, each, recursive) for each in TYPES]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        found: dict[str, RRset] = {}  # a resolver tells of a CNAME with each type it is asked for
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
            for each in answer:
                found[each.type] = min(each, found.get(each.type, each))
        return tuple(sorted(found.values()))

    async def _records(self, server: Endpoint, name: str, rdtype: str, recursive: bool) -> RRsets:
        query = dns.message.make_query(name, rdtype, use_edns=0, payload=PAYLOAD_BYTES)
        if not recursive:
            query.flags &= ~dns.flags.RD
        try:
            answer = await self.send(server, query)
        except dns.exception.DNSException as error:
            raise NoAnswerError(f"{server}: {_said(error)}") from error
        rcode = answer.rcode()
        if rcode not in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
            raise NoAnswerError(f"{server} answers {dns.rcode.to_text(rcode)}")
        if not recursive and not answer.flags & dns.flags.AA:
            raise NoAnswerError(f"{server} has no authority for {name}")
        return of_answer(answer, dns.name.from_text(name))


def _said(error: Exception) -> str:
    """A library's error for people."""
    return str(error) or type(error).__name__
