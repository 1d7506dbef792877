"""Our own name server as one thing: zones that follow the decision, zones that follow others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import dns.tsig
from dns.name import Name

from failover.decision import Decision
from failover.dns_answering import Answerer
from failover.dns_asking import Asker
from failover.dns_dispatch import Counts, Dispatcher
from failover.endpoint import Endpoint
from failover.model import Service
from failover.name_server import ServerPolicy, name_server
from failover.service_zone import ServiceZone, services_in
from failover.zone import Zone
from failover.zone_primary import Primary, Secondaries
from failover.zone_secondary import Secondary


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnDnsSettings:
    """Where it listens, what it answers for, and the key that other servers share with it."""

    listen: Endpoint  # port 0: any
    zones: Sequence[Zone] = ()  # ours, each from zone_file.parse_zone
    followed: Sequence[tuple[Name, Endpoint]] = ()  # others' zones, and their primaries
    notify: Sequence[Endpoint] = ()  # secondaries of ours
    key: dns.tsig.Key | None = field(default=None, repr=False)  # dns_rfc2136.tsig_key
    policy: ServerPolicy = field(default_factory=ServerPolicy)


class OwnDns:
    """A running name server. It answers by the last decision, whoever is alive."""

    def __init__(
        self, place: Endpoint, primaries: Sequence[Primary], dispatcher: Dispatcher
    ) -> None:
        self.place = place
        self._primaries, self._dispatcher = primaries, dispatcher

    @property
    def counts(self) -> Counts:
        """What it has done since its start."""
        return self._dispatcher.counts

    def follow(self, decision: Decision | None) -> bool:
        """Answer by a decision from now on, and tell secondaries; say whether anything changed."""
        changed = [primary.follow(decision) for primary in self._primaries]
        return any(changed)

    def serials(self) -> dict[str, int | None]:
        """Each zone's serial; None: it has expired, or never came."""
        zones = self._dispatcher.answerer.zones
        return {str(origin): zone.serial if zone else None for origin, zone in zones.items()}


@asynccontextmanager
async def own_dns(
    settings: OwnDnsSettings,
    services: Sequence[Service],
    *,
    decision: Decision | None = None,
    asker: Asker | None = None,
) -> AsyncIterator[OwnDns]:
    """Run it until the end of the block, at first by the last `decision` that is known.

    Raises OSError when the address is in use, ValueError when a zone is followed without a key.
    """
    asker = asker or Asker()
    answerer = Answerer()
    keys = {} if settings.key is None else {settings.key.name: settings.key}
    if settings.followed and settings.key is None:
        raise ValueError("a zone of others is followed with a TSIG key only")
    secondaries = {
        origin: Secondary(origin, primary, key, answerer=answerer, asker=asker)
        for origin, primary in settings.followed
        for key in keys.values()
    }
    primaries = [_primary(zone, services, settings, answerer, asker) for zone in settings.zones]

    def notified(origin: Name) -> bool:
        secondary = secondaries.get(origin)
        if secondary is not None:
            secondary.notified()
        return secondary is not None

    dispatcher = Dispatcher(
        answerer=answerer, keys=keys, transfer_keys=frozenset(keys), notified=notified
    )
    for primary in primaries:
        primary.follow(decision)
    async with (
        name_server(settings.listen, dispatcher, settings.policy) as place,
        asyncio.TaskGroup() as group,
    ):
        tasks = [group.create_task(each.run()) for each in primaries]
        tasks += [group.create_task(each.run()) for each in secondaries.values()]
        try:
            yield OwnDns(place, primaries, dispatcher)
        finally:
            for task in tasks:
                task.cancel()


def _primary(
    zone: Zone,
    services: Sequence[Service],
    settings: OwnDnsSettings,
    answerer: Answerer,
    asker: Asker,
) -> Primary:
    return Primary(
        ServiceZone(base=zone, services=services_in(zone.origin, services)),
        answerer=answerer,
        secondaries=Secondaries(servers=settings.notify, key=settings.key),
        asker=asker,
    )
