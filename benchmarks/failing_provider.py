"""A provider on a loopback address of its own that fails when, and as, it is told."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, unique
from pathlib import Path
from subprocess import run
from typing import Final, cast

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset

BODY: Final = b"what every probe knows\n" + 1000 * b"."
WRONG: Final = b"what nobody asked for \n" + 1000 * b"."
SLOW_S: Final = 20.0


@unique
class Fault(Enum):
    """How a provider fails, by the name of its row."""

    REFUSED = "refused"
    BLACK_HOLE = "black-hole"  # what is sent to it is dropped
    STATUS = "5xx"
    SLOW = "20-s-answers"
    WRONG_BYTES = "wrong-bytes"
    EXPIRED = "expired-certificate"
    NAME = "dns-gone"  # who answers for its name is silent
    HALF = "half-failing"  # every second request fails, by chance


IS_TLS: Final = {Fault.EXPIRED}
STATUS_OF: Final = {Fault.STATUS: 1.0, Fault.HALF: 0.5}  # the share of answers that are 503


class Names:
    """A resolver that knows providers by name; of those that are gone it says nothing at all."""

    def __init__(self) -> None:
        self.addresses: dict[str, str] = {}
        self.gone: set[str] = set()

    @asynccontextmanager
    async def serving(self, host: str, port: int) -> AsyncIterator[None]:
        """Answer until the end of the block."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Resolver(self), local_addr=(host, port)
        )
        try:
            yield
        finally:
            transport.close()

    def answer(self, wire: bytes) -> bytes | None:
        """Return the answer to a query."""
        query = dns.message.from_wire(wire)
        asked = query.question[0]
        name = asked.name.to_text()
        if name in self.gone:
            return None
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if asked.rdtype is dns.rdatatype.A and name in self.addresses:
            found = dns.rrset.from_text(asked.name, 1, "IN", "A", self.addresses[name])
            response.answer.append(found)
        return response.to_wire()


class _Resolver(asyncio.DatagramProtocol):
    def __init__(self, names: Names) -> None:
        self._names = names

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # no base class says so

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if (answer := self._names.answer(data)) is not None:
            self._transport.sendto(answer, addr)


@dataclass(slots=True, kw_only=True)
class Provider:
    """One server, good until `fail`, and again from `heal`."""

    host: str
    port: int
    name: str  # in DNS, absolute
    names: Names
    draw: random.Random
    good: Path | None = None  # certificate and key in one file, for a provider with TLS
    expired: Path | None = None
    fault: Fault | None = None
    _server: asyncio.Server | None = None
    _context: ssl.SSLContext | None = None
    _hole: list[socket.socket] = field(default_factory=list)
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve until the end of the block."""
        if self.good is not None:
            self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._context.load_cert_chain(self.good)
        self.names.addresses[self.name] = self.host
        await self._listen()
        try:
            yield
        finally:
            self._stop_listening()
            self._ended.set()

    async def fail(self, fault: Fault) -> None:
        """Fail from now on."""
        self.fault = fault
        match fault:
            case Fault.REFUSED:
                self._stop_listening()
            case Fault.BLACK_HOLE:
                self._stop_listening()
                self._swallow()
            case Fault.EXPIRED:
                self._present(self.expired)
            case Fault.NAME:
                self.names.gone.add(self.name)

    async def heal(self) -> None:
        """Be good from now on."""
        self.fault = None
        self.names.gone.discard(self.name)
        self._present(self.good)
        if self._server is None:
            self._stop_listening()
            await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, self.host, self.port, ssl=self._context
        )

    def _stop_listening(self) -> None:
        for each in self._hole:
            each.close()
        self._hole.clear()
        if self._server is not None:
            self._server.close()
            self._server = None

    def _swallow(self) -> None:
        """Have the kernel drop whoever connects: nobody accepts, and the queue is full."""
        hole = socket.socket()
        hole.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        hole.bind((self.host, self.port))
        hole.listen(0)
        self._hole.append(hole)
        for _ in range(2):
            filler = socket.socket()
            filler.setblocking(False)
            with suppress(BlockingIOError):
                filler.connect((self.host, self.port))
            self._hole.append(filler)

    def _present(self, certificate: Path | None) -> None:
        if self._context is not None and certificate is not None:
            self._context.load_cert_chain(certificate)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            if self.fault is Fault.SLOW:
                await self._slowly()
            writer.write(self._answer())
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # who asked has gone, or all is over
        finally:
            writer.close()

    async def _slowly(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(SLOW_S):
                await self._ended.wait()

    def _answer(self) -> bytes:
        bad_share = 0.0 if self.fault is None else STATUS_OF.get(self.fault, 0.0)
        status = b"503 Service Unavailable" if self.draw.random() < bad_share else b"200 OK"
        body = WRONG if self.fault is Fault.WRONG_BYTES else BODY
        head = b"HTTP/1.1 %b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        return head % (status, len(body)) + body


def certificates(directory: Path) -> Mapping[str, Path]:
    """Make a `good` certificate and an `expired` one, and `trusted`, the file of both."""
    made = {name: directory / f"{name}.pem" for name in ("good", "expired", "trusted")}
    for name, days in (("good", 30), ("expired", -1)):
        key, asked = directory / f"{name}.key", directory / f"{name}.csr"
        new = ["openssl", "req", "-new", "-nodes", "-newkey", "ec"]
        new += ["-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=edge.test"]
        new += ["-addext", "subjectAltName=DNS:edge.test", "-keyout", str(key), "-out", str(asked)]
        sign = ["openssl", "x509", "-req", "-in", str(asked), "-signkey", str(key)]
        sign += ["-days", str(days), "-copy_extensions", "copy", "-out", str(made[name])]
        for command in (new, sign):
            run(command, check=True, capture_output=True)
        made[name].write_text(made[name].read_text() + key.read_text())
    together = "".join(made[name].read_text() for name in ("good", "expired"))
    made["trusted"].write_text(together)
    return made
