"""Slices that many take leave past the transport: the same bytes, in the same order."""

import asyncio
import random
import socket
from functools import partial

from benchmarks.resident import in_memory_bytes, resident_bytes
from tests.support.edge_node import edge_node, eventually
from tests.support.edges import Client, response, running_origin

SLICE = 1 << 20
LENGTH = 3 * SLICE + 123_456
BODY = random.Random(7).randbytes(LENGTH)
PLAYERS = 12
ASKED = 60  # of each player


async def script(asked, writer):
    body = BODY if asked.target.startswith(b"/segment") else b"small"
    writer.write(response(body, "Cache-Control: max-age=600", 'ETag: "one"'))


def moved_bytes(node):
    """The bytes of the slices that a node's worker has moved so far."""
    (pid,) = node.worker_pids()
    return in_memory_bytes(pid, "slices")


def ask(target, *fields):
    lines = [f"GET {target} HTTP/1.1", "Host: edge.test", *fields]
    return "\r\n".join([*lines, "", ""]).encode()


async def warmed(node):
    """Ask for each slice until all of them were moved."""
    reader, writer = await asyncio.open_connection(*node.settings.listen, limit=1 << 24)
    client = Client(reader, writer)
    for _ in range(2000):
        for first in range(0, 3 * SLICE, SLICE):
            writer.write(ask("/segment", f"Range: bytes={first}-{first + 65535}"))
            got = await client.read()
            assert got.body == BODY[first : first + 65536]
        if await asyncio.to_thread(moved_bytes, node) == 3 * SLICE:
            break
    writer.close()
    assert await asyncio.to_thread(moved_bytes, node) == 3 * SLICE


async def play(node, seed):
    """One player: parts, wholes and small answers, some pipelined, read at odd speeds."""
    chance = random.Random(seed)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, chance.choice([4096, 1 << 20]))
    connection.connect(node.settings.listen)
    connection.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=connection, limit=1 << 23)
    client, expected = Client(reader, writer), []
    for _ in range(ASKED):
        first = chance.randrange(LENGTH)
        last = min(LENGTH - 1, first + chance.choice([9, 40_000, 65_535, SLICE, LENGTH]))
        kind = chance.choice(["part", "part", "part", "whole", "small", "parts"])
        if kind == "part":
            writer.write(ask("/segment", f"Range: bytes={first}-{last}"))
            expected.append(BODY[first : last + 1])
        elif kind == "whole":
            writer.write(ask("/segment"))
            expected.append(BODY)
        elif kind == "small":
            writer.write(ask("/small"))
            expected.append(b"small")
        else:
            writer.write(ask("/segment", f"Range: bytes=0-5,{first}-{last}"))
            expected.append(None)
        if chance.random() < 0.5:
            for body in expected:
                got = await client.read()
                assert got.whole
                assert body is None or got.body == body, (seed, got.status)
            expected = []
    for body in expected:
        got = await client.read()
        assert body is None or got.body == body, (seed, got.status)
    writer.close()


async def test_players_get_the_same_bytes_in_the_same_order():
    async with running_origin(script) as origin:
        with edge_node(origin.url, memory="64MiB") as node:
            await warmed(node)
            await asyncio.gather(*[play(node, seed) for seed in range(PLAYERS)])
            assert len(origin.asked) == 2


async def test_a_purge_leaves_a_stalled_reader_its_bytes_and_frees_the_rest():
    async with running_origin(script) as origin:
        with edge_node(origin.url, memory="64MiB") as node:
            await warmed(node)
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(node.settings.listen)
            connection.sendall(ask("/segment"))
            await asyncio.to_thread(partial(connection.recv, 1, socket.MSG_PEEK))
            assert (await asyncio.to_thread(partial(node.purge, all=True))).is_success
            reader, writer = await asyncio.open_connection(sock=connection, limit=1 << 24)
            got = await Client(reader, writer).read()
            assert got.body == BODY
            writer.close()
            await asyncio.to_thread(node.get, "/small")  # what is stored next makes room
            await asyncio.to_thread(eventually, lambda: moved_bytes(node) == 0, "freed pages")


async def test_a_reader_that_breaks_off_harms_nobody():
    async with running_origin(script) as origin:
        with edge_node(origin.url, memory="64MiB") as node:
            await warmed(node)
            for number in range(40):
                connection = socket.create_connection(node.settings.listen)
                connection.sendall(ask("/segment") * 3)
                connection.recv(1 + number * 1000)
                connection.close()
            await play(node, 99)


async def test_what_was_moved_counts_as_resident():
    async with running_origin(script) as origin:
        with edge_node(origin.url, memory="64MiB") as node:
            (pid,) = await asyncio.to_thread(node.worker_pids)
            await warmed(node)
            with_slices = resident_bytes([pid])
            assert (await asyncio.to_thread(partial(node.purge, all=True))).is_success
            await asyncio.to_thread(eventually, lambda: moved_bytes(node) == 0, "freed pages")
            assert with_slices - resident_bytes([pid]) > 2 * SLICE
