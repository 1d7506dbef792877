"""The load of the memory benchmark gets what its origin sends, and tells wrong bytes."""

import asyncio
import os
import socket
from contextlib import asynccontextmanager

import pytest

from benchmarks.asking import ask
from benchmarks.object_origin import MARK_BYTES, Connection, head, mark
from benchmarks.pairing import RunRefusedError
from benchmarks.readers import stalled, trickle
from benchmarks.resident import Resident, resident_bytes, tree
from tests.support.edges import until

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
        async with asyncio.timeout(25):
            await ask(port, iter(wanted), 4)


async def test_another_objects_bytes_end_the_run():
    async with origin(Wrong) as port:
        with pytest.raises(RunRefusedError, match="object 0"):
            async with asyncio.timeout(25):
                await ask(port, iter([(0, 1024)]), 1)


async def test_a_stalled_reader_reads_nothing():
    async with origin(Connection) as port:
        [connection] = await stalled(port, [b"/o/1/1024"])
        expected = len(head(1, 1024)) + 1024 - 1
        await until(lambda: len(connection.recv(4096, socket.MSG_PEEK)) == expected)
        connection.close()


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
    held = bytearray(os.urandom(1) * (64 * MIB))
    assert resident.grown_bytes() > 48 * MIB
    assert resident.peak_bytes > 48 * MIB
    assert resident_bytes([os.getpid()]) > len(held)
