"""A page's connection without a socket: what it leaves behind, and what waits while it is slow."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from typing import Any

import pytest
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from edge.clients import ClientCounts, TrustedProxies
from edge.realtime.connection import HEARD_BYTES, HubConnection, Shared
from edge.realtime.hub import Hub
from edge.realtime.limits import HubLimits
from edge.realtime.marks import Mark
from edge.realtime.messages import Lasting
from edge.realtime.visitors import Visitors
from tests.support.pages import hub_of, said_in, settle
from tests.support.wire import Wire


class Tcp(Wire):
    """What the hub writes goes to the page; flow control is the test's."""

    ended = aborted = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("192.0.2.1", 4711) if name == "peername" else default

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def abort(self) -> None:
        self.closed = self.aborted = True


class Visit:
    """A connection and the page at its other end."""

    def __init__(self, shared: Shared, client: str = "") -> None:
        self.tcp = Tcp()
        self.page = ClientProtocol(parse_uri("ws://edge/.amaro/ws"))
        self.connection = HubConnection(shared)
        self.connection.connection_made(self.tcp)
        request = self.page.connect()
        if client:
            request.headers["X-Forwarded-For"] = client
        self.page.send_request(request)
        self._send()
        self.take()

    def say(self, **message: Any) -> None:
        self.page.send_text(json.dumps(message).encode())
        self._send()

    def take(self) -> list[dict[str, Any]]:
        """What the page has heard since."""
        self.page.receive_data(self.tcp.take())
        events = self.page.events_received()
        return [json.loads(each.data) for each in events if isinstance(each, Frame)]

    def _send(self) -> None:
        for data in self.page.data_to_send():
            self.connection.data_received(data)


def shared_of(hub: Hub, proxies: TrustedProxies | None = None) -> Shared:
    proxies = proxies or TrustedProxies()
    clients = ClientCounts(2, proxies)
    return Shared(hub=hub, visitors=Visitors((), proxies), clients=clients, fanning=asyncio.Event())


def visit(shared: Shared) -> Visit:
    """One that has joined a topic."""
    made = Visit(shared)
    made.say(t="hello", v=1, token="ada")
    made.say(t="join", topic="story:a")
    assert [said["t"] for said in made.take()] == ["welcome", "joined"]
    return made


async def test_a_connection_that_ends_leaves_nothing_for_the_collector() -> None:
    shared = shared_of(hub_of())
    gc.collect()
    gc.disable()
    try:
        made = visit(shared)
        ends = weakref.ref(made.connection._ws)
        made.connection.connection_lost(None)
        del made
        assert ends() is None
    finally:
        gc.enable()
    assert (len(shared.open), len(shared.clients)) == (0, 0)
    assert shared.hub.gauges()["clients"] == 0


async def test_who_does_not_wait_for_the_handshake_hears_it_first() -> None:
    shared, tcp = shared_of(hub_of()), Tcp()
    page = ClientProtocol(parse_uri("ws://edge/.amaro/ws"))
    page.send_request(page.connect())
    hello = json.dumps({"t": "hello", "v": 1, "token": "ada"}).encode()
    frame = Frame(Opcode.TEXT, hello).serialize(mask=True)
    connection = HubConnection(shared)
    connection.connection_made(tcp)
    connection.data_received(b"".join(page.data_to_send()) + frame)
    assert tcp.sent.startswith(b"HTTP/1.1 101 ")
    page.receive_data(tcp.take())
    _, welcome = page.events_received()
    assert json.loads(welcome.data)["t"] == "welcome"


async def test_a_slow_page_loses_old_news_and_no_lasting_ones() -> None:
    hub = hub_of(HubLimits(queue_fleeting_max=2))
    made = visit(shared_of(hub))
    made.connection.pause_writing()
    assert not made.tcp.reading
    for number in range(5):
        made.say(t="say", topic="story:a", kind="reaction", value=str(number))
    hub.publish(Lasting("story:a", "watchable", "k", {}), Mark(1, 0))
    settle(hub)
    made.connection.ping()
    assert made.take() == []
    made.connection.resume_writing()
    assert made.tcp.reading
    assert [said["value"] for said in made.take()] == ["3", "4", {}]
    assert hub.counted["queue-lost"] == 3


async def test_what_waited_waits_again_when_it_is_too_much() -> None:
    hub = hub_of()
    made = visit(shared_of(hub))
    made.connection.pause_writing()
    for number in range(3):
        hub.publish(Lasting("story:a", "watchable", str(number), {}), Mark(1, number))
    settle(hub)
    write = made.tcp.write

    def fill(data: Any) -> None:
        write(data)
        made.connection.pause_writing()

    made.tcp.write = fill  # type: ignore[method-assign]
    made.connection.resume_writing()
    assert [said["key"] for said in made.take()] == ["0"]
    made.tcp.write = write  # type: ignore[method-assign]
    made.connection.resume_writing()
    assert [said["key"] for said in made.take()] == ["1", "2"]


async def test_connections_of_one_client_are_bounded() -> None:
    shared = shared_of(hub_of())
    first, waiting = visit(shared), HubConnection(shared)
    waiting.connection_made(Tcp())  # it has not shaken hands, and may never do
    third, tcp = HubConnection(shared), Tcp()
    third.connection_made(tcp)
    assert tcp.take().startswith(b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 5\r\n")
    assert tcp.closed
    assert shared.hub.counted["refused client-connections-max"] == 1
    third.connection_lost(None)
    first.connection.connection_lost(None)
    visit(shared)
    waiting.connection_lost(None)
    visit(shared)


async def test_so_are_those_of_one_client_of_a_proxy() -> None:
    proxies = TrustedProxies(["192.0.2.1"])
    shared = shared_of(hub_of(), proxies)
    made = [Visit(shared, client="203.0.113.1") for _ in range(3)]
    assert [each.page.handshake_exc is None for each in made] == [True, True, False]
    assert shared.hub.counted["handshake 429"] == 1
    refused = made[2].page.handshake_exc
    assert isinstance(refused, InvalidStatus)
    assert refused.response.headers["Retry-After"] == "5"
    assert Visit(shared, client="203.0.113.2").page.handshake_exc is None
    made[0].connection.connection_lost(None)
    assert Visit(shared, client="203.0.113.1").page.handshake_exc is None
    unclear = [Visit(shared, client="192.0.2.99, unknown") for _ in range(3)]
    assert [each.page.handshake_exc is None for each in unclear] == [True, True, False]
    for each in unclear:
        each.connection.connection_lost(None)
    assert Visit(shared, client="unknown").page.handshake_exc is None


async def test_connections_in_all_are_bounded() -> None:
    shared = shared_of(hub_of(HubLimits(connections_max=1)))
    visit(shared)
    tcp = Tcp()
    other = HubConnection(shared)
    other.connection_made(tcp)
    assert tcp.take().startswith(b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\n")
    assert tcp.closed
    other.data_received(b"x")
    other.connection_lost(None)
    assert len(shared.open) == 1


async def test_who_says_too_much_is_told_so_whatever_else_was_on_its_way() -> None:
    shared = shared_of(hub_of())
    made = visit(shared)
    nonsense = [Frame(Opcode.TEXT, b"{").serialize(mask=True) for _ in range(300)]
    made.connection.data_received(b"".join(nonsense))
    assert not made.tcp.aborted
    made.page.receive_data(made.tcp.take())
    assert made.page.events_received()
    said = made.page.close_rcvd
    assert said is not None
    assert (said.code, said.reason) == (4429, "refusals-max")
    assert shared.hub.counted["closed refusals-max"] == 1


@pytest.mark.parametrize("opcode", [Opcode.PING, Opcode.PONG])
async def test_who_floods_with_the_smallest_frames_is_cut(opcode: Opcode) -> None:
    made = visit(shared_of(hub_of()))
    flood = Frame(opcode, b"").serialize(mask=True) * 10_000
    made.connection.data_received(flood)
    assert made.tcp.ended
    assert made.tcp.sent.count(b"\x8a\x00") < HEARD_BYTES
    assert made.connection._shared.hub.counted["refused rate"] < HEARD_BYTES


async def test_what_is_said_is_rendered_as_the_page_reads_it() -> None:
    hub = hub_of()
    made = visit(shared_of(hub))
    hub.publish(Lasting("story:a", "watchable", "k", {"x": "y" * 200}), Mark(1, 0))
    settle(hub)
    sent = bytes(made.tcp.sent)
    assert said_in(sent) == made.take()[0]
