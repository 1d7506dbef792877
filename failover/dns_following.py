"""Brings service names at DNS providers to the decision: each at each provider in its own time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from failover.decision import Decision
from failover.dns_changing import set_records
from failover.dns_contract import DnsAdapter
from failover.dns_errors import DnsError
from failover.dns_seen import Subject
from failover.dns_watching import Watcher
from failover.endpoint import Endpoint
from failover.model import EVERYWHERE, Service
from failover.rrsets import RRsets, chosen, said

READ_BACK_S: Final = 10.0
AGAIN_S: Final = 5.0  # before a change that failed is tried again
LOOK_AGAIN_S: Final = 60.0  # somebody else may change a name that is as it should be

log = logging.getLogger("failover.dns")


@dataclass(slots=True)
class Progress:
    """How far a name at a provider is."""

    service: str
    provider: str
    name: str
    wanted: str = ""
    state: str = "waiting"  # changing, changed, in force, failed
    why: str = ""
    took_s: float = 0.0  # from the decision until all its servers answered so

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "service": self.service,
            "provider": self.provider,
            "name": self.name,
            "wanted": self.wanted,
            "state": self.state,
            "why": self.why,
            "took_s": round(self.took_s, 3),
        }


@dataclass(slots=True)
class _Name:
    """One service's name at one provider."""

    service: Service
    adapter: DnsAdapter
    servers: Sequence[Endpoint]
    progress: Progress
    wanted: RRsets | None = None
    since_mono: float = 0.0
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class DnsFollower:
    """All names at all providers that have an interface; our own servers read the decision."""

    def __init__(
        self,
        services: Sequence[Service],
        adapters: Mapping[str, tuple[DnsAdapter, Sequence[Endpoint]]],
        watcher: Watcher,
        *,
        may_act: Callable[[], bool],
        told: Callable[[Progress], None],
    ) -> None:
        """`adapters` and the servers to read back from, by provider; `may_act`: we hold the lease.

        `told` hears when a name is in force, or a change has failed for a new reason.
        """
        self._watcher, self._may_act, self._told = watcher, may_act, told
        self._names = [
            _Name(service, *adapters[provider], Progress(service.name, provider, service.dns.name))
            for service in services
            if service.dns is not None
            for provider in service.dns.providers
            if provider in adapters
        ]

    @property
    def progress(self) -> list[Progress]:
        """How far each name is."""
        return [each.progress for each in self._names]

    def follow(self, decision: Decision) -> None:
        """Bring all names to a decision; what is on its way to an older one turns round."""
        for each in self._names:
            choice = decision.choice(each.service.name, EVERYWHERE)
            settings = each.service.dns
            if choice is None or settings is None:
                continue
            ttl_s = settings.ttl_suspect_s if choice.suspect else settings.ttl_s
            targets = {target.name: target for target in each.service.targets}
            wanted = chosen(targets, choice, ttl_s)
            if wanted and wanted != each.wanted:
                each.wanted, each.since_mono = wanted, time.monotonic()
                each.progress.wanted, each.progress.state = said(wanted), "changing"
                each.changed.set()

    async def run(self) -> None:
        """Act until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for each in self._names:
                tasks.create_task(self._keep(each))

    async def _keep(self, name: _Name) -> None:
        while True:
            name.changed.clear()
            pause_s = LOOK_AGAIN_S
            if name.wanted is not None and self._may_act():
                pause_s = await self._bring(name, name.wanted)
            try:
                async with asyncio.timeout(pause_s):
                    await name.changed.wait()
            except TimeoutError:
                pass

    async def _bring(self, name: _Name, wanted: RRsets) -> float:
        """Change a name and read it back; return when to look again."""
        progress, settings = name.progress, name.service.dns
        assert settings is not None
        try:
            changed = await set_records(name.adapter, settings.zone, settings.name, wanted)
            if progress.state == "in force" and not changed.acted:
                return LOOK_AGAIN_S
            progress.state = "changed"
            about = Subject(
                provider=progress.provider,
                zone=settings.zone,
                name=settings.name,
                wanted=changed.after,
            )
            seen = await self._watcher.read_back(
                about, name.servers, lambda _: None, within_s=READ_BACK_S
            )
            if complaint := about.complaint_of_servers(seen):
                raise complaint
        except DnsError as error:
            if (progress.state, progress.why) != ("failed", str(error)):
                progress.state, progress.why = "failed", str(error)
                log.error("%s", error)
                self._told(progress)
            return AGAIN_S
        progress.state, progress.why = "in force", ""
        progress.took_s = time.monotonic() - name.since_mono
        self._told(progress)
        return LOOK_AGAIN_S
