"""Clients at the listener: who is counted, who is believed, and who is too slow."""

import asyncio

import pytest

from edge.settings import Limits
from tests.support.edges import Asked, edge_and_origin, response, until
from tests.support.wire import Connection, Wire, close_worker, worker_without_listener


class FromAfar(Wire):
    """A transport whose player is somewhere else."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._extra["peername"] = (address, 4711)


async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
    match asked.target:
        case b"/echo":
            writer.write(response(asked.body, "Cache-Control: no-store"))
        case b"/big":
            writer.write(response(b"B" * 8_000_000, "Cache-Control: max-age=600"))
        case _:
            writer.write(response(b"body", "Cache-Control: max-age=600"))


async def test_one_client_has_so_many_connections_and_no_more() -> None:
    worker = worker_without_listener(client_connections_max=2)
    connections = [
        Connection(worker, worker.protocol(), FromAfar(address))  # type: ignore[arg-type]
        for address in ("203.0.113.1", "203.0.113.1", "203.0.113.1", "203.0.113.2", "127.0.0.1")
    ]
    said = [connection.wire.take() for connection in connections]
    assert [each[:12] for each in said] == [b"", b"", b"HTTP/1.1 429", b"", b""]
    assert b"\r\nretry-after: 5\r\n" in said[2]
    assert worker.counters.snapshot()["refused_client_connections_max"] == 1
    connections[0].close()
    again = Connection(worker, worker.protocol(), FromAfar("203.0.113.1"))  # type: ignore[arg-type]
    assert again.wire.take() == b""
    for connection in (*connections[1:], again):
        connection.close()
    assert not len(worker.accounts.clients)
    await close_worker(worker)


@pytest.mark.parametrize("target", ["/followed", "/app"])
@pytest.mark.parametrize("trusted", [(), ("127.0.0.0/8",)])
async def test_only_a_trusted_proxy_may_name_the_client(
    target: str, trusted: tuple[str, ...]
) -> None:
    lines = ["X-Forwarded-For: 6.6.6.6, 203.0.113.5"]
    lines += ["Cache-Control: max-age=5"] if target == "/app" else []
    async with edge_and_origin(script, trusted_proxies=trusted) as (edge, origin):
        await edge.get(target, *lines)
        client = b"203.0.113.5" if trusted else b"127.0.0.1"
        assert origin.asked[0].get("x-forwarded-for") == client
        assert "hit" in (await edge.get(target, "X-Forwarded-For: 7.7.7.7")).says
        assert edge.worker.counters.hits == 1  # such a request is a plain one


async def test_a_body_that_dribbles_is_given_up() -> None:
    limits = {"idle_s": 0.3, "sender_min_bps": 1000}
    async with edge_and_origin(script, **limits) as (edge, origin):
        client = await edge.client()
        client.send(b"POST /echo HTTP/1.1\r\nHost: edge.test\r\nContent-Length: 1000\r\n\r\n")

        async def dribble() -> None:
            while True:
                client.send(b"x")
                await asyncio.sleep(0.05)

        dribbling = asyncio.create_task(dribble())
        assert (await client.read()).status == 400
        dribbling.cancel()
        assert origin.asked == []


async def test_a_player_that_takes_nothing_is_cut_in_time() -> None:
    async with edge_and_origin(script, reader_idle_s=0.3, keep_alive_s=0.1) as (edge, _):
        await edge.get("/big")
        cut = edge.worker.counters.readers_cut  # a machine that stands still cuts others, too
        client = await edge.client()
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        client.send(b"GET /big HTTP/1.1\r\nHost: edge.test\r\n\r\n")
        await until(lambda: edge.worker.counters.readers_cut == cut + 1)
        await until(lambda: not edge.server.server_state.connections)


def test_limits_of_a_worker_are_its_share() -> None:
    assert Limits(client_connections_max=9).share(4).client_connections_max == 3
