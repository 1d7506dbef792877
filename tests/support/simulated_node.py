"""A node of one or two workers in one loop: one page, one lower tier, peers without sockets."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from uvicorn.server import ServerState

from edge.fetch import Fetch, FillClient, Response
from edge.handover import Handover
from edge.purged import Dated, Purged
from edge.purges import Purge, PurgeKind, PurgePage
from edge.routes import Upstream
from edge.server import Server
from edge.settings import Address, EdgeSettings, Limits
from edge.whom_to_ask import upstreams_of
from edge.worker import Worker
from tests.support.linked import End, link
from tests.support.simulated_origin import ScriptedClient
from tests.support.simulated_player import Player
from tests.support.simulated_tier import Shelf, ShelfTier
from tests.support.virtual_time import VirtualLoop

PEERS = Path("/simulated")


class Client:
    """A worker's fill client: peers are asked in bytes, the origin by its script."""

    def __init__(self, peers: FillClient, origin: ScriptedClient) -> None:
        self._peers = peers
        self._origin = origin

    async def fetch(self, upstream: Upstream, fetch: Fetch) -> Response:
        if upstream.path is not None:
            return await self._peers.fetch(upstream, fetch)
        return await self._origin.fetch(upstream, fetch)

    def close(self) -> None:
        self._peers.close()


class Line:
    """A worker's line to its supervisor, for what unsafe requests change."""

    def __init__(self, node: "Node") -> None:
        self._node = node

    async def ask(self, question: str, keys: list[str], *, limit_s: float | None) -> int:
        assert (question, limit_s is not None) == ("invalidate", True)
        await asyncio.sleep(0.001)
        for key in keys:
            self._node.publish(PurgeKind.URL, key.encode("latin-1"))
        for worker in self._node.workers:
            worker.follower.catch_up()
        return self._node.page.epoch()


class Node:
    """The supervisor's part is played by the test: it publishes, switches and kills."""

    def __init__(
        self,
        loop: VirtualLoop,
        origin: ScriptedClient,
        *,
        workers: int,
        memory_bytes: int,
        shelf: Shelf | None = None,
        urls: str = "http://127.0.0.1:1",
        **limits: Any,
    ) -> None:
        self._origin = origin
        self._shelf = shelf
        self._settings = EdgeSettings(
            listen=Address("127.0.0.1", 0),
            origin=urls,
            workers=workers,
            memory_bytes=memory_bytes,
            limits=Limits(**limits),
        )
        self.page = PurgePage.create(workers=workers)
        self.policies: dict[str, Any] | None = None  # in force
        self.purged: list[Dated] = []  # as a disk would have it
        self._links: dict[int, list[End]] = {}  # to each worker, from its peers
        self._gone: list[Worker] = []
        self._protocols: list[Any] = []
        self._peer_protocols: list[Any] = []
        self.workers: list[Worker] = []
        for number in range(workers):
            self._start(number)
        loop.create_unix_connection = self._connect  # type: ignore[method-assign]

    def _start(self, number: int) -> None:
        given = Handover(
            settings=self._settings,
            worker_no=number,
            page=self.page,
            listener=None,  # type: ignore[arg-type]
            peer_dir=PEERS if self._settings.workers > 1 else None,
            policies=self.policies,
        )
        worker = Worker(given, upstreams_of(given))
        asker = worker.app._exchange.filler.asker
        asker.client = Client(worker.client, self._origin)  # type: ignore[assignment]
        worker.invalidating.line = Line(self)  # type: ignore[assignment]
        if self._shelf is not None:
            worker.lower.tiers, worker.lower.purged = (ShelfTier(self._shelf),), Purged()
            for dated in self.purged:
                worker.lower.purged.apply(dated)
        self.workers[number : number + 1] = [worker]
        self._protocols[number : number + 1] = [worker.protocol()]
        self._peer_protocols[number : number + 1] = [worker.protocol(peers=True)]
        self._links[number] = []

    async def _connect(
        self, make: Callable[[], Any], path: str | None = None, **_: Any
    ) -> tuple[End, Any]:
        """Stand in for the loop's own: a connection to a worker's peers' listener."""
        await asyncio.sleep(0.0001)
        number = int(Path(str(path)).stem)
        worker = self.workers[number]
        config = Server(worker, peers=True).config
        worker.connections.pop()
        config.load()
        protocol = self._peer_protocols[number]
        end, made = link(make, lambda: protocol(config, ServerState(), {}))
        self._links[number].append(end)
        return end, made

    def player(self, number: int, address: str) -> Player:
        """A player that will connect to this worker."""
        return Player(self.workers[number], self._protocols[number], address)

    def publish(self, kind: PurgeKind, value: bytes = b"", *, soft: bool = False) -> None:
        """Purge. Workers look at the page before every answer."""
        sequence = self.page.publish(kind, value, soft=soft)
        purge = Purge(sequence=sequence, kind=kind, value=value, soft=soft)
        self.purged.append(Dated(purge, time.time()))

    def switch(self, policies: dict[str, Any]) -> None:
        """Put other policies in force in all workers."""
        self.policies = policies
        for worker in self.workers:
            epoch = worker.in_force.prepare(policies)
        self.page.switch(epoch)

    def kill(self, number: int) -> None:
        """End a worker and all its connections; the next one is there at once."""
        worker = self.workers[number]
        for end in self._links[number]:
            end.abort()
        for connection in [each for among in worker.connections for each in among]:
            connection.transport.abort()
        for task in worker.tasks._running:
            task.cancel()
        worker.client.close()
        self.page.detach(number)
        self._gone.append(worker)  # what it still does nobody sees
        self._start(number)

    async def close(self) -> None:
        for worker in self.workers:
            await worker.tasks.close()
            worker.client.close()
            worker.follower.detach()
        await asyncio.sleep(1)
        for worker in self._gone:
            worker.follower.epoch_word.release()
        self.page.close()
