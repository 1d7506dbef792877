"""Names at DNS providers: what a drill leaves out, and what a new decision cuts short."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from failover import dns_following
from failover.decision import Choice, Decision
from failover.dns_asking import Asker
from failover.dns_contract import ApiHealth, DnsAdapter
from failover.dns_errors import WrongZoneError
from failover.dns_following import DnsFollower
from failover.dns_seen import Seen, Subject
from failover.dns_watching import Watcher
from failover.model import EVERYWHERE, DnsSettings, Record, Service
from failover.rrsets import RRsets, rrset
from tests.support.failover import target

NAME = "media.example.org."
ZONE = "example.org."


class Refusing:
    """A provider that knows no zone, and counts how often it was asked."""

    ttl_min_s = 1

    def __init__(self, provider: str) -> None:
        self.provider, self.asked = provider, 0

    async def read(self, zone: str, name: str) -> Any:
        self.asked += 1
        raise WrongZoneError(self.provider, zone, name, "no such zone")

    async def check(self, zone: str) -> Any:
        """The daily look, which no drill changes."""
        raise WrongZoneError(self.provider, zone, "", "no such zone")


class Changing:
    """A provider that does what it is told."""

    ttl_min_s = 1

    def __init__(self) -> None:
        self.found: RRsets = ()
        self.values: list[str] = []

    async def read(self, zone: str, name: str) -> RRsets:
        return self.found

    async def replace(self, zone: str, name: str, expected: RRsets, wanted: RRsets) -> bool:
        is_new, self.found = self.found != wanted, wanted
        self.values += wanted[0].values
        return is_new

    async def check(self, zone: str) -> ApiHealth:
        return ApiHealth(zone_said=zone)


class NeverRead:
    """Servers of which no one ever answers."""

    def __init__(self) -> None:
        self.is_asked, self.ended = asyncio.Event(), 0

    async def read_back(self, *_: Any, **__: Any) -> Any:
        self.is_asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended += 1


class AllAgree:
    """Servers that answer as is wanted."""

    async def read_back(self, about: Subject, *_: Any, **__: Any) -> list[Seen]:
        return [Seen(server="ns", after_s=0.0, found=about.wanted, agrees=True)]


def follower_of(provider: Any, watcher: Any, **more: Any) -> DnsFollower:
    dns = DnsSettings(name=NAME, zone=ZONE, providers=("one",))
    targets = tuple(
        target(name, records=(Record(type="A", values=(f"192.0.2.{number}",)),))
        for number, name in enumerate("ab", 1)
    )
    return DnsFollower(
        [Service(name="media", targets=targets, dns=dns)],
        {"one": (provider, ())},
        watcher,
        **{"may_act": lambda _: True, "told": lambda _: None, **more},
    )


def decided(number: int, first: str) -> Decision:
    order = ("a", "b") if first == "a" else ("b", "a")
    choice = Choice(service="media", region=EVERYWHERE, order=order, shares=((first, 1.0),))
    return Decision(epoch=1, number=number, choices=(choice,))


async def until(claim: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not claim():  # noqa: ASYNC110 what it waits for tells nobody
            await asyncio.sleep(0.01)


async def test_a_new_decision_does_not_wait_until_the_old_one_is_read_back() -> None:
    provider, servers = Changing(), NeverRead()
    follower = follower_of(provider, servers)
    running = asyncio.create_task(follower.run())
    follower.follow(decided(1, "a"))
    await until(servers.is_asked.is_set)
    follower.follow(decided(2, "b"))
    await until(lambda: provider.values == ["192.0.2.1", "192.0.2.2"])
    assert servers.ended == 1  # by being ended: it never is by itself
    running.cancel()


async def test_who_leads_again_looks_at_what_it_has_done_before() -> None:
    """Another one may have led meanwhile, moved half of the names back and forth, and be dead."""
    provider, servers = Changing(), NeverRead()
    follower = follower_of(provider, servers)
    running = asyncio.create_task(follower.run())
    follower.follow(decided(1, "a"))
    await until(lambda: provider.values == ["192.0.2.1"])
    provider.found = ()  # by another one
    follower.forget()
    follower.follow(decided(1, "a"))
    await until(lambda: provider.values == ["192.0.2.1", "192.0.2.1"])
    running.cancel()


async def test_what_somebody_changes_by_hand_while_all_is_frozen_stays(monkeypatch: Any) -> None:
    """It was changed back within a minute."""
    monkeypatch.setattr(dns_following, "LOOK_AGAIN_S", 0.01)
    provider, frozen, in_force = Changing(), False, 0

    def told(progress: Any) -> None:
        nonlocal in_force
        in_force += progress.state == "in force"

    follower = follower_of(provider, AllAgree(), told=told, is_frozen=lambda _: frozen)
    running = asyncio.create_task(follower.run())
    follower.follow(decided(1, "a"))
    await until(lambda: in_force == 1)
    frozen = True
    await asyncio.sleep(0)
    provider.found = by_hand = (rrset("A", 60, ["192.0.2.99"]),)
    for _ in range(20):
        await asyncio.sleep(0.01)
    assert provider.found is by_hand
    follower.follow(decided(2, "b"))  # an order moves it all the same
    await until(lambda: in_force == 2)
    provider.found, frozen = by_hand, False
    await until(lambda: provider.found[0].values == ("192.0.2.2",))
    running.cancel()


async def test_who_may_act_only_in_a_while_does_so_soon(monkeypatch: Any) -> None:
    """An order without a controller, given a moment after one was heard, took a minute more."""
    monkeypatch.setattr(dns_following, "AGAIN_S", 0.01)
    provider, may_act, refused = Changing(), False, 0

    def asked(_: tuple[int, int]) -> bool:
        nonlocal refused
        refused += not may_act
        return may_act

    follower = follower_of(provider, AllAgree(), may_act=asked)
    running = asyncio.create_task(follower.run())
    follower.follow(decided(1, "a"))
    await until(lambda: refused > 0)
    assert not provider.values
    may_act = True
    follower.follow(decided(1, "a"))  # it is no news
    await until(lambda: provider.values == ["192.0.2.1"])
    running.cancel()


async def test_a_drilled_api_is_not_asked() -> None:
    providers = {name: Refusing(name) for name in ("one", "two")}
    dns = DnsSettings(name=NAME, zone=ZONE, providers=tuple(providers))
    records = (Record(type="A", values=("192.0.2.1",)),)
    media = Service(name="media", targets=(target("a", records=records),), dns=dns)
    heard = asyncio.Event()
    follower = DnsFollower(
        [media],
        {name: (cast("DnsAdapter", each), ()) for name, each in providers.items()},
        Watcher(asker=Asker()),
        may_act=lambda _: True,
        told=lambda progress: heard.set() if progress.state == "failed" else None,
        is_drilled=lambda name: name == "media",
    )
    choice = Choice(service="media", region=EVERYWHERE, order=("a",), shares=(("a", 1.0),))
    follower.follow(Decision(epoch=1, number=1, choices=(choice,)))
    running = asyncio.create_task(follower.run())
    async with asyncio.timeout(30):
        await heard.wait()
    running.cancel()
    first, second = follower.progress
    assert (first.state, first.why) == ("failed", "drill: its API is taken not to answer")
    assert providers["one"].asked == 0
    assert providers["two"].asked >= 1
    assert "no such zone" in second.why
