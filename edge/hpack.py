"""Response heads as HPACK header blocks (RFC 7541): static names, literal values, no state.

Nothing is added to the dynamic table, so a block is the same bytes on every connection and can be
kept, as the head is from which it is made.
"""

from typing import Final

HEADS_KEPT_MAX: Final = 1024
LINES_KEPT_MAX: Final = 4096

_NAMES: Final = (  # of the static table, from entry 15 on (RFC 7541 Appendix A)
    "accept-charset accept-encoding accept-language accept-ranges accept "
    "access-control-allow-origin age allow authorization cache-control content-disposition "
    "content-encoding content-language content-length content-location content-range content-type "
    "cookie date etag expect expires from host if-match if-modified-since if-none-match if-range "
    "if-unmodified-since last-modified link location max-forwards proxy-authenticate "
    "proxy-authorization range referer refresh retry-after server set-cookie "
    "strict-transport-security transfer-encoding user-agent vary via www-authenticate"
)
_INDEX: Final = {name.encode(): 15 + number for number, name in enumerate(_NAMES.split(" "))}
_STATUS: Final = {b"200": 8, b"204": 9, b"206": 10, b"304": 11, b"400": 12, b"404": 13, b"500": 14}
_HOP_BY_HOP: Final = frozenset(  # RFC 9113 §8.2.2
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)


class Blocks:
    """Header blocks by the HTTP/1.1 heads that say the same; one for each listener of a worker."""

    def __init__(self) -> None:
        self._heads: dict[bytes, bytes] = {}
        self._lines: dict[bytes, bytes] = {}

    def of(self, head: bytes) -> bytes:
        """The block for a complete head, as memory renders it."""
        block = self._heads.get(head)
        if block is None:
            if len(self._heads) >= HEADS_KEPT_MAX:
                self._heads.clear()  # those of objects that are asked for are back within a second
            block = self._heads[head] = self.of_once(head)
        return block

    def of_once(self, head: bytes) -> bytes:
        """The block for a head that will not be sent again."""
        first, *lines = head[:-4].split(b"\r\n")
        pieces = [_status(first[9:12])]
        for line in lines:
            literal = self._lines.get(line)
            if literal is None:
                if len(self._lines) >= LINES_KEPT_MAX:
                    self._lines.clear()
                name, _, value = line.partition(b":")
                literal = self._lines[line] = _literal(name.lower(), value.strip(b" \t"))
            pieces.append(literal)
        return b"".join(pieces)


def _status(code: bytes) -> bytes:
    index = _STATUS.get(code)
    return bytes([0x80 | index]) if index is not None else b"\x08\x03" + code


def _literal(name: bytes, value: bytes) -> bytes:
    """A literal field line without indexing (RFC 7541 §6.2.2); b"" for one that may not be sent."""
    if name in _HOP_BY_HOP:
        return b""
    index = _INDEX.get(name)
    named = b"\x00" + _string(name) if index is None else _integer(index, 4)
    return named + _string(value)


def _string(data: bytes) -> bytes:
    return _integer(len(data), 7) + data


def _integer(value: int, prefix_bits: int) -> bytes:
    """An integer whose first byte has only its low bits to spare (RFC 7541 §5.1)."""
    largest = (1 << prefix_bits) - 1
    if value < largest:
        return bytes([value])
    value -= largest
    rest = bytearray([largest])
    while value >= 0x80:
        rest.append(value & 0x7F | 0x80)
        value >>= 7
    rest.append(value)
    return bytes(rest)
