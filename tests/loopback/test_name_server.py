"""Our own name server with real peers: dig and kdig ask it, knot is its secondary and primary."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import dns.name
import pytest
import pytest_asyncio

from failover.decision import Choice, Decision
from failover.dns_answering import Answerer
from failover.dns_asking import Asker, NoAnswerError
from failover.dns_changing import set_records
from failover.dns_dispatch import Dispatcher
from failover.dns_rfc2136 import Rfc2136Adapter, tsig_key
from failover.dns_seen import Seen, Subject
from failover.dns_watching import Watcher
from failover.endpoint import Endpoint
from failover.model import EVERYWHERE, Dependency, DnsSettings, Record, Service, Target
from failover.name_server import ServerPolicy, name_server
from failover.own_dns import OwnDnsSettings, own_dns
from failover.response_rate import RatePolicy
from failover.rrsets import rrset
from failover.service_zone import ServiceZone
from failover.zone_file import parse_zone
from failover.zone_primary import Primary, Secondaries
from failover.zone_secondary import Secondary
from tests.support import knots
from tests.support.ports import own_port

KEY = tsig_key(knots.KEY)
ORIGIN = dns.name.from_text(knots.ZONE)
NAME = "media.edge.test."
PATIENT = Asker(timeout_s=20.0)
DEADLINE_S = 30.0
HOST = "127.0.0.1"
BIG = "".join(f'big  TXT "{number:0200}"\n' for number in range(300))
BASE = parse_zone(knots.ZONE_FILE + BIG, knots.ZONE, "edge.zone")
FIRST = (rrset("A", 60, ["192.0.2.1"]),)
SECOND = (rrset("A", 60, ["192.0.2.2"]),)


def media() -> Service:
    targets = tuple(
        Target(
            name=name,
            needs=Dependency(provider=name),
            probes=(),
            records=(Record(type="A", values=(address,)),),
        )
        for name, address in (("first", "192.0.2.1"), ("second", "192.0.2.2"))
    )
    settings = DnsSettings(name=NAME, zone=knots.ZONE, providers=("own",))
    return Service(name="media", targets=targets, dns=settings)


def decided(target: str, number: int = 1) -> Decision:
    choice = Choice(
        service="media", region=EVERYWHERE, order=("first", "second"), shares=((target, 1.0),)
    )
    return Decision(epoch=1, number=number, choices=(choice,))


@dataclass
class Ours:
    place: Endpoint
    dispatcher: Dispatcher

    @property
    def answerer(self) -> Answerer:
        return self.dispatcher.answerer


@asynccontextmanager
async def ours(policy: ServerPolicy | None = None, **more: Any) -> AsyncIterator[Ours]:
    dispatcher = Dispatcher(
        answerer=Answerer(), keys={KEY.name: KEY}, transfer_keys=frozenset({KEY.name}), **more
    )
    listen = Endpoint(HOST, own_port())
    async with name_server(listen, dispatcher, policy or ServerPolicy()) as place:
        yield Ours(place, dispatcher)


def primary_of(server: Ours, *secondaries: Endpoint) -> Primary:
    return Primary(
        ServiceZone(base=BASE, services=(media(),)),
        answerer=server.answerer,
        secondaries=Secondaries(servers=secondaries, key=KEY),
        asker=PATIENT,
    )


def remote(place: Endpoint) -> str:
    """What knot's configuration says of ours."""
    address = f"{place.host}@{place.port}"
    return f"remote:\n  - id: ours\n    address: {address}\n    key: controller.\n"


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Ours]:
    async with ours() as running:
        primary_of(running).follow(decided("first"))
        yield running


async def ran(*argv: str) -> str:
    """What a command prints."""
    process = await asyncio.create_subprocess_exec(
        *argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    out, _ = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    return out.decode()


async def dig(server: Ours, *words: str, tool: str = "dig") -> str:
    port = str(server.place.port)
    return await ran(tool, f"@{HOST}", "-p", port, "+timeout=10", "+retry=2", *words)


async def eventually(claim: Callable[[], Any]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not claim():  # noqa: ASYNC110 - many things are waited for
            await asyncio.sleep(0.01)


async def answers(place: Endpoint, wanted: Iterable[Any], asker: Asker = PATIENT) -> None:
    """Wait until a server says what is wanted."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                if await asker.rrsets(place, NAME) == tuple(wanted):
                    return
            except NoAnswerError:
                pass
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("tool", ["dig", "kdig"])
async def test_real_clients_understand_it(server, tool):
    text = await dig(server, "MeDia.edge.test", "A", "+norecurse", tool=tool)
    assert "status: NOERROR" in text
    assert " aa" in text
    assert "192.0.2.1" in text
    assert ("MeDia.edge.test" if tool == "dig" else "media.edge.test") in text  # kdig writes small
    assert "warning" not in text.lower()
    text = await dig(server, "nobody.edge.test", "A", tool=tool)
    assert "NXDOMAIN" in text
    assert "REFUSED" in await dig(server, "other.test", "A", tool=tool)
    assert "RFC8482" in await dig(server, "media.edge.test", "ANY", "+notcp", tool=tool)


async def test_what_is_cut_off_by_udp_comes_by_tcp(server):
    text = await dig(server, "big.edge.test", "TXT", "+bufsize=1232", "+ignore")
    assert " tc" in text
    text = await dig(server, "big.edge.test", "TXT", "+bufsize=1232", tool="kdig")
    assert text.count('"0000') == 300


async def test_kdig_transfers_with_the_key_and_not_without(server):
    text = await dig(server, "edge.test", "AXFR", "-y", knots.KEY, tool="kdig")
    assert text.count('"0000') == 300
    assert "192.0.2.1" in text
    assert text.count("SOA") == 2
    text = await dig(server, "edge.test", "AXFR", tool="kdig")
    assert "REFUSED" in text
    wrong = knots.KEY.replace("c2Vj", "d3Jv")
    assert "BADSIG" in await dig(server, "edge.test", "AXFR", "-y", wrong, tool="kdig")
    wrong = knots.KEY.replace("controller", "nobody")
    assert "BADKEY" in await dig(server, "edge.test", "SOA", "-y", wrong, tool="dig")


async def test_knot_as_secondary_hears_of_each_change_at_once():
    listen = Endpoint(HOST, own_port())
    remotes = remote(listen)
    with knots.knot("", "    master: ours\n", remotes) as knot:
        settings = OwnDnsSettings(listen=listen, zones=[BASE], notify=[knot.server], key=KEY)
        async with own_dns(settings, [media()], decision=decided("first"), asker=PATIENT) as own:
            await answers(knot.server, FIRST)
            assert own.follow(decided("second", 2))
            assert not own.follow(decided("second", 3))
            await answers(knot.server, SECOND)
            assert own.counts.transfers >= 2
            assert own.serials()["edge.test."] is not None


async def test_ours_follows_knot_as_secondary():
    listen = Endpoint(HOST, own_port())
    with knots.knot(options="    notify: ours\n", remotes=remote(listen)) as knot:
        settings = OwnDnsSettings(listen=listen, followed=[(ORIGIN, knot.server)], key=KEY)
        async with own_dns(settings, [media()], asker=PATIENT) as own:
            await answers(own.place, (rrset("A", 60, ["192.0.2.1", "192.0.2.2"]),))
            adapter = Rfc2136Adapter(provider="knot", server=knot.server, key=KEY, asker=PATIENT)
            await set_records(adapter, knots.ZONE, NAME, SECOND, within_s=DEADLINE_S)
            await answers(own.place, SECOND)
            assert own.counts.notified >= 1


async def test_a_copy_is_used_while_its_primary_is_gone_and_then_no_more():
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(ours())
        knot = stack.enter_context(knots.knot())
        asker = Asker(timeout_s=2.0)
        secondary = Secondary(ORIGIN, knot.server, KEY, answerer=server.answerer, asker=asker)
        with pytest.raises(NoAnswerError, match="SERVFAIL"):
            await PATIENT.rrsets(server.place, NAME)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        task = group.create_task(secondary.run())
        await answers(server.place, (rrset("A", 60, ["192.0.2.1", "192.0.2.2"]),))
        knot.process.kill()
        knot.process.wait()
        secondary.notified()  # it asks, and nobody is there
        zone = secondary.zone
        assert zone is not None
        assert (await PATIENT.rrsets(server.place, NAME)) != ()
        over = zone.soa.replace(refresh=0, retry=1, expire=0)
        secondary._refresh = secondary._refresh.confirmed(over, 0.0)
        secondary.notified()
        await eventually(lambda: secondary.zone is None)
        with pytest.raises(NoAnswerError, match="SERVFAIL"):
            await PATIENT.rrsets(server.place, NAME)
        task.cancel()


async def test_nothing_is_followed_without_a_key():
    settings = OwnDnsSettings(
        listen=Endpoint(HOST, 0), followed=[(ORIGIN, Endpoint("192.0.2.1", 53))]
    )
    with pytest.raises(ValueError, match="TSIG key"):
        async with own_dns(settings, []):
            pass


async def test_split_answers_are_named_until_all_servers_have_come_round(server):
    slow_primary = primary_of(server)
    async with ours() as other:
        primary_of(other).follow(decided("second"))
        heard: list[Seen] = []
        about = Subject(provider="own", zone=knots.ZONE, name=NAME, wanted=SECOND)
        watcher = Watcher(asker=PATIENT, servers_every_s=0.02)
        places = [server.place, other.place]
        seen = await watcher.read_back(about, places, heard.append, within_s=0.1)
        complaint = about.complaint_of_servers(seen)
        assert complaint is not None
        assert str(server.place) in str(complaint)
        assert str(other.place) not in str(complaint)

        def told(news: Seen) -> None:
            heard.append(news)
            if news.server == str(server.place) and not news.agrees:
                slow_primary.follow(decided("second"))

        heard.clear()
        seen = await watcher.read_back(about, places, told, within_s=DEADLINE_S)
        assert about.complaint_of_servers(seen) is None
        assert [each.agrees for each in heard if each.server == str(server.place)] == [False, True]


async def test_a_resolver_is_watched_until_it_has_the_new_records(server):
    """Its answers need no authority; one that is away is named."""
    about = Subject(provider="own", zone=knots.ZONE, name=NAME, wanted=FIRST)
    watcher = Watcher(asker=Asker(timeout_s=0.5), resolvers_every_s=0.02)
    away = Endpoint(HOST, own_port())
    heard: list[Seen] = []
    seen = await watcher.watch_resolvers(about, [server.place], heard.append, old_ttl_s=60.0)
    assert about.complaint_of_resolvers(seen) is None
    seen = await watcher.watch_resolvers(about, [away], heard.append, old_ttl_s=-5.0)
    assert about.complaint_of_resolvers(seen).word == "resolver-unreachable"
    assert str(away) in str(about.complaint_of_resolvers(seen))


async def test_who_asks_too_often_is_sent_to_tcp():
    policy = ServerPolicy(rate=RatePolicy(per_s=0.001, burst=1.0, slip=1))
    async with ours(policy) as server:
        primary_of(server).follow(decided("first"))
        first = await dig(server, "media.edge.test", "A", "+ignore")
        assert "192.0.2.1" in first
        assert " tc" in await dig(server, "media.edge.test", "A", "+ignore")
        assert "192.0.2.1" in await dig(server, "media.edge.test", "A")
        assert server.dispatcher.counts.limited == 2


async def test_connections_are_bounded_in_number_and_time():
    policy = ServerPolicy(connections_max=1, idle_s=0.2)
    async with ours(policy) as server:
        reader, writer = await asyncio.open_connection(HOST, server.place.port)
        query = bytes.fromhex("000100000001000000000000046564676504746573740000060001")
        primary_of(server).follow(decided("first"))
        writer.write((len(query).to_bytes(2, "big") + query) * 2)  # two at once (RFC 7766 §6.2.1.1)
        for _ in range(2):
            length = int.from_bytes(await reader.readexactly(2), "big")
            assert (await reader.readexactly(length))[:2] == query[:2]
        other, other_writer = await asyncio.open_connection(HOST, server.place.port)
        with suppress(ConnectionResetError):
            assert await asyncio.wait_for(other.read(), DEADLINE_S) == b""
        assert await asyncio.wait_for(reader.read(), DEADLINE_S) == b""  # it was idle
        for each in (writer, other_writer):
            each.close()
        assert server.dispatcher.counts.crowded == 1
        await eventually(lambda: server.dispatcher.counts.answered == 2)


async def test_a_server_that_answers_nothing_is_unreachable_within_the_time():
    silent = Endpoint(HOST, own_port())
    about = Subject(provider="own", zone=knots.ZONE, name=NAME, wanted=FIRST)
    watcher = Watcher(asker=replace(PATIENT, timeout_s=0.2), servers_every_s=0.02)
    seen = await watcher.read_back(about, [silent], lambda _: None, within_s=0.1)
    assert about.complaint_of_servers(seen).word == "servers-unreachable"
