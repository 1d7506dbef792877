"""Brings service names at DNS providers to the decision: each at each provider in its own time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from failover.decision import Decision
from failover.dns_changing import DeposedError, set_records
from failover.dns_contract import DnsAdapter
from failover.dns_errors import DnsError
from failover.dns_seen import Seen, Subject
from failover.dns_watching import Watcher
from failover.endpoint import Endpoint, endpoint
from failover.model import EVERYWHERE, Service
from failover.rrsets import RRsets, chosen, said, same_values, ttl_max_s

READ_BACK_S: Final = 10.0
AGAIN_S: Final = 5.0  # before a change that failed, or may not be made yet, is tried again
API_LOOK_S: Final = 86_400.0  # between two looks whether the interface takes our credential
API_AGAIN_S: Final = 600.0  # while it does not
DRILLED_S: Final = 1.0
LOOK_AGAIN_S: Final = 60.0  # somebody else may change a name that is as it should be

T = TypeVar("T")

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
    resolvers: str = ""  # what is wrong with theirs, when the old TTL is over

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
            "resolvers": self.resolvers,
        }


@dataclass(slots=True)
class ApiState:
    """What the last daily look at a provider's interface has shown."""

    provider: str
    why_not: str = "not asked yet"
    expires: str = ""  # when the credential ends, if that is known

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"provider": self.provider, "why_not": self.why_not, "expires": self.expires}


@dataclass(slots=True)
class _Name:
    """One service's name at one provider."""

    service: Service
    adapter: DnsAdapter
    servers: Sequence[Endpoint]
    progress: Progress
    wanted: RRsets | None = None
    version: tuple[int, int] = (0, 0)  # of the decision that wants it
    since_mono: float = 0.0
    complaint: str = ""  # that was told; empty since it was in force
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def pause(self, seconds: float) -> None:
        """Wait for so long, or until something else is wanted."""
        try:
            async with asyncio.timeout(seconds):
                await self.changed.wait()
        except TimeoutError:
            pass

    async def unless_changed(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Return what work comes to; None, and it has been ended, if something else is wanted."""
        working = asyncio.ensure_future(work)
        changed = asyncio.ensure_future(self.changed.wait())
        try:
            await asyncio.wait((working, changed), return_when=asyncio.FIRST_COMPLETED)
            return working.result() if working.done() else None
        finally:
            changed.cancel()
            working.cancel()
            await asyncio.gather(working, changed, return_exceptions=True)


class DnsFollower:
    """All names at all providers that have an interface; our own servers read the decision."""

    def __init__(  # noqa: PLR0913 - it is put together in one place
        self,
        services: Sequence[Service],
        adapters: Mapping[str, tuple[DnsAdapter, Sequence[Endpoint]]],
        watcher: Watcher,
        *,
        may_act: Callable[[tuple[int, int]], bool],
        told: Callable[[Progress], None],
        is_drilled: Callable[[str], bool] = lambda _: False,
        is_frozen: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """`adapters` and the servers to read back from, by provider.

        `may_act` says whether a decision of that version is still ours to carry out.

        `told` hears when a name is in force, or a change has failed for a new reason. While a
        service `is_drilled`, the first of its providers is taken not to answer. While it
        `is_frozen`, what was brought about is not looked after: somebody may change it by hand.
        """
        self._is_drilled, self._is_frozen = is_drilled, is_frozen
        self._watcher, self._may_act, self._told = watcher, may_act, told
        self.apis = {name: ApiState(name) for name in adapters}
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

    def forget(self) -> None:
        """Take nothing for done: somebody else may have led since, and have been killed."""
        for each in self._names:
            each.wanted = None

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
            each.version = decision.version
            if wanted and wanted != each.wanted:
                each.wanted, each.since_mono = wanted, time.monotonic()
                each.progress.wanted, each.progress.state = said(wanted), "changing"
                each.changed.set()

    async def run(self) -> None:
        """Act until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for each in self._names:
                tasks.create_task(self._keep(each, tasks))
            for provider in self.apis:
                tasks.create_task(self._look_at_api(provider))

    async def _look_at_api(self, provider: str) -> None:
        """Daily, by every member: the token must work on the night that it is needed."""
        state = self.apis[provider]
        name = next((each for each in self._names if each.progress.provider == provider), None)
        while name is not None and name.service.dns is not None:
            try:
                health = await name.adapter.check(name.service.dns.zone)
                state.why_not, state.expires = "", health.expires
            except DnsError as error:
                if state.why_not != str(error):
                    log.error("%s", error)
                    failed = Progress(name.service.name, provider, name.service.dns.zone)
                    failed.state, failed.why = "API failed", str(error)
                    self._told(failed)
                state.why_not = str(error)
            await asyncio.sleep(API_AGAIN_S if state.why_not else API_LOOK_S)

    async def _keep(self, name: _Name, tasks: asyncio.TaskGroup) -> None:
        while True:
            name.changed.clear()
            may_act = name.wanted is not None and self._may_act(name.version)
            pause_s = LOOK_AGAIN_S if may_act or name.wanted is None else AGAIN_S
            is_left = name.progress.state == "in force" and self._is_frozen(name.service.name)
            if name.wanted is not None and may_act and not is_left:
                pause_s = await self._bring(name, name.wanted, tasks)
            await name.pause(pause_s)

    async def _bring(self, name: _Name, wanted: RRsets, tasks: asyncio.TaskGroup) -> float:
        """Change a name and read it back; return when to look again."""
        progress, settings = name.progress, name.service.dns
        assert settings is not None
        first = next(each for each in self._names if each.service is name.service)
        if name is first and self._is_drilled(name.service.name):
            progress.state, progress.why = "failed", "drill: its API is taken not to answer"
            return DRILLED_S
        try:
            changed = await set_records(
                name.adapter,
                settings.zone,
                settings.name,
                wanted,
                may_act=lambda: name.wanted is wanted and self._may_act(name.version),
                pause=name.pause,
            )
            if progress.state == "in force" and not changed.acted:
                return LOOK_AGAIN_S
            progress.state = "changed"
            about = Subject(
                provider=progress.provider,
                zone=settings.zone,
                name=settings.name,
                wanted=changed.after,
            )
            seen = await name.unless_changed(
                self._watcher.read_back(about, name.servers, lambda _: None, within_s=READ_BACK_S)
            )
            if seen is None:
                return 0.0
            if complaint := about.complaint_of_servers(seen):
                raise complaint
        except DeposedError:
            return 0.0 if name.wanted is not wanted else AGAIN_S
        except DnsError as error:
            progress.state, progress.why = "failed", str(error)
            if name.complaint != progress.why:
                name.complaint = progress.why
                log.error("%s", error)
                self._told(progress)
            return AGAIN_S
        progress.state, progress.why, name.complaint = "in force", "", ""
        progress.took_s = time.monotonic() - name.since_mono
        self._told(progress)
        if settings.resolvers and changed.acted:
            tasks.create_task(self._watch_resolvers(name, about, ttl_max_s(changed.before)))
        return LOOK_AGAIN_S

    async def _watch_resolvers(self, name: _Name, about: Subject, old_ttl_s: int) -> None:
        """See the new records arrive in resolvers; who keeps the old ones for too long is named."""
        assert name.service.dns is not None
        resolvers = [endpoint(each) for each in name.service.dns.resolvers]
        silent: dict[str, Seen] = {}

        def note(seen: Seen) -> None:
            """Say at once who does not answer; who still has the old records may, for their TTL."""
            silent.pop(seen.server, None)
            if seen.problem:
                silent[seen.server] = seen
            if name.wanted is not None and same_values(about.wanted, name.wanted):
                name.progress.resolvers = str(about.complaint_of_resolvers(silent.values()) or "")

        seen = await self._watcher.watch_resolvers(about, resolvers, note, old_ttl_s=old_ttl_s)
        if name.wanted is not None and same_values(about.wanted, name.wanted):
            complaint = about.complaint_of_resolvers(seen)
            name.progress.resolvers = str(complaint or "")
            if complaint is not None:
                log.warning("%s", complaint)
                self._told(name.progress)
