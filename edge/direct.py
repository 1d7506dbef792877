"""Past the transport: what lies in an arena goes from there to a player's socket, uncopied."""

import socket
from collections.abc import Sequence
from os import sendfile
from typing import Final, TypeAlias

from edge.arena import Slot
from edge.body import Piece

DIRECT_BYTES_MIN: Final = 32_768  # below, the further system call costs more than the copy
_MORE: Final = int(socket.MSG_MORE)

Part: TypeAlias = tuple[Slot, int, int]
"""A slice, an offset in it, and a number of bytes."""


class BorrowedSocket(socket.socket):
    """The socket of a transport, which alone closes it."""

    def __del__(self) -> None:
        self.detach()


def slot_of(piece: Piece) -> Slot | None:
    """The place in an arena that holds a piece, if one does."""
    held = piece.obj if type(piece) is memoryview else piece
    return held if type(held) is Slot else None


def send_part(to: socket.socket, head: bytes, part: Part) -> list[Piece]:
    """Send a head and a part of one slice; return what a socket did not take at once.

    Its transport is to write that, and to find an error of the socket; nothing may wait in it.
    """
    try:
        sent = to.send(head, _MORE)
    except OSError:  # it is full, or broken
        sent = 0
    if sent < len(head):
        slot, at, size = part
        return [head[sent:], memoryview(slot)[at : at + size]]
    return _send_file(to, part)


def send(to: socket.socket, head: bytes, pieces: Sequence[Piece], at: int) -> list[Piece]:
    """As `send_part`, for pieces of one slice or more.

    The first, which lies in an arena, begins at offset `at` of its slice; the others are whole.
    """
    slot = slot_of(pieces[0])
    assert slot is not None
    left = send_part(to, head, (slot, at, len(pieces[0])))
    for number, piece in enumerate(pieces[1:], start=1):
        slot = slot_of(piece)
        if left or slot is None:
            return [*left, *pieces[number:]]
        left = _send_file(to, (slot, 0, len(piece)))
    return left


def _send_file(to: socket.socket, part: Part) -> list[Piece]:
    slot, at, size = part
    try:
        sent = sendfile(to.fileno(), slot.fd, slot.offset + at, size)
    except OSError:
        sent = 0
    return [memoryview(slot)[at + sent : at + size]] if sent < size else []
