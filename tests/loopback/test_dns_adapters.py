"""One contract, four interfaces: knot, PowerDNS, moto's Route 53, a stand-in for Cloudflare."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
import pytest_asyncio
from octodns.record import Record as OctoRecord
from octodns.zone import Zone
from octodns_cloudflare import CloudflareProvider

from failover.dns_adapters import DnsClients, adapter
from failover.dns_asking import Asker
from failover.dns_changing import set_records, set_ttl
from failover.dns_contract import DnsAdapter
from failover.dns_errors import (
    ConflictError,
    DnsError,
    RateLimitedError,
    RefusedError,
    UnreachableError,
    WrongKeyError,
    WrongZoneError,
)
from failover.dns_http import Subject
from failover.model import Dependency, DnsKind, DnsProvider, Record
from failover.rrsets import RRsets, rrset, rrsets, with_ttl
from tests.support import cloudflare_dns, knots, powerdns
from tests.support.cloudflare_dns import CloudflareDns
from tests.support.ports import own_port
from tests.support.route53 import SECRET, RunningRoute53, route53
from tests.support.served import served

ZONE, NAME = "edge.test.", "media.edge.test."
FIRST = (rrset("A", 60, ["192.0.2.1", "192.0.2.2"]),)
SECOND = rrsets([Record(type="A", values=("198.51.100.7",))], 60)
BOTH = rrsets(
    [
        Record(type="A", values=("198.51.100.7",)),
        Record(type="AAAA", values=("2001:DB8:0::7", "2001:db8::8")),
    ],
    120,
)
ALIAS = rrsets([Record(type="CNAME", values=("Media.Provider.example",))], 60)


@dataclass
class Place:
    """A provider, and how a test may disturb it."""

    provider: DnsProvider
    secret: str
    wrong_secret: str
    away: dict[str, str]  # fields of the provider's with which nobody is reached


def _provider(kind: DnsKind, **fields: Any) -> DnsProvider:
    return DnsProvider(name=kind.value, kind=kind, needs=Dependency(provider="other"), **fields)


@pytest.fixture(scope="module")
def knot_place() -> Iterator[Place]:
    with knots.knot() as running:
        yield Place(
            _provider(DnsKind.RFC2136, server=str(running.server)),
            knots.KEY,
            knots.KEY.replace("c2Vj", "d3Jv"),
            {"server": f"127.0.0.1:{own_port()}"},
        )


@pytest.fixture(scope="module")
def powerdns_place() -> Iterator[Place]:
    with powerdns.powerdns() as running:
        yield Place(
            _provider(DnsKind.POWERDNS, api=running.api),
            powerdns.API_KEY,
            "wrong",
            {"api": f"http://127.0.0.1:{own_port()}"},
        )


@pytest.fixture(scope="module")
def hosted_zone() -> Iterator[RunningRoute53]:
    with pytest.MonkeyPatch.context() as patch, route53(patch) as running:
        running.put(NAME, "TXT", 60, ['"of somebody else"'])
        yield running


@pytest.fixture(scope="module")
def route53_place(hosted_zone: RunningRoute53) -> Place:
    return Place(
        _provider(DnsKind.ROUTE53, api=hosted_zone.api, zone_id=hosted_zone.zone_id),
        SECRET,
        "",
        {"api": f"http://127.0.0.1:{own_port()}"},
    )


@pytest.fixture(scope="module")
def cloudflare() -> Iterator[tuple[CloudflareDns, str]]:
    account = CloudflareDns()
    account.add("media.edge.test", "TXT", '"of somebody else"')
    with served(account.app()) as url:
        yield account, f"{url}/client/v4"


@pytest.fixture(scope="module")
def cloudflare_place(cloudflare: tuple[CloudflareDns, str]) -> Place:
    return Place(
        _provider(DnsKind.CLOUDFLARE, api=cloudflare[1], zone_id=cloudflare_dns.ZONE_ID),
        cloudflare_dns.TOKEN,
        "wrong",
        {"api": f"http://127.0.0.1:{own_port()}"},
    )


ALL = ["knot", "powerdns", "route53", "cloudflare"]


@pytest.fixture(params=ALL)
def place(request: pytest.FixtureRequest) -> Place:
    return request.getfixturevalue(f"{request.param}_place")


Make = Callable[..., DnsAdapter]


@pytest_asyncio.fixture
async def make() -> AsyncIterator[Make]:
    """Builds adapters; every wait is long enough for a busy machine."""
    async with httpx.AsyncClient() as http:

        def made(
            place: Place, secret: str | None = None, patience_s: float = 20.0, **fields: str
        ) -> DnsAdapter:
            clients = DnsClients(http=http, asker=Asker(timeout_s=patience_s), timeout_s=patience_s)
            provider = replace(place.provider, **fields)
            return adapter(provider, place.secret if secret is None else secret, clients)

        yield made


@pytest_asyncio.fixture
async def dns(place: Place, make: Make) -> DnsAdapter:
    """A provider whose name has the first records, and another's TXT."""
    one = make(place)
    await set_records(one, ZONE, NAME, FIRST, within_s=60.0)
    return one


async def test_it_reads_what_a_name_has(dns):
    assert await dns.read(ZONE, NAME) == FIRST
    assert await dns.read(ZONE, "nobody.edge.test.") == ()


@pytest.mark.parametrize("wanted", [SECOND, BOTH, ALIAS, ()], ids=["a", "both", "cname", "none"])
async def test_a_change_is_made_once_and_can_be_undone(dns, wanted):
    if wanted == ALIAS:  # beside which nothing else may stand
        name, before = "alias.edge.test.", FIRST
        await set_records(dns, ZONE, name, before, within_s=60.0)
    else:
        name, before = NAME, FIRST
    assert await dns.replace(ZONE, name, before, wanted) is True
    assert await dns.read(ZONE, name) == wanted
    assert await dns.replace(ZONE, name, before, wanted) is False
    assert await dns.replace(ZONE, name, wanted, before) is True
    assert await dns.read(ZONE, name) == before


async def test_records_that_somebody_else_changed_are_left_alone(dns):
    with pytest.raises(ConflictError) as caught:
        await dns.replace(ZONE, NAME, SECOND, ALIAS)
    assert "192.0.2.1" in str(caught.value)
    with pytest.raises(ConflictError):
        await dns.replace(ZONE, NAME, (), SECOND)
    assert await dns.read(ZONE, NAME) == FIRST


async def test_a_ttl_is_shortened_and_the_values_stay(dns):
    changed = await set_ttl(dns, ZONE, NAME, 20, within_s=60.0)
    shortened = with_ttl(FIRST, max(20, dns.ttl_min_s))
    assert changed.after == shortened
    assert changed.acted is (shortened != FIRST)
    assert await dns.read(ZONE, NAME) == shortened
    assert (await set_ttl(dns, ZONE, NAME, 20, within_s=60.0)).acted is False
    # A switch that was planned before does not mind.
    assert await dns.replace(ZONE, NAME, FIRST, SECOND) is True


@pytest.mark.parametrize("kind", ["knot", "powerdns"])
async def test_an_alias_beside_other_records_is_refused_and_nothing_lost(kind, request, make):
    dns = make(request.getfixturevalue(f"{kind}_place"))
    await set_records(dns, ZONE, NAME, FIRST, within_s=60.0)
    with pytest.raises(RefusedError, match="CNAME"):
        await dns.replace(ZONE, NAME, FIRST, ALIAS)
    assert await dns.read(ZONE, NAME) == FIRST


async def test_the_daily_look(dns, place):
    found = await dns.check(ZONE)
    assert place.secret.rpartition(":")[2] not in f"{found}{dns}"
    assert found.zone_said.rstrip(".") == "edge.test"
    ends_wall = 1_798_761_600.0  # of the stand-in's token; others do not say
    assert found.left_s(ends_wall - 60.0) in {60.0, math.inf}


@pytest.mark.parametrize("kind", ["knot", "powerdns", "cloudflare"])  # moto looks at no signature
async def test_a_wrong_key_is_called_that(kind, request, make):
    place = request.getfixturevalue(f"{kind}_place")
    wrong = make(place, place.wrong_secret)
    for asked in (wrong.check(ZONE), wrong.replace(ZONE, NAME, FIRST, SECOND)):
        with pytest.raises(WrongKeyError) as caught:
            await asked
        assert place.provider.name in str(caught.value)
        assert "credential" in str(caught.value)


async def test_a_wrong_zone_is_called_that(place, make):
    fields = {"zone_id": "0" * 32} if place.provider.zone_id else {}
    for dns in {id(each): each for each in (make(place), make(place, **fields))}.values():
        with pytest.raises(WrongZoneError) as caught:
            await dns.check("other.test.")
        assert "other.test." in str(caught.value)


async def test_nobody_there_is_called_that(place, make):
    dns = make(place, patience_s=0.3, **place.away)
    for asked in (dns.read(ZONE, NAME), dns.replace(ZONE, NAME, FIRST, BOTH), dns.check(ZONE)):
        with pytest.raises(UnreachableError):
            await asked


async def test_knot_refuses_a_key_without_the_right(knot_place, make):
    stranger = make(knot_place, knots.STRANGER)
    with pytest.raises((RefusedError, WrongKeyError)):
        await stranger.check(ZONE)


async def test_knot_does_not_take_a_name_outside_the_zone(knot_place, make):
    with pytest.raises(WrongZoneError):
        await make(knot_place).replace(ZONE, "media.other.test.", (), SECOND)


async def test_powerdns_refuses_what_is_not_in_the_zone(powerdns_place, make):
    with pytest.raises(RefusedError) as caught:
        await make(powerdns_place).replace(ZONE, "media.other.test.", (), SECOND)
    assert "other.test" in str(caught.value)


async def test_route53_refuses_a_batch_that_lost_the_race(route53_place, make, hosted_zone):
    dns = make(route53_place)
    await set_records(dns, ZONE, NAME, FIRST, within_s=60.0)

    async def first_read(*_: str) -> RRsets:
        return FIRST

    hosted_zone.put(NAME, "A", 60, ["203.0.113.9"])
    stale = type("Stale", (type(dns),), {"read": first_read, "__slots__": ()})
    racing = stale(provider=dns.provider, api=dns.api, zone_id=dns.zone_id)
    with pytest.raises(ConflictError) as caught:
        await racing.replace(ZONE, NAME, FIRST, SECOND)
    assert "do not match the current values" in str(caught.value)
    hosted_zone.clear(NAME)
    with pytest.raises(ConflictError):
        await racing.replace(ZONE, NAME, FIRST, SECOND)


async def test_cloudflare_refuses_a_batch_that_lost_the_race(cloudflare_place, make):
    dns = make(cloudflare_place)
    await set_records(dns, ZONE, NAME, FIRST, within_s=60.0)
    found = await dns._find(Subject(provider=dns.provider, zone=ZONE, name=NAME))
    await set_records(dns, ZONE, NAME, SECOND, within_s=60.0)

    async def before(_: Any) -> Any:
        return found

    stale = type("Stale", (type(dns),), {"_find": lambda self, about: before(about)})
    racing = stale(provider=dns.provider, api=dns.api, zone_id=dns.zone_id)
    with pytest.raises(ConflictError) as caught:
        await racing.replace(ZONE, NAME, FIRST, BOTH)
    assert "81044" in str(caught.value)
    assert await dns.read(ZONE, NAME) == SECOND


async def test_cloudflare_limits_how_often_it_is_asked(cloudflare_place, cloudflare, make):
    account, _ = cloudflare
    dns = make(cloudflare_place)
    account.left = 1
    try:
        with pytest.raises(RateLimitedError) as caught:
            await set_records(dns, ZONE, NAME, BOTH, within_s=5.0)
    finally:
        account.left = None
    assert caught.value.retry_after_s == 42.0
    assert "ask again in 42 s" in str(caught.value)


async def test_a_token_that_was_taken_back_is_found_by_the_daily_look(
    cloudflare_place, cloudflare, make
):
    account, _ = cloudflare
    account.token_status = "disabled"
    try:
        with pytest.raises(WrongKeyError, match="disabled"):
            await make(cloudflare_place).check(ZONE)
    finally:
        account.token_status = "active"


def test_the_stand_in_satisfies_another_client_of_the_api(cloudflare, monkeypatch):
    """octoDNS' provider, which works with the real one, reads and changes the same zone."""
    account, url = cloudflare
    monkeypatch.setattr(account, "records", {})
    account.add("other.edge.test", "A", "192.0.2.9")
    account.add("another.edge.test", "A", "192.0.2.8")
    client = CloudflareProvider("test", token=cloudflare_dns.TOKEN, api_url=url, retry_count=0)
    zone = Zone(ZONE, [])
    client.populate(zone)
    found = {each.name: each.values for each in zone.records}
    assert found == {"other": ["192.0.2.9"], "another": ["192.0.2.8"]}
    plan = client.plan(_octodns_zone("192.0.2.10"))
    assert client.apply(plan) == 2
    assert [each["content"] for each in account.records.values()] == ["192.0.2.10"]


def _octodns_zone(address: str) -> Zone:
    zone = Zone(ZONE, [])
    data = {"type": "A", "ttl": 60, "value": address}
    zone.add_record(OctoRecord.new(zone, "other", data))
    return zone


async def test_two_who_switch_at_once_do_not_mix(dns):
    """Of two compare-and-sets from the same records one wins as a whole."""
    results = await asyncio.gather(
        dns.replace(ZONE, NAME, FIRST, SECOND),
        dns.replace(ZONE, NAME, FIRST, BOTH),
        return_exceptions=True,
    )
    found = await dns.read(ZONE, NAME)
    assert found in {SECOND, BOTH}
    for each in results:
        assert each is True or isinstance(each, DnsError), each
