"""A real edge with a hub: pages talk through the workers' listener, or through the hub's own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.uri import parse_uri

from amaro.ring_text import new_ring, new_secret, revoked
from cache_policies.access_ring import parse_ring
from cache_policies.signal_access import Claims, mint_signals, shared_ring
from tests.support import tls
from tests.support.counting_origin import counting_origin
from tests.support.edge_node import DEADLINE_S, NO_TLS, TOKEN, RunningNode, edge_node, eventually

REALTIME = ("--realtime", "127.0.0.1:0")


def token(name: str = "ada", **more: Any) -> str:
    claims = {"topics": ("story:*", "feed:*"), "expires_wall": time.time() + 600.0} | more
    return mint_signals(shared_ring(TOKEN), Claims(name, **claims), time.time())


class Page:
    """A page's connection."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def say(self, **message: Any) -> None:
        self.socket.send(json.dumps(message))

    def hear(self, kind: str) -> dict[str, Any]:
        """The next message of a kind."""
        while True:
            said = json.loads(self.socket.recv(DEADLINE_S))
            if said["t"] == kind:
                return said

    def join(self, topic: str, name: str = "ada", **more: Any) -> dict[str, Any]:
        self.say(t="hello", v=1, token=token(name))
        self.say(t="join", topic=topic, **more)
        return self.hear("joined")


@contextlib.contextmanager
def page(url: str, context: ssl.SSLContext | None = None, **options: Any) -> Iterator[Page]:
    with connect(
        url, ssl=context, compression=None, open_timeout=DEADLINE_S, proxy=None, **options
    ) as opened:
        yield Page(opened)


def hub_url(node: RunningNode, scheme: str = "ws") -> str:
    return f"{scheme}://{node.status()['realtime']['listen']}/.amaro/ws"


def worker_url(node: RunningNode) -> str:
    return f"ws://{node.settings.listen}/.amaro/ws"


def publish(node: RunningNode, key: str, topic: str = "story:a", **value: Any) -> None:
    signal = {"topic": topic, "kind": "watchable", "key": key, "value": value}
    answer = node.admin("POST", "/signals", json=signal)
    assert (answer.status_code, answer.json()) == (200, {"published": True})


@pytest.fixture(scope="module")
def node() -> Iterator[RunningNode]:
    with counting_origin() as origin, edge_node(origin.url, *REALTIME, workers=2) as running:
        yield running


@pytest.mark.parametrize("way", [hub_url, worker_url])
def test_people_hear_each_other(node: RunningNode, way: Any) -> None:
    topic = f"story:{way.__name__}"
    with page(way(node)) as ada, page(way(node)) as ben:
        ada.join(topic)
        ben.join(topic, "ben")
        ben.say(t="say", topic=topic, kind="reaction", value="❤")
        heard = ada.hear("signal")
        assert (heard["from"], heard["value"]) == ("ben", "❤")
        while ada.hear("presence")["here"] != 2:
            pass


def test_what_the_origin_says_reaches_pages_and_those_who_come_back(node: RunningNode) -> None:
    with page(worker_url(node)) as ada:
        since = ada.join("story:b")["since"]
        publish(node, "b-1", "story:b")
        publish(node, "b-1", "story:b")  # said again, it is no news
        publish(node, "b-2", "story:b")
        first, second = ada.hear("signal"), ada.hear("signal")
        assert [first["key"], second["key"]] == ["b-1", "b-2"]
    with page(worker_url(node)) as ada:
        joined = ada.join("story:b", after=first["mark"])
        assert (joined["gap"], ada.hear("signal")) == (False, second)
    with page(hub_url(node)) as ada:
        assert not ada.join("story:b", after=since)["gap"]
        assert [ada.hear("signal") for _ in range(2)] == [first, second]


def test_signals_that_mean_nothing_are_refused(node: RunningNode) -> None:
    assert node.admin("POST", "/signals", json={"topic": "x"}).status_code == 400
    assert node.admin("POST", "/signals", content=b"{").status_code == 400
    assert node.admin("POST", "/signals", token=None, json={}).status_code == 401


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/.amaro/ws", {"Origin": "https://elsewhere.example"}, 403),
        ("/.amaro/other", {}, 404),
    ],
)
def test_visitors_that_may_not_come(
    node: RunningNode, path: str, headers: dict[str, str], status: int
) -> None:
    url = hub_url(node).removesuffix("/.amaro/ws") + path
    with pytest.raises(InvalidStatus) as refused, page(url, additional_headers=headers):
        pass
    assert refused.value.response.status_code == status


def test_a_page_of_this_host_may_come(node: RunningNode) -> None:
    origin = f"http://{node.settings.listen}"
    with page(worker_url(node), additional_headers={"Origin": origin}) as ada:
        assert ada.join("story:a")["t"] == "joined"


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (b"GET /.amaro/ws HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 426 "),
        (b"GET /.amaro/live HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 200 "),
        (b"GET /.amaro/ready HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 200 "),
        (b"POST /.amaro/ws HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 405 "),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b""),
    ],
)
def test_what_is_no_websocket_is_answered_or_closed(
    node: RunningNode, bad: bytes, code: bytes
) -> None:
    host, _, port = node.status()["realtime"]["listen"].partition(":")
    with socket.create_connection((host, int(port)), DEADLINE_S) as client:
        client.sendall(bad)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := client.recv(4096):
                answer += piece
        assert answer.startswith(code)


def test_pages_that_go_at_once_harm_nobody(node: RunningNode) -> None:
    pid = node.status()["realtime"]["pid"]
    linger = struct.pack("ii", 1, 0)  # a reset
    request = ClientProtocol(parse_uri(worker_url(node)))
    request.send_request(request.connect())
    said = b"".join(request.data_to_send())
    for number in range(60):
        with socket.create_connection(node.settings.listen, DEADLINE_S) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            client.sendall(said if number % 3 else said[:-1])
    with page(worker_url(node)) as ada:
        assert ada.join("story:e")["t"] == "joined"
    assert node.status()["realtime"]["pid"] == pid
    text = "amaro_edge_realtime_clients 0.0"
    assert eventually(lambda: text in node.admin("GET", "/metrics").text)


def test_a_forged_token_ends_the_connection(node: RunningNode) -> None:
    with page(worker_url(node)) as ada:
        ada.say(t="hello", v=1, token=token()[:-1] + "!")
        with pytest.raises(ConnectionClosed) as closed:
            ada.socket.recv(DEADLINE_S)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4403, "token")


def test_keys_of_videos_open_signals_and_who_is_revoked_has_to_go(tmp_path: Path) -> None:
    file = tmp_path / "ring"
    keys = new_ring(new_secret())
    file.write_text(keys)
    ring, expires_wall = parse_ring(keys), time.time() + 600.0
    made = {
        name: mint_signals(ring, Claims(name, ("story:*",), expires_wall), time.time())
        for name in ("ada", "ben")
    }
    options = (*REALTIME, "--access-keys", str(file))
    with counting_origin() as origin, edge_node(origin.url, *options) as node:
        url = f"ws://{node.settings.listen}/.amaro/ws"
        with page(url) as ada, page(url) as ben, page(url) as other:
            other.say(t="hello", v=1, token=token())  # of the secret that is no key any more
            with pytest.raises(ConnectionClosed, match="token"):
                other.hear("welcome")
            for each, name in ((ada, "ada"), (ben, "ben")):
                each.say(t="hello", v=1, token=made[name])
                each.say(t="join", topic="story:a")
                each.hear("joined")
            file.write_text(revoked(keys, "/signals/ada/"))
            assert node.admin("POST", "/access").status_code == 200
            with pytest.raises(ConnectionClosed, match="token"):
                ada.hear("nothing")
            ben.say(t="join", topic="story:b")
            assert ben.hear("joined")["topic"] == "story:b"
        refused = node.admin("GET", "/metrics").text
        assert 'amaro_edge_realtime_refused_total{reason="token-revoked"} 1.0' in refused


def test_messages_beyond_the_limit_end_the_connection(node: RunningNode) -> None:
    for message in ("x" * 5000, ["x" * 3000, "x" * 3000], [""] * 80):
        with page(worker_url(node)) as ada:
            with contextlib.suppress(ConnectionClosed):
                ada.socket.send(message)
            with pytest.raises(ConnectionClosed) as closed:
                ada.socket.recv(DEADLINE_S)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


def test_who_reads_nothing_is_cut_and_others_hear_everything(node: RunningNode) -> None:
    authorization = {"Authorization": f"Bearer {TOKEN}"}
    signal = {"topic": "story:d", "kind": "watchable", "value": {"x": "x" * 2000}}
    with (
        page(hub_url(node)) as ada,
        stuck(node, "story:d"),
        httpx.Client(
            headers=authorization, timeout=DEADLINE_S, trust_env=False, verify=NO_TLS
        ) as origin,
    ):
        ada.join("story:d")
        cut = 'amaro_edge_realtime_closed_total{reason="too-slow"}'
        assert cut not in node.admin("GET", "/metrics").text
        for number in range(400):
            said = signal | {"key": f"d-{number}"}
            assert origin.post(f"{node.admin_url}/signals", json=said).status_code == 200
            assert ada.hear("signal")["key"] == f"d-{number}"
        assert f"{cut} 1.0" in node.admin("GET", "/metrics").text


@contextlib.contextmanager
def stuck(node: RunningNode, topic: str) -> Iterator[None]:
    """A page that joins a topic and reads no more."""
    host, _, port = node.status()["realtime"]["listen"].partition(":")
    protocol = ClientProtocol(parse_uri(hub_url(node)))
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(DEADLINE_S)
        client.connect((host, int(port)))
        protocol.send_request(protocol.connect())
        client.sendall(b"".join(protocol.data_to_send()))
        protocol.receive_data(client.recv(4096))
        for said in (
            {"t": "hello", "v": 1, "token": token("stuck")},
            {"t": "join", "topic": topic},
        ):
            protocol.send_text(json.dumps(said).encode())
        client.sendall(b"".join(protocol.data_to_send()))
        heard = b""
        while b"joined" not in heard:
            heard += client.recv(4096)
        yield


def test_metrics_say_what_the_hub_does(node: RunningNode) -> None:
    with page(worker_url(node)) as ada:
        ada.join("story:metrics")
        text = node.admin("GET", "/metrics").text
        assert "amaro_edge_realtime_clients 1.0" in text
        assert 'amaro_edge_realtime_handshakes_total{status="101"}' in text


def test_another_hub_takes_the_place_of_one_that_dies(node: RunningNode) -> None:
    before = node.status()["realtime"]
    with page(worker_url(node)) as ada:
        ada.join("story:c")
        os.kill(before["pid"], signal.SIGKILL)
        with pytest.raises(ConnectionClosed):
            ada.hear("never")
    with page(worker_url(node)) as ada:  # it waits at the door until there is one again
        assert ada.join("story:c", after="1-0")["gap"]
    now = node.status()["realtime"]
    assert (now["restarts"], now["state"]) == (before["restarts"] + 1, "serving")
    assert now["pid"] != before["pid"]
    publish(node, "c-1", "story:c")


def test_over_tls_pages_use_the_hubs_own_listener() -> None:
    pair = ("--tls-cert", tls.EDGE.certificate, "--tls-key", tls.EDGE.key)
    with (
        counting_origin() as origin,
        edge_node(origin.url, *REALTIME, *pair) as node,
        page(hub_url(node, "wss"), context=tls.client_context()) as ada,
    ):
        ada.join("story:a")
        publish(node, "a-1")
        assert ada.hear("signal")["key"] == "a-1"


def test_a_hub_takes_renewed_certificates(tmp_path: Path) -> None:
    files = tls.CertificatePair(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))
    for name, target in zip(tls.EDGE, files, strict=True):
        shutil.copy(name, target)
    pair = ("--tls-cert", files.certificate, "--tls-key", files.key)

    def trusts(node: RunningNode, trusted: tls.CertificatePair) -> bool:
        try:
            with page(hub_url(node, "wss"), context=tls.client_context(trusted=trusted)):
                return True
        except ssl.SSLCertVerificationError:
            return False

    with counting_origin() as origin, edge_node(origin.url, *REALTIME, *pair) as node:
        assert trusts(node, tls.EDGE)
        assert not trusts(node, tls.RENEWED)
        for name, target in zip(tls.RENEWED, files, strict=True):
            shutil.copy(name, target)
        node.process.send_signal(signal.SIGHUP)
        assert eventually(lambda: trusts(node, tls.RENEWED))


def test_when_the_node_drains_pages_are_told_to_come_back() -> None:
    with counting_origin() as origin, edge_node(origin.url, *REALTIME) as node:
        with page(worker_url(node)) as ada:
            ada.join("story:a")
            node.process.send_signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosed) as closed:
                ada.hear("never")
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001
        assert node.process.wait(DEADLINE_S) == 0


def test_without_a_hub_there_is_nobody_to_tell() -> None:
    with counting_origin() as origin, edge_node(origin.url) as node:
        assert node.status()["realtime"] is None
        answer = node.admin("POST", "/signals", json={})
        assert answer.status_code == 404
        assert "--realtime" in answer.json()["error"]
        with pytest.raises(InvalidStatus) as refused, page(worker_url(node)):
            pass  # it is the origin's own business
        assert refused.value.response.status_code != 101
        assert eventually(lambda: node.status()["ready"])
