"""Slices in an arena: whole, given back with their last use, and never changed on their way."""

import contextlib
import errno
import gc
import os
import socket
import zlib

import pytest

from edge import arena as arena_module
from edge.arena import SLICE_BYTES, Arena
from edge.direct import BorrowedSocket, send, slot_of


def slice_of(seed):
    return bytes([seed]) * (SLICE_BYTES - 1) + b"."


def pages_bytes(arena):
    return os.fstat(arena.fd).st_blocks * 512


def received(reader, count):
    reader.settimeout(20)
    data = b""
    while len(data) < count:
        piece = reader.recv(1 << 20)
        assert piece, "closed"
        data += piece
    return data


@pytest.fixture
def arena():
    return Arena(4 * SLICE_BYTES)


@pytest.fixture
def pair():
    with socket.create_server(("127.0.0.1", 0)) as server:
        reader = socket.create_connection(server.getsockname())
        writer, _ = server.accept()
    writer.setblocking(False)
    with reader, writer:
        yield writer, reader


def test_a_slot_is_a_buffer_with_its_bytes(arena):
    slot = arena.keep(slice_of(1))
    assert slot is not None
    assert len(slot) == SLICE_BYTES
    assert b"".join([slot]) == b"" + memoryview(slot).tobytes() == slice_of(1)
    assert zlib.crc32(slot) == zlib.crc32(slice_of(1))
    assert slot_of(memoryview(slot)[5:9]) is slot
    assert bytes(memoryview(slot)[-2:]) == b"\x01."


def test_pages_are_freed_with_the_last_use(arena):
    slot = arena.keep(slice_of(1))
    part = memoryview(slot)[7:9]
    assert pages_bytes(arena) == SLICE_BYTES
    del slot
    assert (pages_bytes(arena), bytes(part)) == (SLICE_BYTES, b"\x01\x01")
    del part
    assert pages_bytes(arena) == 0


def test_a_full_arena_keeps_nothing_more(arena):
    slots = [arena.keep(slice_of(n)) for n in range(5)]
    assert [slot is None for slot in slots] == [False] * 4 + [True]
    del slots[0]
    assert arena.keep(slice_of(9)) is not None


@pytest.mark.parametrize("written", [None, 4096])
def test_what_cannot_be_written_is_not_kept(arena, monkeypatch, written):
    def pwrite(fd, data, offset):
        if written is None:
            raise OSError(errno.ENOSPC, "no memory")
        return written

    with monkeypatch.context() as patched:
        patched.setattr(arena_module.os, "pwrite", pwrite)
        assert arena.keep(slice_of(1)) is None
    slots = [arena.keep(slice_of(n)) for n in range(5)]
    assert [slot is None for slot in slots] == [False] * 4 + [True]


def test_where_pages_cannot_be_freed_there_is_no_arena(monkeypatch):
    class Mapping:
        def __init__(self, fd, size):
            assert size == SLICE_BYTES

        def madvise(self, *_):
            raise OSError(errno.EINVAL, "not known here")

    monkeypatch.setattr(arena_module.mmap, "mmap", Mapping)
    with pytest.raises(OSError, match="not known"):
        Arena(SLICE_BYTES)


def test_the_file_is_closed_with_the_last_slot():
    arena = Arena(SLICE_BYTES)
    fd, slot = arena.fd, arena.keep(slice_of(1))
    del arena
    os.fstat(fd)
    del slot
    gc.collect()
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(fd)


def test_what_is_on_its_way_is_not_changed_by_a_later_slice(arena, pair):
    writer, reader = pair
    small = Arena(SLICE_BYTES)  # one place: the next slice must take the same
    slot = small.keep(slice_of(1))
    left = send(writer, b"head", [memoryview(slot)[: 256 * 1024]], 0)
    sent = 4 + 256 * 1024 - sum(map(len, left))
    assert sent > 4
    del left, slot
    assert small.keep(slice_of(2)) is not None
    assert received(reader, sent) == (b"head" + slice_of(1))[:sent]


def test_slices_and_what_is_not_in_an_arena_arrive_in_order(arena, pair):
    writer, reader = pair
    first, second = arena.keep(slice_of(1)), arena.keep(slice_of(2))
    at = SLICE_BYTES - 40_000
    pieces = [memoryview(first)[at:], memoryview(second), b"tail"]
    left = send(writer, b"head:", pieces, at)
    expected = b"head:" + slice_of(1)[at:] + slice_of(2) + b"tail"
    data = received(reader, len(expected) - sum(map(len, left)))
    assert data + b"".join(left) == expected
    assert left[-1:] == [b"tail"]


def test_a_full_socket_takes_nothing_and_loses_nothing(arena, pair):
    writer, reader = pair
    filled = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            filled += writer.send(bytes(1 << 20))
    slot = arena.keep(slice_of(3))
    left = send(writer, b"head", [memoryview(slot)], 0)
    received(reader, filled)
    sent = SLICE_BYTES + 4 - sum(map(len, left))
    assert received(reader, sent) + b"".join(left) == b"head" + slice_of(3)


def test_a_broken_socket_is_left_to_its_transport(arena, pair):
    writer, _ = pair
    slot = arena.keep(slice_of(3))
    writer.shutdown(socket.SHUT_WR)
    assert b"".join(send(writer, b"head", [memoryview(slot)], 0)) == b"head" + slice_of(3)


def test_a_borrowed_socket_is_not_closed(pair):
    writer, reader = pair
    borrowed = BorrowedSocket(fileno=writer.fileno())
    borrowed.send(b"a")
    del borrowed
    gc.collect()
    writer.send(b"b")
    assert received(reader, 2) == b"ab"
