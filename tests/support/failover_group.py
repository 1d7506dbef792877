"""A group of real members on loopback, and targets that can be stopped and started."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from tests.support.edge_node import NO_TLS
from tests.support.ports import own_ports
from tests.support.stack import until

TOKEN = "a-token-of-members"
PATIENCE_S = 180.0  # processes begin slowly where others keep a machine busy


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Say nothing of who asked and did not wait."""


class FakeTarget:
    """A server that answers everything with `ok`, on one port, while it runs."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._server: ThreadingHTTPServer | None = None
        self.start()

    def start(self) -> None:
        server = self._server = _Server(("127.0.0.1", self.port), _Answer)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@dataclass(slots=True)
class Group:
    """Three members, and the targets of one service."""

    directory: Path
    urls: dict[str, str]
    targets: dict[str, FakeTarget]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str) -> None:
        """Start a member; what it keeps is where it was."""
        command = [sys.executable, "-m", "amaro", "failover", "run", "--name", name]
        command += ["--services", str(self.directory / "services")]
        command += ["--listen", self.urls[name].removeprefix("http://")]
        command += ["--data", str(self.directory / name)]
        log = (self.directory / f"{name}.log").open("ab")
        environment = os.environ | {"AMARO_ADMIN_TOKEN": TOKEN}
        self.processes[name] = subprocess.Popen(
            command, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        log.close()

    def end(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        """End a member."""
        process = self.processes.pop(name)
        process.send_signal(how)
        process.wait(PATIENCE_S)

    def status(self, name: str) -> Mapping[str, Any] | None:
        """What a member says; None while it does not answer."""
        with suppress(httpx.HTTPError):
            answer = self.ask(name, "GET", "/status")
            return answer.json() if answer.status_code == 200 else None
        return None

    def ask(self, name: str, method: str, path: str, **more: Any) -> httpx.Response:
        """Ask a member as an operator does."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return httpx.request(
            method,
            self.urls[name] + path,
            headers=headers,
            timeout=10,
            trust_env=False,
            verify=NO_TLS,
            **more,
        )

    def leader(self) -> str:
        """Who leads; waits until somebody does."""

        def found() -> str:
            told = {name: self.status(name) for name in self.processes}
            return next((name for name, said in told.items() if said and said["leads"]), "")

        return until(found, max_s=PATIENCE_S, what="a leader")

    def first(self, name: str) -> dict[str, str]:
        """Which target a member's decision has first, by region."""
        said = self.status(name)
        decision = said and said["decision"]
        choices = decision["choices"] if decision else []
        return {each["region"]: max(each["shares"], key=lambda s: s[1])[0] for each in choices}

    def wait_for(self, target: str, *, at: list[str] | None = None) -> None:
        """Return when all members act on a decision that has a target first everywhere."""
        for name in at or list(self.processes):
            until(
                lambda name=name: set(self.first(name).values()) == {target},  # type: ignore[misc]
                max_s=PATIENCE_S,
                what=f"{name} uses {target}",
            )


@contextmanager
def group(directory: Path, *, lease: str = "", detection: str = "{}") -> Iterator[Group]:
    """Run three members that look after a service of three targets."""
    ports = iter(own_ports())
    urls = {name: f"http://127.0.0.1:{next(ports)}" for name in ("m1", "m2", "m3")}
    targets = {name: FakeTarget(next(ports)) for name in ("a", "b", "edges")}
    services = directory / "services"
    services.mkdir()
    members = "".join(
        f"  - {{name: {name}, region: north, provider: own, url: '{url}'}}\n"
        for name, url in urls.items()
    )
    quick = tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else directory)
    lease = lease or f"sqlite:///{quick}/lease.sqlite"  # a busy disk is no failure of the lease
    (services / "members.yaml").write_text(
        f"members:\n{members}providers:\n  - {{name: own, ours: true}}\n"
        f"  - {{name: cdn-a}}\n  - {{name: cdn-b}}\nlease: {lease}\n"
    )
    listed = "".join(
        f"  - name: {name}\n    provider: {'own' if name == 'edges' else f'cdn-{name}'}\n"
        f"    probes:\n"
        f"      - {{name: up, kind: http, url: 'http://127.0.0.1:{target.port}/', timeout: 5s}}\n"
        for name, target in targets.items()
    )
    (services / "media.yaml").write_text(
        f"service: media\ndetection: {detection}\ntargets:\n{listed}"
    )
    running = Group(directory, urls, targets)
    try:
        for name in urls:
            running.start(name)
        yield running
    finally:
        for process in running.processes.values():
            process.kill()
            process.wait(PATIENCE_S)
        for target in targets.values():
            target.stop()
        shutil.rmtree(quick)
