"""A region on the rig: an origin, edges and players, and Valkey where it is wanted."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tests.rig.edges import PEER_PORT, RigEdge
from tests.rig.load import COLD, EdgeCrowd, PacedPlayer
from tests.rig.log_host import LogHost
from tests.rig.meter import Meter
from tests.rig.network import Host, Network
from tests.support.soak_judge import Judge
from tests.support.soak_node import bad_lines
from tests.support.soak_origin import Mood, SoakOrigin
from tests.support.soak_player import Http1Player
from tests.support.soak_world import PATHS, World
from tests.support.valkeys import (
    RunningValkey,
    Site,
    valkey_at,
    valkey_cluster,
    valkey_with_sentinels,
)

ORIGIN, PLAYERS, LOG = "origin", "players", "log"
EDGES = ("north", "south", "west")
VALKEY_PORT, VALKEY_BUS = 6379, 16379
MEMORY, REDIS_SIZE, DISK_SIZE = "24MiB", "256MiB", "128MiB"
CALM_MOOD = Mood(slow=0.0)
PLAYERS_PER_EDGE = 8


@dataclass
class Region:
    """Everything that a fault may strike."""

    seed: int
    net: Network
    origin: SoakOrigin
    edges: dict[str, RigEdge] = field(default_factory=dict)
    crowds: dict[str, EdgeCrowd] = field(default_factory=dict)
    valkeys: list[RunningValkey] = field(default_factory=list)
    sentinels: list[RunningValkey] = field(default_factory=list)
    meter: Meter = field(default_factory=Meter)
    log: LogHost | None = None

    @property
    def valkey_hosts(self) -> list[str]:
        return [name for name in self.net.hosts if name.startswith("valkey")]

    @property
    def complaints(self) -> list[str]:
        """Answers that were wrong, and lines of logs that should not be there."""
        judged = [
            f"{name}: {said}"
            for name, crowd in self.crowds.items()
            for said in crowd.judge.complaints
        ]
        said = [(edge.name, "\n".join(bad_lines(edge.log))) for edge in self.edges.values()]
        return judged + [f"the log of {name} says:\n{lines}" for name, lines in said if lines]

    def last_said(self, lines: int) -> Iterator[str]:
        """The ends of the edges' logs."""
        for edge in self.edges.values():
            said = edge.log.read_text().splitlines()[-lines:]
            yield "\n  ".join([f"the log of {edge.name} ends with:", *said])

    @property
    def judged(self) -> int:
        return sum(crowd.judge.judged for crowd in self.crowds.values())

    def upset(self, until_mono: float, *names: str) -> None:
        """Players of these edges may notice something until then."""
        for name in names or self.crowds:
            self.crowds[name].world.upset(until_mono)

    async def play(
        self,
        until: Callable[[], Awaitable[object]],
        *,
        player: type[Http1Player] = PacedPlayer,
        players: int = PLAYERS_PER_EDGE,
    ) -> None:
        """Let all players play while `until` runs."""
        for crowd in self.crowds.values():
            crowd.begin()
        async with asyncio.TaskGroup() as tasks:
            for crowd in self.crowds.values():
                for number in range(players):
                    tasks.create_task(player(crowd, number).play())
            try:
                await until()
            finally:
                for crowd in self.crowds.values():
                    crowd.done = True
        for crowd in self.crowds.values():
            crowd.judge.judge_cut()


@dataclass(frozen=True)
class Servers:
    """What an edge is told of Valkey, and what there is of it."""

    hosts: int
    url: str = ""  # with places for the addresses of hosts


SERVERS = {
    "none": Servers(0),
    "one": Servers(1, "redis://{0}"),
    "sentinels": Servers(5, "redis+sentinel://{2},{3},{4}/main"),
    "cluster": Servers(6, "redis+cluster://{0},{1},{2}"),
}


def site_on(host: Host) -> Site:
    return Site(VALKEY_PORT, VALKEY_BUS, host.address, host.spawn, host.inside)


@contextmanager
def serving(
    servers: str, sites: Sequence[Site]
) -> Iterator[tuple[list[RunningValkey], list[RunningValkey]]]:
    """The servers that were asked for, and their Sentinels."""
    with ExitStack() as opened:
        if servers == "one":
            yield [opened.enter_context(valkey_at(sites[0]))], []
        elif servers == "cluster":
            yield opened.enter_context(valkey_cluster(sites=sites)), []
        elif servers == "sentinels":
            yield opened.enter_context(valkey_with_sentinels(sites))
        else:
            yield [], []


@asynccontextmanager
async def region(
    seed: int,
    servers: str = "one",
    *,
    edges: Sequence[str] = EDGES,
    with_log: bool = False,
    with_shield: bool = False,
    with_disk: Container[str] = (),
) -> AsyncIterator[Region]:
    """Hosts with everything on them running, all reachable."""
    kind = SERVERS[servers]
    names = [f"valkey-{number}" for number in range(kind.hosts)]
    with ExitStack() as opened:
        net = opened.enter_context(Network([ORIGIN, PLAYERS, LOG, *edges, *names]))
        root = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="amaro-rig-")))
        sites = [site_on(net[name]) for name in names]
        found = await asyncio.to_thread(opened.enter_context, serving(servers, sites))
        places = [f"{site.address}:{site.port}" for site in sites]
        redis = ["--redis", kind.url.format(*places)] if kind.url else []
        options = ["--memory", MEMORY, *redis, *(["--redis-size", REDIS_SIZE] if redis else [])]
        world, numbers = World((*PATHS, *COLD)), count(1)
        host = net[ORIGIN]
        origin = SoakOrigin(world, seed, address=host.address, new_socket=host.socket)
        origin.mood = CALM_MOOD
        await origin.rise()
        stage = Region(seed, net, origin, valkeys=found[0], sentinels=found[1])
        if with_log:
            folder = root / "log"
            folder.mkdir()
            told = [net[name] for name in edges]
            stage.log = LogHost(net[LOG], net[PLAYERS], told, folder, redis)
            opened.callback(stage.log.destroy)
            options += ["--purge-log", stage.log.url]
            await stage.log.start()
        members = [f"http://{net[name].address}:{PEER_PORT}" for name in edges]
        for name in edges:
            peer = ["--peer", f"{net[name].address}:{PEER_PORT}", "--shield", ",".join(members)]
            disk = ["--disk", str(root / f"{name}.disk"), "--disk-size", DISK_SIZE]
            edge = RigEdge(
                net[name],
                net[PLAYERS],
                f"http://{host.address}:{origin.port}",
                root / f"{name}.log",
                [
                    *options,
                    *(peer if with_shield else []),
                    *(disk if name in with_disk else []),
                ],
            )
            opened.callback(edge.destroy)
            seen = world.of_another_edge()
            stage.edges[name] = edge
            stage.crowds[name] = EdgeCrowd(
                seed, seen, Judge(seen), edge.way, numbers, name=name, meter=stage.meter
            )
        try:
            async with asyncio.TaskGroup() as tasks:
                for edge in stage.edges.values():
                    tasks.create_task(edge.start())
            yield stage
        finally:
            for edge in stage.edges.values():
                edge.destroy()
            await origin.close()
