"""Several parts of a body in one: `multipart/byteranges` (RFC 9110 §14.6), its length known."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from cache_policies.message import Fields
from edge.body import Piece

Spans: TypeAlias = tuple[tuple[int, int], ...]  # first and last byte of each part


@dataclass(frozen=True, slots=True)
class Multipart:
    """What stands around the parts; `heads` come before their parts, in the same order."""

    boundary: bytes
    spans: Spans
    heads: tuple[bytes, ...]
    end: bytes

    @property
    def length(self) -> int:
        """Of the whole body, in bytes."""
        parts = sum(last - first + 1 for first, last in self.spans)
        return sum(map(len, self.heads)) + parts + len(self.end)

    def fields(self, stored: Fields) -> Fields:
        """The fields of the answer that says so, in place of what described the stored body."""
        kept = tuple(line for line in stored if line[0] not in (b"content-range", b"content-type"))
        return (*kept, (b"content-type", b"multipart/byteranges; boundary=" + self.boundary))

    def pieces(self, pieces_of: Callable[[int, int], list[Piece]]) -> list[Piece]:
        """The whole body, its parts taken from where they are."""
        pieces: list[Piece] = []
        for head, span in zip(self.heads, self.spans, strict=True):
            pieces += (head, *pieces_of(*span))
        return [*pieces, self.end]


def multipart(spans: Spans, length: int, stored: Fields) -> Multipart:
    """These parts of a body of `length` bytes. Nobody can know the boundary before it is sent."""
    boundary = secrets.token_hex(16).encode()
    kind = b"".join(b"content-type: %b\r\n" % v for n, v in stored if n == b"content-type")
    heads = tuple(
        b"%b--%b\r\n%bcontent-range: bytes %d-%d/%d\r\n\r\n"
        % (b"\r\n" if number else b"", boundary, kind, first, last, length)
        for number, (first, last) in enumerate(spans)
    )
    return Multipart(boundary, spans, heads, b"\r\n--%b--\r\n" % boundary)
