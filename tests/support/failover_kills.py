"""A group whose controller is killed at one point of what it does, and whether all is well then."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import httpx

from failover.endpoint import Endpoint
from tests.support import knots, valkeys
from tests.support.edge_node import NO_TLS
from tests.support.failover_group import TOKEN, FakeTarget
from tests.support.kill_gate import Gate, Point
from tests.support.kill_proxies import channel, edge, lease_store, member, name_server
from tests.support.ports import own_ports
from tests.support.stack import until

HOOKS = Path(__file__).parent / "kill_hooks"
NAME = "media.edge.test."
ADDRESSES = {"a": "192.0.2.11", "b": "192.0.2.12"}
MEMBERS = ("m1", "m2", "m3")
PROVIDERS = ("knot-a", "knot-b")
LOOK_S = 0.1
PATIENCE_S = 240.0
MEDIA = """\
service: media
detection: {fresh: 10s, hold_off: 1s, hold_off_max: 1s, dwell: 500ms, step: 200ms, step_share: 1,
  rise: 2}
steering: {server_uri: "https://steer.test/.amaro/steer", playlists: [/media/*/main.m3u8]}
routes: media
dns: {name: media.edge.test., zone: edge.test., providers: [own-dns, knot-a, knot-b]}
targets:
"""
TARGET = """\
  - name: {name}
    provider: cdn-{name}
    pathway: {name}.media.test
    route: "http://{name}.media.test"
    records: [{{type: A, values: [{address}]}}]
    probes: [{{name: up, kind: http, url: "http://127.0.0.1:{port}/", timeout: 5s}}]
"""


@dataclass(slots=True)
class Run:
    """What became of one kill."""

    kind: str
    point: Point
    again: bool  # the same member is started at once; else another takes over
    reached: bool = True
    who: str = ""
    took_over_s: float = 0.0
    converged_s: float = 0.0
    asked_again: bool = False
    complaints: list[str] = field(default_factory=list)
    is_stuck: bool = False  # the group is not well; nothing more can be tried on it

    def __str__(self) -> str:
        row = f"{self.kind:9} {self.point!s:52}"
        if not self.reached:
            return f"{row} not reached"
        told = f"{row} {self.who:10} {self.took_over_s:6.1f} {self.converged_s:6.1f}"
        notes = ["asked again"] * self.asked_again + self.complaints
        return f"{told}  {'; '.join(notes)}"


@dataclass(slots=True)
class Kills:
    """Three members, their edges, two DNS providers and their own servers, and a channel."""

    directory: Path
    gate: Gate
    urls: dict[str, str]  # of members, past the gate
    listens: dict[str, str]
    edges: dict[str, str]
    servers: dict[str, Endpoint]  # that answer for the name, past no gate
    own: dict[str, Endpoint]
    targets: dict[str, FakeTarget]
    heard: list[str]  # by the channel
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str) -> None:
        """Start a member."""
        command = [sys.executable, "-m", "amaro", "failover", "run", "--name", name]
        command += ["--services", str(self.directory / "services"), "--listen", self.listens[name]]
        command += ["--data", str(self.directory / name), "--dns", str(self.own[name])]
        command += ["--zone", f"{knots.ZONE}={self.directory / 'zone'}"]
        here = str(Path.cwd())
        hooks = {"KILL_GATE": str(self.directory / "gate"), "KILL_NAME": name}
        more = hooks | {"AMARO_ADMIN_TOKEN": TOKEN, "PYTHONPATH": f"{HOOKS}:{here}"}
        with (self.directory / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, env=os.environ | more, stdout=log, stderr=subprocess.STDOUT
            )

    def kill(self, name: str) -> None:
        """End a member so that it has no time for anything."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE_S)

    def ask(self, name: str, method: str, path: str, **more: Any) -> httpx.Response | None:
        """Ask a member, or an edge's admin listener; None: no answer."""
        url = self.edges[name.removeprefix("edge ")] if "edge" in name else self.urls[name]
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with suppress(httpx.HTTPError):
            return httpx.request(
                method,
                url + path,
                headers=headers,
                timeout=30,
                trust_env=False,
                verify=NO_TLS,
                **more,
            )
        return None

    def status(self, name: str) -> Mapping[str, Any]:
        """What a member says; nothing while it does not answer."""
        answer = self.ask(name, "GET", "/status")
        return answer.json() if answer is not None and answer.status_code == 200 else {}

    def leader(self) -> tuple[str, int]:
        """Who leads, under which epoch; nobody: an empty name."""
        for name in MEMBERS:
            said = self.status(name)
            if said.get("leads"):
                return name, said["controller"]["epoch"]
        return "", 0

    def lead(self) -> tuple[str, int]:
        """Who leads; waits until somebody does."""
        return until(
            lambda: found if (found := self.leader())[0] else None,
            max_s=PATIENCE_S,
            what="a controller",
        )

    def revert(self) -> None:
        """Take the switch back, whatever becomes of answers."""

        def is_reverted() -> bool:
            name, _ = self.lead()
            self.order(name, "revert", service="media")
            said = self.status(name)
            return bool(said.get("leads")) and not said["pins"]

        until(is_reverted, max_s=PATIENCE_S, what="the order is taken back")

    def order(self, name: str, kind: str, **more: str) -> bool:
        """Give an order; say whether it was answered that it is carried out."""
        said = {"order": kind, "who": "on-call", "why": "a test", **more}
        answer = self.ask(name, "POST", "/orders", json=said)
        return answer is not None and answer.status_code == 200

    def complaints(self, target: str) -> list[str]:
        """What is not yet as it is when everything goes to a target; nothing: all is."""
        return [
            *self._of_members(target),
            *(f"{each} answers otherwise" for each in self._wrong_servers(target)),
        ]

    def _of_members(self, target: str) -> Iterator[str]:
        versions: dict[str, list[int]] = {}
        for name in list(self.processes):
            said = self.status(name)
            decision = said.get("decision")
            if not decision:
                yield f"{name} says nothing"
                continue
            versions[name] = decision["version"]
            firsts = {max(each["shares"], key=lambda s: s[1])[0] for each in decision["choices"]}
            if firsts != {target}:
                yield f"{name} uses {sorted(firsts)}"
            if said.get("leads"):
                waits = [each for each in said["dns"] if each["state"] != "in force"]
                yield from (f"dns: {each['provider']} {each['state']}" for each in waits)
        for name in self.edges:  # an edge keeps what it was told while its member is dead
            if name in self.processes:
                yield from self._of_edge(name, target, versions)
        if len({*map(tuple, versions.values())}) != 1:
            yield f"members act on {versions}"

    def _of_edge(self, name: str, target: str, versions: Mapping[str, Any]) -> Iterator[str]:
        steering = self.ask(f"edge {name}", "GET", "/steering")
        routes = self.ask(f"edge {name}", "GET", "/routes")
        if steering is None or routes is None:
            yield f"the edge of {name} says nothing"
            return
        for what, said in (("steering", steering.json()), ("routes", routes.json())):
            if said["version"] != versions.get(name):
                yield f"{what} of {name}: {said['version']}, not {versions.get(name)}"
        if [each["order"][0] for each in steering.json().get("services", ())] != [target]:
            yield f"{name} steers elsewhere"
        groups = routes.json().get("groups", {})
        if not groups.get("media", [""])[0].startswith(f"http://{target}."):
            yield f"{name} routes elsewhere"

    def _wrong_servers(self, target: str) -> Iterator[str]:
        question = dns.message.make_query(NAME, "A")
        living = {f"own {each}": self.own[each] for each in list(self.processes)}
        for name, server in {**self.servers, **living}.items():
            with suppress(OSError, dns.exception.DNSException):
                said = dns.query.udp(question, server.host, port=server.port, timeout=2)
                found = {str(each) for rrset in said.answer for each in rrset}
                if found == {ADDRESSES[target]}:
                    continue
            yield name

    def untold(self, began_wall: float, heard: int, wanted: Mapping[str, str]) -> Iterator[str]:
        """What of a run is in no audit log, was told to nobody, or broke a chain."""
        lines = []
        for name in MEMBERS:
            broken = self.ask(name, "GET", "/verify")
            if broken is None or broken.json()["broken"] is not None:
                yield f"the chain of {name}: {broken and broken.json()}"
            said = self.ask(name, "GET", "/history?limit=1000")
            entries = said.json()["entries"] if said is not None else []
            lines += [each["text"] for each in entries if each["at"] >= began_wall]
        for what, text in wanted.items():
            if not any(text in each for each in lines):
                yield f"{what} is in no audit log"
            if not what.startswith("dns") and not any(text in each for each in self.heard[heard:]):
                yield f"nobody was told that {what}"

    def settled(self, target: str) -> float:
        """Return when everything goes to a target, and for how many seconds that took."""
        began, left = time.monotonic(), ["not asked"]
        while left and time.monotonic() - began < PATIENCE_S:
            left = self.complaints(target)
            if left:
                time.sleep(LOOK_S)
        if left:
            raise AssertionError(f"not as it should be after {PATIENCE_S:g} s: {left}")
        return time.monotonic() - began

    def act(self, kind: str) -> str:
        """Begin what is to be interrupted; return the target that all goes to after it."""
        if kind == "failover":
            self.targets["a"].stop()
        else:
            words = (self.lead()[0], "switch")
            more = {"service": "media", "target": "b"}
            threading.Thread(target=self.order, args=words, kwargs=more, daemon=True).start()
        return "b"

    def undo(self, kind: str) -> None:
        """Bring back what was before `act`, killing nobody."""
        if kind == "failover":
            self.targets["a"].start()
        else:
            self.revert()
        self.settled("a")

    def points(self, kind: str) -> list[Point]:
        """Everything that a controller does, when it is not killed."""
        leader, _ = self.lead()
        self.gate.watch(leader)
        self.settled(self.act(kind))
        seen = list(dict.fromkeys(self.gate.seen))
        self.gate.leave()
        self.undo(kind)
        return seen

    def run(self, kind: str, point: Point, *, again: bool) -> Run:
        """Kill the controller at a point, and wait until all is as it should be."""
        run = Run(kind, point, again)
        leader, epoch = self.lead()
        began_wall, heard = time.time() - 0.01, len(self.heard)
        self.gate.watch(leader, point, lambda: self.kill(leader))
        target = self.act(kind)
        run.reached = self._is_killed(target)
        if not run.reached:
            self.gate.leave()
            self.undo(kind)
            return run
        killed_mono = self.gate.killed_mono
        if again:
            self.start(leader)
        try:
            run.who = self._next(epoch, leader)
            run.took_over_s = time.monotonic() - killed_mono
            if kind == "switch" and self._is_lost(target):
                run.asked_again = True
                self.order(self.lead()[0], "switch", service="media", target="b")
            self.settled(target)
            run.converged_s = time.monotonic() - killed_mono
            if not again:
                self.start(leader)
                self.settled(target)
            wanted = {"it moved": "media moves from a"}
            if kind == "switch":
                wanted["it was ordered"] = "switch media b"
            wanted |= {f"dns of {name}": f"{name}: {NAME} in force" for name in PROVIDERS}
            run.complaints = self._in_time(began_wall, heard, wanted)
            self.undo(kind)
        except AssertionError as error:
            run.complaints.append(str(error))
            run.is_stuck = True
        return run

    def _in_time(self, began_wall: float, heard: int, wanted: Mapping[str, str]) -> list[str]:
        until_mono = time.monotonic() + PATIENCE_S
        while left := list(self.untold(began_wall, heard, wanted)):
            if time.monotonic() > until_mono:
                return left
            time.sleep(LOOK_S)
        return []

    def _is_killed(self, target: str) -> bool:
        """Whether the point came, before all was done and nothing more happens."""
        until_mono = time.monotonic() + PATIENCE_S
        while not self.gate.has_killed.wait(0.5) and time.monotonic() < until_mono:
            if not self.complaints(target):
                return self.gate.has_killed.wait(2.0)
        return self.gate.has_killed.is_set()

    def _next(self, epoch: int, killed: str) -> str:
        """Who leads now, under an epoch that is above that of who was killed."""
        until_mono = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_mono:
            name, now = self.leader()
            if name and now > epoch:
                return "itself" if name == killed else "another"
            time.sleep(LOOK_S)
        raise AssertionError("nobody takes over")

    def _is_lost(self, target: str) -> bool:
        """Whether an order was not yet kept when the controller was killed: it never was."""
        until_mono = time.monotonic() + 3.0
        while time.monotonic() < until_mono:
            said = self.status(self.lead()[0])
            if any(each["target"] == target for each in said.get("pins", ())):
                return False
            time.sleep(LOOK_S)
        return True


@contextmanager
def kills(directory: Path) -> Iterator[Kills]:
    """Run the group until the end of the block."""
    gate, heard = Gate(), []
    ports = iter(own_ports())
    with ExitStack() as stack:
        enter = stack.enter_context
        enter(gate.serving(directory / "gate"))
        store = enter(valkeys.valkey())
        lease = enter(lease_store(gate, str(store.options["unix_socket_path"])))
        servers = {name: enter(knots.knot()) for name in PROVIDERS}
        ways = {name: enter(name_server(gate, name, each.server)) for name, each in servers.items()}
        listens = {name: f"127.0.0.1:{next(ports)}" for name in MEMBERS}
        urls = {
            name: enter(member(gate, name, MEMBERS, int(each.rpartition(":")[2])))
            for name, each in listens.items()
        }
        edges = {name: enter(edge(gate, name, directory / f"e-{name}", TOKEN)) for name in MEMBERS}
        hook = enter(channel(gate, heard))
        own = {name: Endpoint("127.0.0.1", next(ports)) for name in MEMBERS}
        targets = {name: FakeTarget(next(ports)) for name in ADDRESSES}
        for each in targets.values():
            stack.callback(each.stop)
        _write(directory, urls, edges, own, ways, targets, lease, hook)
        running = Kills(
            directory=directory,
            gate=gate,
            urls=urls,
            listens=listens,
            edges=edges,
            servers={name: each.server for name, each in servers.items()},
            own=own,
            targets=targets,
            heard=heard,
        )
        try:
            for name in MEMBERS:
                running.start(name)
            running.settled("a")
            yield running
        finally:
            gate.leave()
            for name in list(running.processes):
                running.kill(name)


def _write(
    directory: Path,
    urls: Mapping[str, str],
    edges: Mapping[str, str],
    own: Mapping[str, Endpoint],
    ways: Mapping[str, Endpoint],
    targets: Mapping[str, FakeTarget],
    lease: str,
    hook: str,
) -> None:
    services = directory / "services"
    services.mkdir()
    listed = "".join(
        TARGET.format(name=name, address=ADDRESSES[name], port=each.port)
        for name, each in targets.items()
    )
    (services / "media.yaml").write_text(MEDIA + listed)
    (directory / "zone").write_text(knots.ZONE_FILE)
    (directory / "knot.key").write_text(knots.KEY)
    (directory / "hook.url").write_text(hook)
    ours = [
        {
            "name": name,
            "region": "north",
            "provider": "own",
            "url": urls[name],
            "edge_admin": edges[name],
        }
        for name in MEMBERS
    ]
    rfc2136 = [
        {
            "name": name,
            "kind": "rfc2136",
            "provider": f"host-{name}",
            "server": str(ways[name]),
            "credential": "knot",
            "name_servers": [str(ways[name])],
        }
        for name in PROVIDERS
    ]
    servers = [str(each) for each in own.values()]
    file = {
        "providers": [
            {"name": "own", "ours": True},
            *({"name": each} for each in ("cdn-a", "cdn-b", "host-knot-a", "host-knot-b")),
        ],
        "members": ours,
        "dns_providers": [
            {"name": "own-dns", "kind": "own", "provider": "own", "name_servers": servers},
            *rfc2136,
        ],
        "credentials": [
            {"name": "knot", "file": str(directory / "knot.key"), "provider": "own"},
            {"name": "hook", "file": str(directory / "hook.url"), "provider": "own"},
        ],
        "channels": [{"name": "pager", "credential": "hook", "provider": "own"}],
        "lease": lease,
    }
    (services / "members.yaml").write_text(json.dumps(file))  # JSON is YAML
