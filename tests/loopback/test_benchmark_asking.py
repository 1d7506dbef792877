"""The load of the memory benchmark gets what its origin sends, and tells wrong bytes."""

import asyncio
import mmap
import os
import socket
from contextlib import asynccontextmanager

import pytest

from benchmarks.asking import ask
from benchmarks.object_origin import MARK_BYTES, Connection, body, head, mark
from benchmarks.pairing import RunRefusedError
from benchmarks.readers import finish, over_tls, stalled, stalled_over_tls, trickle
from benchmarks.resident import Resident, resident_bytes, tree
from benchmarks.stalled_streams import WINDOW_MAX, StalledStreams
from tests.support.edges import Asked, edge_and_origin, response, until
from tests.support.tls import EDGE, client_context

MIB = 1024 * 1024


class Wrong(Connection):
    """Gives everybody the next object."""

    def data_received(self, data):
        self.transport.write(head(0, 1024) + mark(99) + bytes(1024 - MARK_BYTES))


@asynccontextmanager
async def origin(protocol):
    made = []

    def make():
        made.append(protocol())
        return made[-1]

    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        sockets = [each.transport.get_extra_info("socket") for each in made]
        for each in made:
            each.transport.abort()
        await until(lambda: all(each.fileno() < 0 for each in sockets))


async def test_every_object_is_asked_for_and_checked():
    wanted = [(number, size) for number, size in enumerate([0, 1, 16, 17, 1024, 3 * MIB] * 3)]
    async with origin(Connection) as port:
        async with asyncio.timeout(180):
            await ask(port, iter(wanted), 4)


async def test_another_objects_bytes_end_the_run():
    async with origin(Wrong) as port:
        with pytest.raises(RunRefusedError, match="object 0"):
            async with asyncio.timeout(180):
                await ask(port, iter([(0, 1024)]), 1)


async def test_a_stalled_reader_reads_nothing():
    async with origin(Connection) as port:
        [connection] = await stalled(port, [b"/o/1/1024"])
        expected = len(head(1, 1024)) + 1024 - 1
        await until(lambda: len(connection.recv(4096, socket.MSG_PEEK)) == expected)
        connection.close()


@pytest.mark.parametrize("protocol", [Connection, Wrong])
async def test_what_a_stalled_reader_reads_at_last_is_checked(protocol):
    async with origin(protocol) as port:
        [connection] = await stalled(port, [b"/o/1/1024"])
        if protocol is Wrong:
            with pytest.raises(RunRefusedError, match="a stalled reader got"):
                await asyncio.to_thread(finish, connection, (1, 1024))
        else:
            await asyncio.to_thread(finish, connection, (1, 1024))
        connection.close()


async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
    number, size = map(int, asked.target.split(b"/")[2:])
    writer.write(response(body(number, size), "Cache-Control: max-age=60"))


async def test_stalled_readers_over_tls_are_checked():
    async with edge_and_origin(script, tls=[EDGE]) as (edge, _):

        def read_at_last(asked, expected):
            target, context = b"/o/%d/%d" % asked, client_context("http/1.1")
            finish(stalled_over_tls(edge.port, target, context), expected)

        await asyncio.to_thread(read_at_last, (1, MIB), (1, MIB))
        with pytest.raises(RunRefusedError, match="a stalled reader got"):
            await asyncio.to_thread(read_at_last, (1, MIB), (2, MIB))


@pytest.mark.parametrize("window", [0, WINDOW_MAX])
async def test_stalled_streams_are_all_answered_and_checked(window):
    async with edge_and_origin(script, tls=[EDGE]) as (edge, origin):

        def stop():
            connection = over_tls(edge.port, client_context("h2"))
            return StalledStreams(connection, (1, MIB), streams=20, initial_window=window)

        for _ in range(2):
            streams = await asyncio.to_thread(stop)
            await asyncio.to_thread(streams.finish)
        assert len(origin.asked) == 1


async def test_wrong_bytes_in_a_stream_end_the_run():
    async with edge_and_origin(script, tls=[EDGE]) as (edge, _):

        def read_another():
            connection = over_tls(edge.port, client_context("h2"))
            streams = StalledStreams(connection, (1, MIB), streams=2, initial_window=0)
            streams.expected = memoryview(body(2, MIB))
            try:
                streams.finish()
            finally:
                connection.close()

        with pytest.raises(RunRefusedError, match="got wrong bytes"):
            await asyncio.to_thread(read_another)


async def test_a_slow_reader_reads_piece_by_piece():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.sendall(b"x" * 100)
        reading = asyncio.create_task(trickle([ours], 40))
        await until(lambda: len(ours.recv(100, socket.MSG_PEEK)) < 100)
        assert len(ours.recv(100, socket.MSG_PEEK)) % 10 == 0
        reading.cancel()


def test_what_a_process_holds_is_seen():
    resident = Resident(os.getpid())
    assert os.getpid() in tree(os.getpid())
    held = mmap.mmap(-1, 64 * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)  # not the heap
    held.write(bytes(len(held)))
    assert resident.grown_bytes() > 48 * MIB
    assert resident.peak_bytes > 48 * MIB
    assert resident_bytes([os.getpid()]) > len(held)
