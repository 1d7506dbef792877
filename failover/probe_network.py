"""Probes of names, connections and certificates: what must work before anything is asked."""

from __future__ import annotations

import asyncio
import ssl
import time
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

import dns.asyncquery
import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver

from failover.answer import ProbeFailedError
from failover.endpoint import endpoint
from failover.model import Probe
from failover.probe_errors import is_lack

PORTS: Final = {"http": 80, "https": 443, "tls": 443}

_ADDRESSES: Final = (dns.rdatatype.A, dns.rdatatype.AAAA)


async def ask_names(probe: Probe) -> None:
    """Resolve a name by every resolver at once; most of them must find the right addresses."""
    servers = [endpoint(each) for each in probe.resolvers or _system_resolvers()]
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(_ask_name(probe, at.host, at.port)) for at in servers]
    failed = [each.result() for each in asked if each.result()]
    if 2 * len(failed) >= len(servers):
        raise ProbeFailedError("; ".join(failed) or "there is no resolver")


async def _ask_name(probe: Probe, host: str, port: int) -> str:
    """What is wrong with a resolver's answer; nothing if one of its addresses is right.

    Raises OSError for what this machine lacks.
    """
    name = probe.host_header.rstrip(".") + "."
    found: list[str] = []
    try:
        for kind in _ADDRESSES:
            query = dns.message.make_query(name, kind)
            answer, _ = await dns.asyncquery.udp_with_fallback(
                query, host, timeout=probe.timeout_s, port=port
            )
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
    except dns.exception.Timeout:
        return f"{host} does not answer"
    except (dns.exception.DNSException, OSError, EOFError, ValueError) as error:
        if is_lack(error):
            raise
        return f"{host}: {str(error) or type(error).__name__}"
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
