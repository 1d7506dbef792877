"""One worker of an edge node: composes the data path and serves until it is told to stop."""

import asyncio
import logging
import signal
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

import uvloop

from edge.access_log import access_log
from edge.accounts import Accounts
from edge.admission import Admission
from edge.app import Debugging, EdgeApp
from edge.asking import Asker
from edge.audience import Gatherer
from edge.clients import ClientCounts, TrustedProxies
from edge.collapse import Fills, Uncacheable
from edge.control import ControlLine
from edge.counters import Counters
from edge.door import Door
from edge.exchange import Exchange
from edge.fetch import FillClient
from edge.filling import Filler
from edge.following import Following
from edge.handover import Handover, adopt
from edge.heap import quiet_collector, tight_heap
from edge.in_force import InForce
from edge.invalidating import Invalidating
from edge.limiting import Limiting
from edge.listeners import close_door
from edge.loop_watch import LoopWatch
from edge.memory import Memory
from edge.messages import configure
from edge.neighbours import Neighbours
from edge.network_file import open_networks
from edge.opening import open_tiers
from edge.other_variants import OtherVariants
from edge.peer import listening_peer
from edge.places import Places
from edge.policy_follower import PolicyFollower
from edge.prewarming import Prewarmer
from edge.probes import Prober
from edge.promoting import LowerTiers
from edge.protocol import EdgeProtocol
from edge.provider_hits import bind_for_all
from edge.purged import Dated
from edge.purges import Purge, PurgeFollower
from edge.retries import RetryBudget
from edge.sampling import Sampler
from edge.secure import SecureConnection, bind_secure
from edge.server import Server
from edge.shared import Shared
from edge.shield_app import ShieldApp
from edge.slicing import Slicer
from edge.slow_readers import SlowReaders
from edge.snapshot import snapshot_of
from edge.steering.in_force import Steering
from edge.steering.tagging import Tagger
from edge.tasks import Tasks
from edge.tls import Certificates, Pem
from edge.upkeep import look_after
from edge.upstreams import Upstreams
from edge.whereabouts import whereabouts_of
from edge.whom_to_ask import upstreams_of
from edge.worker_answers import answers_of
from edge.workers_app import WorkersApp

DOOR_S: Final = 0.25  # connections that have begun may still come in, at the end of a drain

A = TypeVar("A", bound=EdgeApp)

log = logging.getLogger("edge.worker")


class Worker:
    """All objects of one worker, and how it starts, drains and ends."""

    def __init__(self, given: Handover, upstreams: Upstreams) -> None:
        settings = given.settings
        limits = settings.limits
        self.settings, self.worker_no = settings, given.worker_no
        self.passage = given.passage
        self.counters = Counters()
        self.log = access_log(settings, self.counters)
        proxies = TrustedProxies(settings.trusted_proxies)
        clients = ClientCounts(limits.client_connections_max, proxies)
        self.gatherer = Gatherer(
            whereabouts_of(settings, proxies, open_networks(given.networks_fd))
        )
        self.sampler = Sampler(self.gatherer.gather)
        self.accounts = Accounts(self.counters, self.log, clients, self.sampler)
        self.door = Door(settings.region, proxies, limits.tokens_max)
        self.door.follow(given.ring)
        self.peer_accounts = Accounts(Counters())  # what peers ask is no player's request
        self.watch = LoopWatch()
        self.connections: list[set[Any]] = []  # of EdgeProtocol, by listener
        slow = SlowReaders(self.connections, self.counters, limits.reader_min_bps)
        self.memory = Memory(
            settings.worker_memory_bytes,
            lambda: slow.cut(self.memory.shortage()),
            settings.objective,
        )
        self.shared: list[Shared] = []  # by listener
        self.fills, self.tasks = Fills(), Tasks()
        self.in_force = InForce.of(given.policies)
        self.limiting = Limiting(given.page, given.worker_no, self.in_force, proxies)
        self.uncacheable = Uncacheable(limits.uncacheable_max, limits.uncacheable_s)
        self.places = Places(limits.upstream_requests_max, limits.upstream_wait_s)
        self.admission = Admission(self.tasks, limits)
        self.client = FillClient(limits, self.memory)
        self.policies = PolicyFollower(
            in_force=self.in_force,
            memory=self.memory,
            fills=self.fills,
            uncacheable=self.uncacheable,
            limiting=self.limiting,
            listeners=self.shared,
            connections=self.connections,
        )
        self.follower = PurgeFollower(given.page, given.worker_no, self.apply, self.policies.switch)
        self.in_force.switch(given.page.policy_epoch())  # of these rules, when purges are missed
        self.certificates = Certificates(given.pems) if given.pems else None
        self.is_draining = False
        self.origins = upstreams.origins
        self.prober = Prober(self.client, self.origins, self.counters, path=settings.probe_path)
        whole_max_bytes = min(limits.object_max_bytes, self.memory.budget_bytes // 2)
        self.opened = open_tiers(
            given,
            memory=self.memory,
            counters=self.counters,
            tasks=self.tasks,
            applied=self.follower.applied,
        )
        self.lower = LowerTiers(
            account=self.memory,
            counters=self.counters,
            whole_max_bytes=whole_max_bytes,
            tiers=self.opened.tiers,
            purged=self.opened.purged,
        )
        self.invalidating = Invalidating(
            self.apply, lower=self.lower, follower=self.follower, limits=limits
        )
        self.neighbours = Neighbours(
            *(settings, self.opened),
            account=self.memory, counters=self.counters, in_force=self.in_force,
        )  # fmt: skip
        asker = Asker(
            client=self.client,
            upstreams=upstreams,
            memory=self.memory,
            in_force=self.in_force,
            limits=limits,
            counters=self.counters,
            budget=RetryBudget(limits.retry_ratio, limits.retry_burst),
            shield=self.neighbours.asker,
            places=self.places,
        )
        self.slicer = Slicer(
            lower=self.lower,
            asker=asker,
            memory=self.memory,
            tasks=self.tasks,
            in_force=self.in_force,
            limits=limits,
            counters=self.counters,
            unsliced=Uncacheable(limits.uncacheable_max, limits.uncacheable_s),
        )
        filler = Filler(
            asker=asker,
            slicer=self.slicer,
            others=OtherVariants(self.memory, self.in_force, self.counters),
            memory=self.memory,
            fills=self.fills,
            uncacheable=self.uncacheable,
            in_force=self.in_force,
            limits=limits,
            counters=self.counters,
        )
        self.following = Following(
            filler=filler,
            accounts=self.accounts,
            purges=self.follower,
            door=self.door,
            limiting=self.limiting,
            admission=self.admission,
            steering=Steering(self.memory, self.counters, given.steering),
        )
        self.prewarmer = Prewarmer(
            filler=filler,
            tasks=self.tasks,
            purges=self.follower,
            shedder=self.admission.shedder,
            settings=settings,
        )

        def app(kind: type[A], accounts: Accounts) -> A:
            exchange = Exchange(
                filler=filler,
                tasks=self.tasks,
                counters=accounts.counters,
                catch_up=self.follower.catch_up,
                invalidating=self.invalidating,
                admission=self.admission,
                door=self.door if accounts is self.accounts else None,
                tagger=Tagger(self.following.steering) if accounts is self.accounts else None,
            )
            debugging = Debugging(settings.debug_token, given.worker_no)
            return kind(exchange, limits, self._is_ready, accounts, debugging)

        self.app = app(EdgeApp, self.accounts)
        self.peer_app = app(WorkersApp, self.peer_accounts)
        self.region_app = app(ShieldApp, self.peer_accounts)
        self.region_app.entrance = self.neighbours.entrance(self.follower.catch_up)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch the loop, take samples and write the log, until `close`."""
        self.watch.start(loop)
        self.prewarmer.hear(self.gatherer, self.watch)
        self.sampler.start(loop)
        self.admission.start(loop, lambda: self.fills.waiting)
        if self.log is not None:
            self.log.start(loop)

    async def close(self) -> None:
        """End what runs beside the serving of players, who are gone."""
        self.watch.stop()
        self.sampler.stop()
        self.admission.stop()
        await self.tasks.close()
        self.slicer.close()
        self.client.close()
        await self.neighbours.close()
        await self.opened.close()
        self.follower.detach()
        self.limiting.close()
        if self.log is not None:
            await self.log.stop()

    def _is_ready(self) -> bool:
        return self.prewarmer.is_ready and not self.is_draining

    def apply(self, purge: Purge) -> None:
        """Carry out a published purge."""
        self.memory.apply(purge, time.monotonic())
        if self.lower.tiers or self.opened.shares:
            self.lower.purged.apply(Dated(purge, time.time()))
        self.opened.note(purge)
        self.fills.apply(purge)

    async def sync(self, _detail: Any) -> int:
        """Apply what was published and say its number: the supervisor waits for that."""
        return self.follower.catch_up()

    async def renew(self, pems: list[list[str]]) -> None:
        """Take new certificates for connections to come; the supervisor has tried them."""
        if self.certificates is not None:
            self.certificates.renew([Pem(*pem) for pem in pems])

    async def probe(self, _detail: Any) -> dict[str, str]:
        """Probe the origins once, for all workers."""
        return await self.prober.round()

    async def probed(self, found: dict[str, str]) -> None:
        """Hear what another worker's probes have found."""
        self.prober.hear(found)

    async def wrote(self, _detail: Any) -> dict[str, int]:
        """The bytes that went to disk since this was last asked, by shard."""
        return self.opened.wrote()

    async def heard(self, salt: str) -> dict[str, Any]:
        """What samples told since this was last asked."""
        return self.gatherer.take(salt)

    async def told(self, _detail: Any) -> dict[str, float]:
        """The counters and gauges, by name."""
        return self.snapshot()

    def protocol(self, *, peers: bool = False) -> type[EdgeProtocol] | type[SecureConnection]:
        """The protocol class of one listener; players' connections are TLS when the node has it."""
        shared = Shared(
            following=self.following,
            follower=self.follower,
            accounts=self.peer_accounts if peers else self.accounts,
            limits=self.settings.limits,
            peers=peers,
        )
        if not peers and self.certificates is None:
            shared.passage = self.passage
        self.shared.append(shared)
        if self.certificates is not None and not peers:
            return bind_secure(shared, self.certificates.context)
        return bind_for_all(shared)

    def drain(self) -> None:
        """Say `ready` no more; every answer from now on is the last one on its connection."""
        self.is_draining = True
        for shared in self.shared:
            shared.drain()
        for connection in [each for listener in self.connections for each in listener]:
            connection.drain()

    def snapshot(self) -> dict[str, float]:
        """The counters and gauges, by name."""
        return snapshot_of(self)


async def run_worker(
    given: Handover,
    *,
    control: socket.socket | None = None,
    upstreams: Upstreams | None = None,
    started: Callable[[], None] | None = None,
) -> None:
    """Serve players on the listener until SIGTERM, SIGINT or the supervisor's end, then drain."""
    worker = Worker(given, upstreams or upstreams_of(given))
    servers = {Server(worker): given.listener}
    if given.peer_dir is not None:
        servers[Server(worker, peers=True)] = listening_peer(given.peer_dir, given.worker_no)
    for listener in worker.neighbours.listeners():
        servers[Server(worker, peers=True, app=worker.region_app)] = listener
    loop = asyncio.get_running_loop()
    drain = partial(_drain, worker, list(servers), given.listener)
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, drain)
    quiet_collector()
    worker.start(loop)
    try:
        async with asyncio.TaskGroup() as group:
            serving = [group.create_task(each.run_on([on])) for each, on in servers.items()]
            for server in servers:
                await server.serving.wait()
            if started is not None:
                started()
            beside = (
                look_after(worker.memory),
                worker.neighbours.probe(),
                worker.prewarmer.run(),
            )
            keeping = [group.create_task(each) for each in beside]
            if control is not None:
                line = await ControlLine.open(control, answers_of(worker))
                worker.invalidating.line = worker.neighbours.line = line
                listening = group.create_task(_answer_supervisor(line, drain))
            await asyncio.wait(serving)
            for each in keeping:
                each.cancel()
            if control is not None:
                listening.cancel()
    finally:
        await worker.close()


def _drain(worker: Worker, servers: list[Server], listener: socket.socket) -> None:
    """Say `ready` no more, serve on for the grace period, then finish what has begun."""
    if worker.is_draining:
        return
    worker.drain()

    def stop() -> None:
        for server in servers:
            server.should_exit = True

    loop, grace_s = asyncio.get_running_loop(), worker.settings.limits.drain_grace_s
    loop.call_later(grace_s, close_door, listener)
    loop.call_later(grace_s + DOOR_S, stop)


async def _answer_supervisor(line: ControlLine, drain: Callable[[], None]) -> None:
    await line.run()
    drain()  # the supervisor hung up


def main() -> None:
    """Run as a child of the node's supervisor."""
    tight_heap()
    given, control = adopt()
    configure(worker=given.worker_no)
    uvloop.run(run_worker(given, control=control))


if __name__ == "__main__":
    main()
