"""Hosts around a router; what passes between any two of them can be cut, throttled and restored."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, permutations
from pathlib import Path
from typing import IO, Any

from tests.rig.namespaces import inside, ip, remove, run_name, sweep, tc

ADDRESS = "10.77.0.{}"  # the same in each rig: nobody else can see it
ROUTER = "169.254.0.1"
TETHER = Path(__file__).parents[2] / "amaro" / "tether.py"
CUT, BACK, SLOW = 100, 50, 200  # priorities of the router's rules
BURST_BYTES, QUEUE_MS = 16_384, 400


@dataclass(frozen=True)
class Host:
    """A machine of the rig: `name` in the plan, `place` for `ip netns exec`."""

    name: str
    place: str
    address: str

    @contextmanager
    def inside(self) -> Iterator[None]:
        with inside(self.place):
            yield

    def socket(self) -> socket.socket:
        """A TCP socket of this host; it may be used from anywhere in this process."""
        with self.inside():
            return socket.socket()

    async def connect(
        self, to: Host, port: int, *, limit: int = 1 << 16
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection from this host to another."""
        own = self.socket()
        try:
            own.setblocking(False)
            await asyncio.get_running_loop().sock_connect(own, (to.address, port))
            return await asyncio.open_connection(sock=own, limit=limit)
        except BaseException:
            own.close()
            raise

    def spawn(
        self, argv: Sequence[str], *, output: IO[Any] | int = subprocess.DEVNULL, **env: str
    ) -> subprocess.Popen[bytes]:
        """Start a command on this host; it ends with this process, however that ends."""
        tethered = [sys.executable, str(TETHER), str(os.getpid()), "KILL", *argv]
        return subprocess.Popen(
            ["ip", "netns", "exec", self.place, *tethered],
            stdout=output,
            stderr=output,
            env=os.environ | env,
        )


@dataclass
class Network:
    """Use it as a context manager: it leaves nothing behind."""

    names: Sequence[str]
    hosts: dict[str, Host] = field(default_factory=dict)
    _run: str = field(default_factory=run_name)
    _cut: set[tuple[str, str]] = field(default_factory=set)
    _slow: dict[tuple[str, str], int] = field(default_factory=dict)
    _lanes: Iterator[int] = field(default_factory=lambda: count(1000))

    def __enter__(self) -> Network:
        sweep()
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        remove([host.place for host in self.hosts.values()] + [self.router])
        self.hosts.clear()

    def __getitem__(self, name: str) -> Host:
        return self.hosts[name]

    @property
    def router(self) -> str:
        return f"{self._run}-router"

    @property
    def impaired(self) -> bool:
        """Whether any link is cut or throttled."""
        return bool(self._cut or self._slow)

    def _build(self) -> None:
        for number, name in enumerate(self.names, start=1):
            self.hosts[name] = Host(name, f"{self._run}-{name}", ADDRESS.format(number))
        hosts = self.hosts.values()
        ip(f"netns add {self.router}", *(f"netns add {host.place}" for host in hosts))
        with inside(self.router):
            ipv4 = Path("/proc/sys/net/ipv4")
            for name in ("all", "default"):
                (ipv4 / "conf" / name / "rp_filter").write_text("0")
            (ipv4 / "ip_forward").write_text("1")
        ip(
            "link set lo up",
            f"address add {ROUTER}/32 dev lo",
            *(
                line
                for number, host in enumerate(hosts)
                for line in (
                    f"link add name to{number} type veth peer name eth0 netns {host.place}",
                    f"link set to{number} up",
                    f"route add {host.address}/32 dev to{number} src {ROUTER}",
                )
            ),
            within=self.router,
        )
        for host in hosts:
            ip(
                "link set lo up",
                f"address add {host.address}/32 dev eth0",
                "link set eth0 up",
                f"route add default via {ROUTER} dev eth0 onlink",
                within=host.place,
            )

    # links

    def cut(self, some: Iterable[str], others: Iterable[str], *, one_way: bool = False) -> None:
        """From now on nothing passes between any of the one and any of the other: it is lost."""
        wanted = set(self._pairs(some, others, one_way=one_way)) - self._cut
        self._rules("add", sorted(wanted))
        self._cut |= wanted

    def restore(self, some: Iterable[str], others: Iterable[str]) -> None:
        """What was cut or throttled between them passes again as it did."""
        pairs = set(self._pairs(some, others))
        self._rules("del", sorted(pairs & self._cut))
        self._cut -= pairs
        for pair in sorted(pairs & self._slow.keys()):
            self._quicken(pair)

    def throttle(self, some: Iterable[str], others: Iterable[str], *, bits_per_s: int) -> None:
        """From now on no more than so much passes between each two, in each direction."""
        for pair in self._pairs(some, others):
            if pair in self._slow:
                self._quicken(pair)
            self._slow[pair] = lane = next(self._lanes)
            way, back = f"t{lane}", f"u{lane}"
            mac = "02:00:00:00:00:01"  # of both ends, so that nobody need ask for it
            ip(
                f"link add name {way} address {mac} type veth peer name {back} address {mac}",
                *(f"link set {name} arp off up" for name in (way, back)),
                f"route add default dev {way} table {lane}",
                f"rule add pref {BACK} iif {back} lookup main",
                within=self.router,
            )
            bucket = f"burst {max(BURST_BYTES, bits_per_s // 800)} latency {QUEUE_MS}ms"
            tc(f"qdisc add dev {way} root tbf rate {bits_per_s}bit {bucket}", within=self.router)
            ip(self._slow_rule("add", pair, lane), within=self.router)

    def _quicken(self, pair: tuple[str, str]) -> None:
        lane = self._slow.pop(pair)
        ip(
            self._slow_rule("del", pair, lane),
            f"rule del pref {BACK} iif u{lane} lookup main",
            f"link del t{lane}",
            within=self.router,
        )

    def _slow_rule(self, verb: str, pair: tuple[str, str], lane: int) -> str:
        source, target = (self.hosts[name].address for name in pair)
        return f"rule {verb} pref {SLOW} from {source} to {target} lookup {lane}"

    def _rules(self, verb: str, pairs: Iterable[tuple[str, str]]) -> None:
        between = [(self.hosts[one].address, self.hosts[two].address) for one, two in pairs]
        if between:
            line = f"rule {verb} pref {CUT} from {{}} to {{}} blackhole"
            ip(*(line.format(*each) for each in between), within=self.router)

    def _pairs(
        self, some: Iterable[str], others: Iterable[str], *, one_way: bool = False
    ) -> Iterator[tuple[str, str]]:
        others = list(others)
        for one in some:
            for two in others:
                if one != two:
                    yield from [(one, two)] if one_way else permutations((one, two))
