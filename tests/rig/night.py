"""Providers, edges with their members, DNS and a lease on hosts of their own, for whole nights."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from tests.rig.edges import ADMIN_PORT, PORT, RigEdge
from tests.rig.network import Network
from tests.rig.night_files import MEMBERS, NAME, ORIGIN, OWN_DNS_PORT, PROVIDERS, write_services
from tests.rig.night_film import ORIGIN_PORTS
from tests.rig.night_sights import Sights
from tests.rig.night_story import Origin, Story, filmed
from tests.rig.region import site_on
from tests.support import knots
from tests.support.edge_node import TOKEN
from tests.support.night_provider import NightProvider
from tests.support.valkeys import valkey_at

DNS, LEASE, VIEWER = "dns", "lease", "viewer"
MEMBER_PORT: Final = 9443
EVERY_S: Final = 0.2
PATIENCE_S: Final = 120.0


@dataclass
class Night:
    """Everything as it runs."""

    net: Network
    root: Path
    providers: dict[str, NightProvider]
    knot: str
    story: Story = field(default_factory=lambda: Story("", "", ""))
    sights: Sights = field(default_factory=Sights)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    client: httpx.AsyncClient = field(init=False)

    @property
    def observers(self) -> list[str]:
        """Who must have seen something before anything can be said."""
        edges = [name for name in MEMBERS if self.has_edge(name)]
        return [
            *(f"{what} {name}" for what in ("steering", "routes") for name in edges),
            *(f"own DNS {name}" for name in MEMBERS),
            "knot",
        ]

    def has_edge(self, name: str) -> bool:
        """Whether an edge is beside a member."""
        return (self.root / f"{name}.edge.log").exists()

    @property
    def url(self) -> str:
        """Where viewers begin: the first provider's."""
        return f"http://{self.net['one'].address}:{PORT}{self.story.main}"

    # members

    def start(self, name: str, services: str = "services") -> None:
        """Start a member; what it keeps is where it was."""
        host = self.net[name]
        argv = [sys.executable, "-m", "amaro", "failover", "run", "--name", name]
        argv += ["--services", str(self.root / services), "--data", str(self.root / name)]
        argv += ["--listen", f"{host.address}:{MEMBER_PORT}"]
        argv += ["--dns", f"{host.address}:{OWN_DNS_PORT}"]
        argv += ["--zone", f"{knots.ZONE}={self.root / 'zone'}"]
        with (self.root / f"{name}.log").open("ab") as log:
            self.processes[name] = host.spawn(argv, output=log, AMARO_ADMIN_TOKEN=TOKEN)

    def end(self, name: str) -> None:
        """End a member."""
        process = self.processes.pop(name)
        process.terminate()
        process.wait(PATIENCE_S)

    async def status(self, name: str) -> dict[str, Any]:
        """What a member says; nothing while it does not answer."""
        with contextlib.suppress(httpx.HTTPError, ValueError):
            answer = await self._get(f"http://{self.net[name].address}:{MEMBER_PORT}/status")
            return answer.json() if answer.status_code == 200 else {}
        return {}

    async def leader(self, but: Sequence[str] = ()) -> str:
        """Who leads and hears all vantages but some; waits until somebody does."""

        async def found() -> str:
            for name in MEMBERS:
                said = await self.status(name) if name not in but else {}
                rows = said.get("vantages", ()) if said.get("leads") else ()
                if rows and all(row["counts"] for row in rows if row["name"] not in but):
                    return name
            return ""

        return await self.until(found, "somebody leads who hears the others")

    async def state(self, target: str) -> str:
        """What the leader calls a target, in the region."""
        for name in MEMBERS:
            for row in (await self.status(name)).get("targets", ()):
                if row["target"] == target and row["region"] == "north":
                    return str(row["state"])
        return ""

    async def until(self, claim: Callable[[], Any], what: str, max_s: float = PATIENCE_S) -> Any:
        """The first true answer of what may be a coroutine function."""
        deadline = time.monotonic() + max_s
        while True:
            answer = claim()
            if asyncio.iscoroutine(answer):
                answer = await answer
            if answer:
                return answer
            assert time.monotonic() < deadline, f"{what}: not within {max_s:g} s; {self.told()}"
            await asyncio.sleep(0.05)

    @property
    def is_starved(self) -> bool:
        """Whether members had so little of this machine that they lost one another."""
        logs = [(self.root / f"{name}.log").read_text() for name in MEMBERS]
        signs = ("no controller for", "not the controller any more")
        return any(sign in log for log in logs for sign in signs)

    def told(self) -> str:
        """What helps to understand a failure."""
        logs = [(self.root / f"{name}.log").read_text()[-1500:] for name in MEMBERS]
        return "\n".join([str(self.sights.now), *logs])

    async def all_see(self, share: float) -> None:
        """Wait until every observer sees this share of `one`."""
        await self.until(
            lambda: all(self.sights.now.get(each) == share for each in self.observers),
            f"everybody sees {share:.0%} at one",
        )

    # observers

    async def observe(self) -> None:
        """Look at edges and name servers until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for name in MEMBERS:
                if self.has_edge(name):
                    tasks.create_task(self._look_at_edge(name))
                place = f"{self.net[name].address}:{OWN_DNS_PORT}"
                tasks.create_task(self._dig(f"own DNS {name}", place))
            tasks.create_task(self._dig("knot", self.knot))

    async def _look_at_edge(self, name: str) -> None:
        admin = f"http://{self.net[name].address}:{ADMIN_PORT}"
        while True:
            with contextlib.suppress(httpx.HTTPError, ValueError, KeyError, IndexError):
                for service in (await self._get(f"{admin}/steering")).json()["services"]:
                    shares = dict(service["shares"])
                    self.sights.note(f"steering {name}", shares.get("one", 0.0))
                groups = (await self._get(f"{admin}/routes")).json()["groups"]
                first = groups[""][0]
                self.sights.note(f"routes {name}", float(first.endswith(str(ORIGIN_PORTS[0]))))
            await asyncio.sleep(EVERY_S)

    async def _dig(self, where: str, server: str) -> None:
        """Ask a name server as people do."""
        host, _, port = server.rpartition(":")
        argv = ["dig", "+short", "+tries=1", "+time=2", f"@{host}", "-p", port, NAME, "A"]
        one, two = (self.net[name].address for name in PROVIDERS)
        while True:
            asked = await asyncio.create_subprocess_exec(
                *argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
            )
            said = (await asked.communicate())[0].decode().split()
            if asked.returncode == 0 and (one in said or two in said):
                self.sights.note(where, float(one in said))
            await asyncio.sleep(5 * EVERY_S)

    async def _get(self, url: str) -> httpx.Response:
        return await self.client.get(url, headers={"Authorization": f"Bearer {TOKEN}"})

    async def command(self, *words: str) -> tuple[int, str]:
        """Run `amaro failover …` as an operator does."""
        asked = [each for n in MEMBERS for each in ("--admin", self._member_url(n))]
        running = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "amaro", "failover", *words, *asked),
            env={"AMARO_ADMIN_TOKEN": TOKEN, "PATH": "/usr/bin:/bin", "COLUMNS": "400"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said = (await running.communicate())[0].decode()
        return running.returncode or 0, said

    def _member_url(self, name: str) -> str:
        return f"http://{self.net[name].address}:{MEMBER_PORT}"


@asynccontextmanager
async def night(
    detection: str, *, edges: Sequence[str] = MEMBERS, told: Origin = filmed
) -> AsyncIterator[Night]:
    """Run it all until the end of the block, seen from the viewers' host."""
    with ExitStack() as opened:
        names = [*PROVIDERS, *MEMBERS, ORIGIN, DNS, LEASE, VIEWER]
        net = opened.enter_context(Network(names))
        opened.enter_context(net[VIEWER].inside())
        root = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="amaro-night-")))
        publish = await told(net[ORIGIN], opened, root)
        with net[DNS].inside():
            knot = opened.enter_context(knots.knot(host=net[DNS].address))
        lease = opened.enter_context(valkey_at(site_on(net[LEASE])))
        served = [f"{net[name].address}:{PORT}" for name in edges]
        providers = {
            name: NightProvider(root / name, f"{net[name].address}:{PORT}", served)
            for name in PROVIDERS
        }
        it = Night(net, root, providers, str(knot.server))
        (root / "knot.key").write_text(knots.KEY)
        (root / "zone").write_text(knots.ZONE_FILE)
        for name, provider in providers.items():
            process = net[name].spawn(provider.argv)
            opened.callback(_kill, process)
        source = f"http://{net[ORIGIN].address}:{ORIGIN_PORTS[0]}"
        running = [
            RigEdge(net[name], net[VIEWER], source, root / f"{name}.edge.log") for name in edges
        ]
        for edge in running:
            opened.callback(edge.destroy)
        await asyncio.gather(*(edge.start() for edge in running))
        it.story = await publish(f"http://{net[edges[0]].address}:{ADMIN_PORT}")
        known = {"knot": it.knot, "lease": lease.url, "detection": detection, "edges": edges}
        write_services(net, root, it.story, **known)
        opened.callback(lambda: [_kill(each) for each in it.processes.values()])
        for name in MEMBERS:
            it.start(name)
        async with httpx.AsyncClient(timeout=5.0, trust_env=False) as it.client:
            observing = asyncio.create_task(it.observe())
            try:
                await it.all_see(1.0)
                yield it
            finally:
                observing.cancel()
                await asyncio.gather(observing, return_exceptions=True)


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
