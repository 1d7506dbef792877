"""What a controller acts on, with a gate before it: its lease, members, edges, DNS, channels."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO

from starlette.exceptions import HTTPException

from edge.admin import admin_app
from edge.route_orders import parse_routes
from edge.standing_orders import Standing, StandingOrder
from edge.steering.orders import parse_steering
from failover.endpoint import Endpoint
from failover.lease_redis import _KEEP
from tests.support.kill_gate import ANYBODY, Gate
from tests.support.served import served

LOOPBACK = "127.0.0.1"
UPDATE = 5  # the opcode (RFC 2136 §2.2)
KEEP = hashlib.sha1(_KEEP.encode(), usedforsecurity=False).hexdigest().encode()
LEASE_KEPT = "keep the memory in the lease's store"


class GatedOrder(StandingOrder):
    """An edge's own standing order, and whoever puts it passes a gate."""

    gate: Gate
    actor: str

    async def put(self, body: bytes) -> Standing:
        what = f"put {self._question} to the edge"
        if not self.gate.passes(self.actor, what):
            raise HTTPException(503)  # nobody is left to hear it
        standing = await super().put(body)
        self.gate.passes(self.actor, what, is_after=True)
        return standing


class _Edge:
    """As much of a node as its admin listener needs for what members ask of it."""

    def __init__(self, gate: Gate, actor: str, disk: Path) -> None:
        disk.mkdir()
        self.steering = GatedOrder("steering", parse_steering, self._followed, str(disk))
        self.routes = GatedOrder("routes", parse_routes, self._followed, str(disk))
        for order in (self.steering, self.routes):
            order.gate, order.actor = gate, actor

    async def _followed(self, question: str, text: str) -> tuple[str, ...]:
        del question, text
        return ()

    async def steered(self) -> dict[str, Any]:
        return self.steering.to_mapping() | {"evidence": []}

    def routed(self) -> dict[str, Any]:
        return self.routes.to_mapping()


@contextmanager
def edge(gate: Gate, actor: str, disk: Path, token: str) -> Iterator[str]:
    """The real admin listener of an edge that serves nobody; gives its URL."""
    node: Any = _Edge(gate, actor, disk)
    with served(admin_app(node, token)) as url:
        yield url


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing: who asked was killed."""


@contextmanager
def _threads(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    server = _Server((LOOPBACK, 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def member(gate: Gate, name: str, names: Sequence[str], port: int) -> Iterator[str]:
    """The way to one of the members: who gives it a decision passes the gate."""

    class Way(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _carry(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            tells = self.command == "PUT" and self.path == "/decision"
            what = f"tell member +{gate.behind(name, names)}"  # whoever leads
            if tells and not gate.passes(ANYBODY, what):
                self.close_connection = True
                return
            answer = self._answered(body)
            if tells and not gate.passes(ANYBODY, what, is_after=True):
                answer = None
            if answer is None:
                self.close_connection = True
                return
            status, headers, said = answer
            self.send_response(status)
            for key, value in headers:
                if key.lower() not in {"connection", "date", "server", "transfer-encoding"}:
                    self.send_header(key, value)
            self.end_headers()
            self.wfile.write(said)

        def _answered(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes] | None:
            to_member = http.client.HTTPConnection(LOOPBACK, port, timeout=30)
            headers = {key: value for key, value in self.headers.items() if key != "Connection"}
            try:
                to_member.request(self.command, self.path, body, headers | {"Connection": "close"})
                said = to_member.getresponse()
                return said.status, said.getheaders(), said.read()
            except (OSError, http.client.HTTPException):
                return None
            finally:
                to_member.close()

        do_GET = do_PUT = do_POST = do_DELETE = _carry  # noqa: N815 - the library's names

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with _threads(Way) as way:
        yield f"http://{LOOPBACK}:{way}"


@contextmanager
def channel(gate: Gate, heard: list[str]) -> Iterator[str]:
    """A webhook; gives its URL as apprise has it."""

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if gate.passes(ANYBODY, "notify"):
                heard.append(said["message"])
                if gate.passes(ANYBODY, "notify", is_after=True):
                    self.send_response(200)
                    self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with _threads(Hook) as port:
        yield f"json://{LOOPBACK}:{port}/"


@contextmanager
def name_server(gate: Gate, name: str, server: Endpoint) -> Iterator[Endpoint]:
    """The way to a DNS server by UDP: questions and updates pass the gate."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        way.bind((LOOPBACK, 0))

        def carry(asked: bytes, client: Any) -> None:
            updates = asked[2] >> 3 & 15 == UPDATE
            changes = updates and asked[8:10] != b"\0\0"  # a daily look changes nothing
            what = f"{name}: {'update' if changes else 'read'}"
            if (changes or not updates) and not gate.passes(ANYBODY, what):
                return
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as to_server:
                to_server.settimeout(5)
                to_server.connect((server.host, server.port))
                to_server.send(asked)
                said = to_server.recv(65_535)
            if not changes or gate.passes(ANYBODY, what, is_after=True):
                way.sendto(said, client)

        def run() -> None:
            with suppress(OSError):
                while True:
                    asked, client = way.recvfrom(65_535)
                    threading.Thread(target=_quietly, args=(carry, asked, client)).start()

        threading.Thread(target=run, daemon=True).start()
        yield Endpoint(LOOPBACK, way.getsockname()[1])


def _quietly(do: Any, *words: Any) -> None:
    with suppress(OSError):
        do(*words)


@contextmanager
def lease_store(gate: Gate, unix_socket: str) -> Iterator[str]:
    """The way to a Redis or Valkey: what a controller keeps there passes the gate."""
    with socket.create_server((LOOPBACK, 0)) as listener:

        def run() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    threading.Thread(
                        target=_quietly, args=(_carry_commands, gate, client, unix_socket)
                    ).start()

        threading.Thread(target=run, daemon=True).start()
        yield f"redis://{LOOPBACK}:{listener.getsockname()[1]}/0"
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def _carry_commands(gate: Gate, client: socket.socket, unix_socket: str) -> None:
    with client, socket.socket(socket.AF_UNIX) as server:
        server.connect(unix_socket)
        with client.makefile("rb") as asked, server.makefile("rb") as answered:
            while command := _one(asked):
                words = command.split(b"\r\n")
                keeps = words[2].upper() == b"EVALSHA" and words[4] == KEEP
                actor = words[10].decode() if keeps else ""  # EVALSHA sha 1 key holder …
                if keeps and not gate.passes(actor, LEASE_KEPT):
                    return
                server.sendall(command)
                answer = _one(answered)
                if keeps and not gate.passes(actor, LEASE_KEPT, is_after=True):
                    return
                client.sendall(answer)


def _one(file: BinaryIO) -> bytes:
    """One value of the Redis protocol as it is on the wire; empty at the end."""
    line = file.readline()
    kind, size = line[:1], line[1:-2]
    if kind in {b"$", b"="} and size != b"-1":
        return line + file.read(int(size) + 2)
    if kind in {b"*", b"~", b">", b"%"} and size != b"-1":
        return line + b"".join(_one(file) for _ in range(int(size) * (1 + (kind == b"%"))))
    return line
