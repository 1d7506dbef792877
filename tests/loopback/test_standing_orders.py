"""Orders that stand at a node: all workers follow them, a newer one wins, a restart keeps them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from edge.standing_orders import StandingOrder
from edge.steering.orders import parse_steering
from tests.support.edge_node import RunningNode, edge_node, eventually
from tests.support.steering import MULTIVARIANT, order, steered

PLAYLIST = "/v/a/main.m3u8"


class Named(BaseHTTPRequestHandler):
    """Says which server it is, and never the same URL's answer twice."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        is_playlist = self.path == PLAYLIST
        body = MULTIVARIANT if is_playlist else self.server.name  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Cache-Control", "max-age=600" if is_playlist else "no-store")
        self.send_header("Content-Type", "application/vnd.apple.mpegurl")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 as its base names it

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[Callable[[bytes], str]]:
    with ExitStack() as running:

        def start(name: bytes) -> str:
            started = ThreadingHTTPServer(("127.0.0.1", 0), Named)
            started.daemon_threads = True
            started.name = name  # type: ignore[attr-defined]
            Thread(target=started.serve_forever, daemon=True).start()
            running.callback(started.server_close)
            running.callback(started.shutdown)
            return f"http://127.0.0.1:{started.server_port}"

        yield start


def put(node: RunningNode, path: str, given: Any) -> tuple[int, Any]:
    said = node.admin("PUT", path, json=given)
    return said.status_code, said.json()


async def test_an_order_whose_request_was_cut_off_is_given_again(tmp_path: Path) -> None:
    told: list[str] = []

    async def publish(_question: str, text: str) -> tuple[str, ...]:
        told.append(text)
        if len(told) == 1:
            raise ConnectionResetError
        return ()

    standing = StandingOrder("steering", parse_steering, publish, str(tmp_path))
    body = json.dumps(order(steered())).encode()
    assert standing.is_followed
    with pytest.raises(ConnectionResetError):
        await standing.put(body)
    assert standing.to_mapping()["followed"] is False
    assert not (await standing.put(body)).changed
    assert len(told) == 2
    assert standing.to_mapping()["followed"] is True


def test_orders_of_a_node(server: Callable[[bytes], str], tmp_path: Path) -> None:
    one, two, three = (server(name) for name in (b"one", b"two", b"three"))
    options = (f"{one},{two}", "--disk", str(tmp_path))
    with edge_node(*options, workers=2) as node:  # starting one takes most of the time
        steering_is_followed(node)
        routes_are_followed(node, one, two, three)
        a_new_worker_is_told(node)
        node.kill()
    with edge_node(*options) as node:
        assert node.admin("GET", "/steering").json()["services"] == [steered()]
        assert node.get("/.amaro/steer?service=media").status_code == 200
        assert put(node, "/steering", order(number=1))[0] == 409
        assert put(node, "/steering", order(number=1, epoch=2))[0] == 200
        assert node.get("/.amaro/steer?service=media").content == b"three"
        assert put(node, "/routes", {"version": [1, 3], "groups": {}})[0] == 200
        assert node.get("/x").content == b"one"


def steering_is_followed(node: RunningNode) -> None:
    assert node.admin("GET", "/steering", token=None).status_code == 401
    nothing = {"version": [0, 0], "evidence": [], "followed": True}
    assert node.admin("GET", "/steering").json() == nothing
    assert node.get("/.amaro/steer?service=media").content == b"one"  # not claimed
    status, said = put(node, "/steering", order(steered(), number=2))
    assert (status, said["changed"], said["kept"]) == (200, True, True)
    for _ in range(8):  # whichever worker is asked
        assert node.get("/.amaro/steer?service=media").json()["TTL"] == 60
        assert b"#EXT-X-CONTENT-STEERING" in node.get(PLAYLIST).content
    status, said = put(node, "/steering", order(steered(), number=2))
    assert (status, said["changed"]) == (200, False)
    for older in (order(steered(), number=1), order(number=2), order(number=9, epoch=0)):
        status, said = put(node, "/steering", older)
        assert (status, said["version"]) == (409, [1, 2])
    assert put(node, "/steering", order(steered(ttl_s=0), number=3))[0] == 400
    told = node.admin("GET", "/steering").json()
    assert told["services"] == [steered()]
    assert told["evidence"] == [{"service": "media", "told": "-", "on": "-", "count": 8}]
    assert "amaro_edge_steering_requests_total" in node.admin("GET", "/metrics").text


def routes_are_followed(node: RunningNode, one: str, two: str, three: str) -> None:
    routes = {"version": [0, 0], "groups": {"": [one, two]}, "followed": True}
    assert node.admin("GET", "/routes").json() == routes
    assert node.get("/x").content == b"one"
    for number, urls, first in ((1, [two, one], b"two"), (2, [three], b"three")):
        status, _ = put(node, "/routes", {"version": [1, number], "groups": {"": urls}})
        assert status == 200
        assert {node.get("/x").content for _ in range(8)} == {first}
        assert node.admin("GET", "/routes").json()["groups"] == {"": urls}
    for wrong in ({"": []}, {"other": [one]}, {"": [f"{one}/path"]}, {"": ["unix:/x"]}, []):
        assert put(node, "/routes", {"version": [1, 3], "groups": wrong})[0] == 400
    assert put(node, "/routes", {"version": [1, 1], "groups": {"": [one]}})[0] == 409


def a_new_worker_is_told(node: RunningNode) -> None:
    os.kill(node.worker_pids()[0], signal.SIGKILL)
    eventually(lambda: sum(each["restarts"] for each in node.status()["workers"]) == 1)
    eventually(lambda: all(each["state"] == "serving" for each in node.status()["workers"]))
    for _ in range(8):
        assert node.get("/.amaro/steer?service=media").status_code == 200
        assert node.get("/x").content == b"three"
