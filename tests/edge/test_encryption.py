"""What one side seals the other opens, in any cut; what is no TLS breaks it."""

import ssl
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.encryption import FED_BYTES_MAX, RECORD_BYTES_MAX, Encryption
from edge.tls import Certificates, read_pairs
from tests.support.tls import EDGE, client_context

CONTEXT = Certificates(read_pairs([EDGE])).context
OUTGOING = ssl.MemoryBIO()  # of all connections
SIZES = st.lists(st.integers(1, 3 * RECORD_BYTES_MAX), max_size=4)


class Player:
    """The other side."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = context or client_context("h2")
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="edge.test")

    def shake(self, data: bytes) -> bytes:
        self.incoming.write(data)
        with suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return self.outgoing.read()

    def read(self, data: bytes) -> bytes:
        self.incoming.write(data)
        got = b""
        with suppress(ssl.SSLWantReadError):
            while piece := self.tls.read(1 << 16):
                got += piece
        return got


def connected() -> tuple[Player, Encryption]:
    player, encryption = Player(), Encryption(CONTEXT, OUTGOING)
    said = player.shake(b"")
    while not encryption.is_ready:
        said = player.shake(encryption.shake(said))
    player.read(said)  # nothing, or a ticket
    return player, encryption


@settings(max_examples=30, deadline=None)
@given(SIZES, SIZES, st.integers(1, 2 * FED_BYTES_MAX))
def test_bytes_arrive_whole_in_any_cut(there, back, cut):
    player, encryption = connected()
    asked = b"".join(bytes([number]) * size for number, size in enumerate(there))
    if asked:
        player.tls.write(asked)
    wire, got = player.outgoing.read(), b""
    for at in range(0, len(wire), cut):
        plain, answer = encryption.opened(wire[at : at + cut])
        got += plain
        assert answer == b""
    assert got == asked
    pieces = [bytes([number]) * size for number, size in enumerate(back)]
    assert player.read(encryption.sealed(map(memoryview, pieces))) == b"".join(pieces)
    assert OUTGOING.pending == 0


def test_one_buffer_is_of_all_connections():
    (one, its), (other, others) = connected(), connected()
    assert one.read(its.sealed([b"for one"])) == b"for one"
    assert other.read(others.sealed([b"for the other"])) == b"for the other"


def test_a_piece_and_its_header_are_one_record():
    player, encryption = connected()
    sealed = encryption.sealed([b"a" * RECORD_BYTES_MAX] * 2)
    assert len(sealed) == 2 * (RECORD_BYTES_MAX + 5 + 1 + 16)
    assert player.read(sealed) == b"a" * 2 * RECORD_BYTES_MAX


def test_either_side_says_that_it_ends():
    player, encryption = connected()
    with pytest.raises(ssl.SSLWantReadError):
        player.tls.unwrap()
    assert encryption.opened(player.outgoing.read()) == (b"", b"")
    assert encryption.is_ended
    player, encryption = connected()
    assert player.read(encryption.farewell()) == b""
    assert encryption.farewell() == b""


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"\x17\x03\x03\x00\x01\x00"])
def test_what_is_no_handshake_breaks_it(data):
    encryption = Encryption(CONTEXT, OUTGOING)
    encryption.shake(data)
    assert (encryption.is_broken, encryption.is_ready, OUTGOING.pending) == (True, False, 0)


def test_a_changed_byte_breaks_it_and_nothing_of_it_is_read():
    player, encryption = connected()
    player.tls.write(b"true")
    wire = player.outgoing.read()
    plain, alert = encryption.opened(wire[:-1] + bytes([wire[-1] ^ 1]))
    assert (plain, encryption.is_broken, alert != b"") == (b"", True, True)
    assert encryption.opened(wire) == (b"", b"")
