"""Past the transport: what lies in an arena goes from there to a player's socket, uncopied."""

import os
import socket
from collections.abc import Sequence
from typing import Final

from edge.arena import Slot
from edge.body import Piece

DIRECT_BYTES_MIN: Final = 32_768  # below, the further system call costs more than the copy


class BorrowedSocket(socket.socket):
    """The socket of a transport, which alone closes it."""

    def __del__(self) -> None:
        self.detach()


def slot_of(piece: Piece) -> Slot | None:
    """The place in an arena that holds a piece, if one does."""
    held = piece.obj if type(piece) is memoryview else piece
    return held if type(held) is Slot else None


def send(to: socket.socket, head: bytes, pieces: Sequence[Piece], at: int) -> list[Piece]:
    """Send what a socket takes at once; return the rest, which its transport is to write.

    The first piece begins at offset `at` of its slice, the others are whole ones. Nothing may be
    waiting in the transport. An error of the socket is the transport's to find.
    """
    left = [head, *pieces]
    try:
        sent = to.send(head, socket.MSG_MORE)
        while sent == len(left[0]):
            del left[0]
            slot = slot_of(left[0]) if left else None
            if slot is None:
                return left
            sent = 0
            sent = os.sendfile(to.fileno(), slot.arena.fd, slot.offset + at, len(left[0]))
            at = 0
    except OSError:  # it is full, or broken
        return left
    left[0] = memoryview(left[0])[sent:]
    return left
