"""The supervisor of an edge node: N workers that act as one, and the admin listener over them."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final

from edge.access_keys import AccessKeys
from edge.gathering import Gathering
from edge.handover import Handover
from edge.holdings import Holdings
from edge.invalidations import Invalidations
from edge.keeper import Keeper, WorkerState, first
from edge.limit_page import make_room
from edge.membership import Membership
from edge.metric_tables import NODE_TABLES, totals_of_workers
from edge.metrics import exposition
from edge.orders import PurgeOrder
from edge.origins import Origins, read_origins
from edge.prewarmed import precision_of
from edge.probes import probe_for_all
from edge.publishing import Publishing
from edge.purge_reach import reached
from edge.purges import PurgePage
from edge.receipts import Receipt
from edge.region import Region
from edge.renewal import Renewal
from edge.route_orders import RouteOrder, parse_routes
from edge.settings import EdgeSettings
from edge.standing_orders import StandingOrder
from edge.start_files import Files
from edge.steering.evidence import steering_evidence
from edge.steering.orders import parse_steering
from edge.switching import PolicySwitch, Switched
from edge.tls import Pem
from edge.warming import Warming

log = logging.getLogger("edge.node")

WORKER_COMMAND: Final = (sys.executable, "-m", "edge.worker")


class Node:
    """One edge node. It belongs in the main thread: workers die with the thread that forks."""

    def __init__(
        self,
        settings: EdgeSettings,
        holdings: Holdings,
        files: Files,
        command: Sequence[str] = WORKER_COMMAND,
    ) -> None:
        self.settings = settings
        self._disk = disk = holdings.disk
        self._hubs = holdings.hubs
        self._first_sequence = 0 if disk is None else disk.sequence
        self._invalidations = Invalidations(self.purge)
        self.page = PurgePage.create(
            workers=settings.workers,
            sequence=self._first_sequence,
            policy_epoch=0 if files.policies is None else files.policies.epoch,
        )
        make_room(self.page)
        self.policies = PolicySwitch(
            files.policies,
            self.page,
            groups=settings.group_names,
            patience_s=settings.limits.purge_ack_s,
            followed=self._followed,
        )
        shares = bool(settings.purge_log and (settings.redis or settings.region_token))
        self._publishing = Publishing(
            page=self.page,
            disk=disk,
            reached=lambda order: reached(order, self.policies.policies),
            followed=self._followed,
            forgets=disk is None and shares,
        )
        log_id = os.urandom(8) if disk is None else disk.log_id
        self.region = Region(settings, self._publishing, log_id)
        self._reread = asyncio.Event()
        self.is_draining = False
        self._totals = totals_of_workers()
        self._stopping = asyncio.Event()
        self.renewal = Renewal(settings.tls, self._renew)
        self.gathering = Gathering(self._ask_all)
        self.membership = Membership(settings, self._ask_all)
        self.access = AccessKeys(settings.access_keys, files.ring, self._open_with)
        self.steering = StandingOrder("steering", parse_steering, self._tell, settings.disk)
        origins = self._origins = read_origins(settings.origin, *settings.origin_groups)
        known = partial(parse_routes, known=origins.urls)
        self.routes = StandingOrder("routes", known, self._tell, settings.disk)
        limits = settings.limits.share(settings.workers)
        worker_settings = replace(settings, limits=limits, access_ring="")
        self._keepers = [
            Keeper(
                Handover(
                    settings=worker_settings,
                    worker_no=worker_no,
                    page=self.page,
                    listener=listener,
                    peer_dir=holdings.peer_dir,
                    pems=files.pems,
                    log_id=log_id,
                    ring=files.ring,
                    policies=None if files.policies is None else files.policies.to_mapping(),
                    steering=self.steering.text,
                    routes=self.routes.text,
                    passage=holdings.hubs[0].passage if holdings.hubs else None,
                    networks_fd=files.networks_fd,
                ),
                command,
                {"invalidate": self._invalidations.asked, "read-on": self.region.read_on},
            )
            for worker_no, listener in enumerate(holdings.listeners)
        ]
        self.warming = Warming(settings, self.gathering, self._keepers)
        self._kept = [*self._keepers, *(hub.keeper for hub in holdings.hubs)]

    async def run(self, started: Callable[[], None]) -> None:
        """Serve until `stop`; raises an ExceptionGroup of WorkerError when one cannot start."""
        async with asyncio.TaskGroup() as tasks:
            keeping = [tasks.create_task(keeper.keep()) for keeper in self._kept]
            invalidating = tasks.create_task(self._invalidations.run())
            for keeper in self._kept:
                await first(keeper.serving, self._stopping)
            if not self._stopping.is_set():
                started()
            watching = [
                tasks.create_task(self._watch()),
                tasks.create_task(
                    probe_for_all(self._keepers, self.settings.limits, self._has_several)
                ),
                tasks.create_task(self.gathering.run()),
                tasks.create_task(self.warming.run()),
                tasks.create_task(self.access.run()),
                tasks.create_task(self.region.run()),
                tasks.create_task(self.membership.run(self._keepers)),
            ]
            if self.settings.policies is not None:
                watching.append(tasks.create_task(self._reread_policies(self.settings.policies)))
            if self.settings.tls:
                watching.append(tasks.create_task(self.renewal.run()))
            if self._disk is not None:
                watching.append(tasks.create_task(self._disk.run(self._written)))
            await self._stopping.wait()
            for watch in watching:
                watch.cancel()
            for keeper in self._kept:
                keeper.stop()
            limits = self.settings.limits
            patience_s = limits.drain_grace_s + limits.drain_s + limits.control_s
            _, late = await asyncio.wait(keeping, timeout=patience_s)
            if late:
                log.warning("%d processes did not drain in %.0f s, killed", len(late), patience_s)
                self.kill()
            invalidating.cancel()

    def stop(self) -> None:
        """Drain and end; asked twice, end at once."""
        if self.is_draining:
            log.warning("told to stop again: ending at once")
            self.kill()
        else:
            log.info("draining")
        self.is_draining = True
        self._stopping.set()

    def reload(self) -> None:
        """Read certificates, policies and keys anew; those that are broken change nothing."""
        self.renewal.ask()
        self.access.ask()
        self._reread.set()

    def kill(self) -> None:
        """End every worker at once."""
        for keeper in self._kept:
            keeper.kill()

    @property
    def is_ready(self) -> bool:
        """Say whether players should be sent here: some worker serves, warm, and none ends."""
        if self.is_draining or not self.warming.is_warm:
            return False
        return any(keeper.serving.is_set() for keeper in self._keepers)

    async def purge(self, order: PurgeOrder) -> Receipt:
        """Publish an order of this edge's own; return once every worker applied it, or too late."""
        return await self._publishing.order(order)

    async def _written(self) -> list[dict[str, int]]:
        """What the workers wrote to disk since this was last asked, each by shard."""
        return await self._ask_all("disk")

    async def _ask_all(self, question: str, detail: Any = None) -> list[Any]:
        """The answers of the workers that give one in time."""
        serving = [keeper for keeper in self._keepers if keeper.serving.is_set()]
        limit_s = self.settings.limits.control_s
        asked = [keeper.ask(question, detail, limit_s=limit_s) for keeper in serving]
        said = await asyncio.gather(*asked, return_exceptions=True)
        return [answer for answer in said if isinstance(answer, dict)]

    async def _counted(self) -> dict[str, float]:
        """What the workers have counted, all that there ever were."""
        serving = [keeper for keeper in self._keepers if keeper.serving.is_set()]
        limit_s = self.settings.limits.control_s
        asked = [keeper.ask("counters", limit_s=limit_s) for keeper in serving]
        said = await asyncio.gather(*asked, return_exceptions=True)
        self._totals.retire(keeper.pid for keeper in self._keepers if keeper.pid is not None)
        answers = zip(serving, said, strict=True)
        return self._totals.update(
            {keeper.pid: of for keeper, of in answers if keeper.pid and isinstance(of, dict)}
        )

    async def steered(self) -> dict[str, Any]:
        """Return what `GET /steering` says: the order, and what players show by asking."""
        evidence = steering_evidence(await self._counted())
        return self.steering.to_mapping() | {"evidence": evidence}

    def routed(self) -> dict[str, Any]:
        """Return what `GET /routes` says: the servers of all groups, best first."""
        routes = self.routes
        groups = self._origins_now().urls
        return {"version": routes.version, "groups": groups, "followed": routes.is_followed}

    async def metrics(self) -> bytes:
        """Return the node's metrics as Prometheus reads them."""
        sums = await self._counted()
        own: dict[str, float] = {
            "purges": self.page.epoch() - self._first_sequence,
            "restarts": sum(keeper.restarts for keeper in self._keepers),
            "certificates_renewed": self.renewal.renewed,
            "certificates_refused": self.renewal.refused,
            "access_renewed": self.access.renewed,
            "access_refused": self.access.refused,
            "policies_switched": self.policies.switched,
            "policies_refused": self.policies.refused,
            "policy_epoch": self.policies.policies.epoch,
            "workers": sum(keeper.state is WorkerState.SERVING for keeper in self._keepers),
            "draining": self.is_draining,
            "warm": self.warming.is_warm,
            "prewarm_precision": precision_of(sums),
        }
        if self._disk is not None:
            own |= self._disk.gauges()
        own |= self.region.gauges()
        for hub in self._hubs:
            own |= await hub.metrics()
        return exposition(NODE_TABLES, sums | own)

    def rules(self) -> dict[str, Any]:
        """Return what `GET /policies` says."""
        return self.policies.rules()

    async def put_policies(self, text: bytes, name: str) -> Switched:
        """Put other rules in force. Raises PolicyFileError or SwitchError: nothing has changed."""
        return await self.policies.put(self._keepers, text, name)

    async def publish(self, signal: object) -> None:
        """Tell pages what the origin says. Raises ValueError, RealtimeError or LookupError."""
        if not self._hubs:
            raise LookupError("this edge has no hub; give it --realtime")
        await self._hubs[0].publish(signal)

    def status(self) -> dict[str, Any]:
        """Return what `/status` says."""
        settings = self.settings
        return {
            "ready": self.is_ready,
            "draining": self.is_draining,
            "region": settings.region,
            "listen": str(settings.listen),
            "tls": bool(settings.tls),
            "origin": settings.first_origin,
            "pid": os.getpid(),
            "memory_bytes": settings.memory_bytes,
            "sequence": self.page.epoch(),
            "purge_log": self.region.status(),
            "policies": self.policies.policies.name or None,
            "policy_epoch": self.policies.policies.epoch,
            "limits": [limit.to_mapping() for limit in self.policies.policies.limits],
            "access": self.access.status(),
            "disk": None if self._disk is None else self._disk.status(),
            "realtime": self._hubs[0].status() if self._hubs else None,
            "workers": [
                {
                    "worker": keeper.worker_no,
                    "pid": keeper.pid,
                    "state": keeper.state.value,
                    "restarts": keeper.restarts,
                }
                for keeper in self._keepers
            ],
        }

    async def _watch(self) -> None:
        """Kill workers that hang: players in their queues would wait for ever."""
        while True:
            serving = [keeper for keeper in self._kept if keeper.serving.is_set()]
            await asyncio.gather(*(self._kill_if_hanging(keeper) for keeper in serving))
            await asyncio.sleep(self.settings.limits.watch_s)

    async def _kill_if_hanging(self, keeper: Keeper) -> None:
        for _ in range(2):  # twice, because we may be what was stopped for a while
            try:
                await keeper.ask("sync", limit_s=self.settings.limits.hang_s)
            except TimeoutError:
                continue
            except ConnectionError:
                return
            return
        log.error("%s hangs, killed", keeper.name)
        keeper.kill()

    async def _renew(self, pems: tuple[Pem, ...]) -> None:
        """Give certificates to every worker, and to those that will be started."""
        await asyncio.gather(*(keeper.renew(pems) for keeper in self._kept))

    async def _open_with(self, ring: str) -> tuple[str, ...]:
        """Give access keys to workers and hub, and to those that will be started."""
        return await _heeded(self._kept, "access", ring)

    async def _tell(self, question: str, text: str) -> tuple[str, ...]:
        """Give an order to workers, and to those that will be started."""
        return await _heeded(self._keepers, question, text)

    def _has_several(self) -> bool:
        """Whether origins could stand in for each other."""
        return bool(self._origins_now().probed())

    def _origins_now(self) -> Origins:
        order = parse_routes(self.routes.text.encode()) if self.routes.text else RouteOrder()
        self._origins.reroute(order.groups)
        return self._origins

    async def _reread_policies(self, name: str) -> None:
        while True:
            await self._reread.wait()
            self._reread.clear()
            await self.policies.read(self._keepers, name)

    async def _followed(self, behind: Sequence[int]) -> None:
        """Wait for workers to catch up with the page, or for `purge_ack_s`."""
        if behind:
            await asyncio.wait([asyncio.create_task(self._sync(no)) for no in behind])

    async def _sync(self, worker_no: int) -> None:
        """Have one worker catch up; one that dies instead is waited for until its slot is free."""
        keeper = self._keepers[worker_no]
        with suppress(TimeoutError):
            async with asyncio.timeout(self.settings.limits.purge_ack_s):
                try:
                    await keeper.ask("sync", limit_s=None)
                except ConnectionError:
                    await keeper.gone.wait()


async def _heeded(keepers: Sequence[Keeper], question: str, text: str) -> tuple[str, ...]:
    """Give a text to processes; return the names of those that go on without it."""
    done = await asyncio.gather(*(keeper.heed(question, text) for keeper in keepers))
    return tuple(each.name for each, is_done in zip(keepers, done, strict=True) if not is_done)
