"""The fill client's connections are used again, one exchange after the other."""

import asyncio

from edge.fetch import Fetch, FillClient, Response
from edge.routes import Upstream
from tests.support.edges import Asked, Edge, edge_and_origin, response


def client_of(edge: Edge) -> FillClient:
    return edge.worker.app._exchange.filler.asker.client


def fetch_of(target: bytes) -> Fetch:
    return Fetch(b"GET", target, ((b"host", b"edge.test"),))


async def rest_of(reply: Response) -> bytes:
    body = b""
    while piece := await reply.read():
        body += piece
    return body


async def test_closing_a_response_that_is_over_leaves_the_connection_to_the_next_one() -> None:
    more = asyncio.Event()

    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        whole = response(b"b" * 100)
        if asked.target == b"/first":
            writer.write(whole)
            return
        writer.write(whole[:-50])
        await more.wait()
        writer.write(whole[-50:])

    async with edge_and_origin(script) as (edge, origin):
        client, upstream = client_of(edge), Upstream(origin.url)
        first = await client.fetch(upstream, fetch_of(b"/first"))
        assert await rest_of(first) == b"b" * 100
        second = await client.fetch(upstream, fetch_of(b"/second"))
        first.close()
        more.set()
        assert await rest_of(second) == b"b" * 100
        second.close()
        assert origin.connections == 1


async def test_a_response_that_is_not_read_to_its_end_takes_its_connection_with_it() -> None:
    async def script(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(response(b"b" * 100)[:-50])

    async with edge_and_origin(script) as (edge, origin):
        client, upstream = client_of(edge), Upstream(origin.url)
        for connections in (1, 2):
            reply = await client.fetch(upstream, fetch_of(b"/x"))
            assert await reply.read() == b"b" * 50
            reply.close()
            reply.close()
            assert origin.connections == connections
