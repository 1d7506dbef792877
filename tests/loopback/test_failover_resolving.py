"""What the network says that things depend on: names, their zones' servers, and where these are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from failover import resolving
from failover.model import Dependency, Host, Model, Provider, Service, Target, Vantage
from failover.resolving import Seen, look

OWN, CDN = Dependency(provider="own"), Dependency(provider="cdn")
SOA = "ns.own.test. admin.own.test. 1 3600 600 86400 60"
NAMES = {  # what a resolver answers: (name, type): values
    ("console.own.test.", "A"): ["192.0.2.1"],
    ("own.test.", "SOA"): [SOA],
    ("own.test.", "NS"): ["ns.own.test.", "lost.own.test."],
    ("ns.own.test.", "A"): ["198.51.100.53"],
    ("steer.named.test.", "CNAME"): ["x.cdn.test."],
    ("x.cdn.test.", "A"): ["203.0.113.7"],
    ("named.test.", "SOA"): [SOA],
    ("named.test.", "NS"): ["ns.elsewhere.test."],
    ("cdn.test.", "SOA"): [SOA],
    ("cdn.test.", "NS"): ["ns.cdn.test."],
}


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    monkeypatch.setattr(resolving, "ANSWER_S", 30.0)


class Resolver(asyncio.DatagramProtocol):
    """Answers from the table; says nothing about what is silent, and nonsense about the rest."""

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        query = dns.message.from_wire(data)
        (asked,) = query.question
        name, kind = str(asked.name), dns.rdatatype.to_text(asked.rdtype)
        if name.startswith("silent."):
            return
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        if name.startswith("none."):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        if (name, "CNAME") in NAMES and kind in {"A", "AAAA"}:
            found = NAMES[name, "CNAME"]
            answer.answer.append(dns.rrset.from_text_list(name, 5, "IN", "CNAME", found))
            name = found[0]
        if (name, kind) in NAMES:
            answer.answer.append(dns.rrset.from_text_list(name, 5, "IN", kind, NAMES[name, kind]))
        self.transport.sendto(answer.to_wire(), addr)


@asynccontextmanager
async def resolver() -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Resolver, ("127.0.0.1", 0))
    try:
        yield f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    finally:
        transport.close()


async def seen_of(*hosts: str, **marks: tuple[str, ...]) -> Seen:
    target = Target(name="a", needs=CDN, probes=())
    model = Model(
        services=(Service(name="media", targets=(target,)),),
        vantages=(Vantage(name="m1", region="north", url="http://127.0.0.1", needs=OWN),),
        providers=(Provider(name="cdn", **marks),),
        hosts=tuple(Host(name=each, url=f"https://{each}/", needs=OWN) for each in hosts),
    )
    async with resolver() as address:
        return await look(model, [address])


@pytest.mark.parametrize(
    ("host", "marks", "how"),
    [
        ("console.own.test", {"networks": ("192.0.2.0/24",)}, "is at 192.0.2.1"),
        (
            "console.own.test",
            {"networks": ("198.51.100.0/24",)},
            "is answered for by ns.own.test at 198.51.100.53",
        ),
        ("steer.named.test", {"domains": ("cdn.test",)}, "leads to x.cdn.test"),
        ("steer.named.test", {"networks": ("203.0.113.0/24",)}, "is at 203.0.113.7"),
        ("steer.named.test", {"domains": ("elsewhere.test",)}, "leads to ns.elsewhere.test"),
    ],
)
async def test_a_host_depends_on_who_answers_for_it_and_where_they_are(host, marks, how):
    seen = await seen_of(host, **marks)
    assert seen.providers[f"host/{host}"] == {"cdn": f"{host} {how}"}
    assert seen.unresolved == ()


async def test_what_cannot_be_resolved_is_said(monkeypatch):
    long = ".".join(["n" * 63] * 5)
    seen = await seen_of("none.own.test", long)
    none, other = seen.unresolved
    assert none == ("host/none.own.test", "none.own.test: no such name")
    assert other[1].startswith(f"{long}: ")
    monkeypatch.setattr(resolving, "ANSWER_S", 0.1)
    seen = await seen_of("silent.own.test")
    assert seen.unresolved[0][1] == "silent.own.test: no answer within 0.1 s"


@pytest.mark.parametrize("error", [OSError(101, "Network is unreachable"), EOFError()])
async def test_a_resolver_that_cannot_be_asked_is_told(monkeypatch, error):
    """It ended the command, and nobody knew what was refused."""

    async def raises(*_, **__):
        raise error

    monkeypatch.setattr("dns.asyncresolver.Resolver.resolve", raises)
    seen = await seen_of("console.own.test")
    assert seen.unresolved[0][1].startswith("console.own.test: ")


@pytest.mark.parametrize("address", ["resolver.example", "127.0.0.1:99999", ""])
async def test_a_resolver_is_an_address(address):
    with pytest.raises(ValueError, match=r"HOST:PORT|address"):
        await look(Model(services=(), vantages=()), [address])
