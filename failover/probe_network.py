"""Probes of names, connections and certificates: what must work before anything is asked."""

from __future__ import annotations

import asyncio
import ssl
import time
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import dns.asyncquery
import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver

from failover.answer import ProbeFailedError
from failover.endpoint import Endpoint, endpoint
from failover.model import Probe
from failover.probe_errors import is_lack

PORTS: Final = {"http": 80, "https": 443, "tls": 443}

WAIT_SHARE: Final = 0.8  # of the probe's time, for a resolver: what others say is heard by then

_ADDRESSES: Final = (dns.rdatatype.A, dns.rdatatype.AAAA)


async def ask_names(probe: Probe) -> None:
    """Resolve a name by every resolver at once; most that answer must find the right addresses.

    A resolver that is silent shows nothing of the name, unless all are.
    """
    servers = [endpoint(each) for each in probe.resolvers or _system_resolvers()]
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(_hear(probe, at)) for at in servers]
    said = [each.result() for each in asked]
    heard = [each for each in said if each.has_answered] or said
    failed = [each.why for each in heard if each.why]
    if 2 * len(failed) >= len(heard):
        raise ProbeFailedError("; ".join(failed) or "there is no resolver")


class _Said(NamedTuple):
    """What one resolver made of a name."""

    why: str  # it is no use; nothing if one of its addresses is right
    has_answered: bool = True


async def _hear(probe: Probe, at: Endpoint) -> _Said:
    """What a resolver says, if it does in time. Raises OSError for what this machine lacks."""
    try:
        async with asyncio.timeout(WAIT_SHARE * probe.timeout_s):
            return _Said(await _ask_name(probe, at.host, at.port))
    except TimeoutError:
        return _Said(f"{at.host} does not answer", has_answered=False)
    except (OSError, EOFError) as error:
        if is_lack(error):
            raise
        return _Said(f"{at.host}: {str(error) or type(error).__name__}", has_answered=False)
    except (dns.exception.DNSException, ValueError) as error:
        return _Said(f"{at.host}: {str(error) or type(error).__name__}")


async def _ask_name(probe: Probe, host: str, port: int) -> str:
    """What is wrong with a resolver's answer; nothing if one of its addresses is right."""
    name = probe.host_header.rstrip(".") + "."
    found: list[str] = []
    for kind in _ADDRESSES:
        query = dns.message.make_query(name, kind)
        answer, _ = await dns.asyncquery.udp_with_fallback(query, host, port=port)
        if answer.rcode() != dns.rcode.NOERROR:
            return f"{host} says {dns.rcode.to_text(answer.rcode())}"
        found += [
            each.to_text()
            for rrset in answer.answer
            for each in rrset
            if rrset.rdtype in _ADDRESSES
        ]
        if found and (not probe.answers or set(found) & set(probe.answers)):
            return ""
    return f"{host} says {', '.join(found)}" if found else f"{host} knows no address"


def _system_resolvers() -> list[str]:
    return [str(each) for each in dns.resolver.get_default_resolver().nameservers]


async def ask_connection(probe: Probe) -> None:
    """Connect, and no more."""
    parts = urlsplit(probe.url)
    _, writer = await asyncio.open_connection(parts.hostname, parts.port or PORTS[parts.scheme])
    writer.transport.abort()


async def ask_certificate(probe: Probe) -> None:
    """Shake hands; the certificate must be good, and stay so for a while."""
    parts = urlsplit(probe.url)
    name = probe.host_header.partition(":")[0] or parts.hostname
    _, writer = await asyncio.open_connection(
        parts.hostname,
        parts.port or PORTS[parts.scheme],
        ssl=trusting(probe.ca_file),
        server_hostname=name,
    )
    try:
        certificate = writer.get_extra_info("peercert")
    finally:
        writer.transport.abort()
    left_s = ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()
    if left_s < probe.expires_s:
        raise ProbeFailedError(f"the certificate ends in {left_s / 86_400.0:.1f} days")


@lru_cache(maxsize=16)
def trusting(ca_file: str) -> ssl.SSLContext:
    """Return a context that trusts the authorities of a file, or the system's. Raises OSError."""
    return ssl.create_default_context(cafile=ca_file or None)
