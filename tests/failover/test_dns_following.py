"""A drill takes the first DNS provider's API not to answer: it is not asked, the other one is."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from failover.decision import Choice, Decision
from failover.dns_asking import Asker
from failover.dns_contract import DnsAdapter
from failover.dns_errors import WrongZoneError
from failover.dns_following import DnsFollower
from failover.dns_watching import Watcher
from failover.model import EVERYWHERE, DnsSettings, Record, Service
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
