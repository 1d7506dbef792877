"""A request's body taken out of its framing (RFC 9112 §6, §7.1), however its bytes are cut."""

import re
from enum import Enum
from typing import Final

from cache_policies.message import TOKEN_BYTE
from edge.heads import FIELD_LINE
from edge.refusals import RefusedHeadError

CHUNK_LINE_BYTES_MAX: Final = 256  # a size and its extensions
EXTENSIONS_BYTES_MAX: Final = 4096  # of one body: nobody reads them
TRAILERS_BYTES_MAX: Final = 8192

_TOKEN: Final = TOKEN_BYTE + rb"+"
_QUOTED: Final = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
_CHUNK_LINE = re.compile(
    rb"([0-9A-Fa-f]{1,15})((?:;%b(?:=(?:%b|%b))?)*)" % (_TOKEN, _TOKEN, _QUOTED)
)


class _Expects(Enum):
    """What comes next of a chunked body."""

    SIZE = "size"
    DATA = "data"
    DATA_END = "data-end"
    TRAILERS = "trailers"


class RequestBody:
    """One body of `length` bytes, or chunked when that is None."""

    __slots__ = ("_expects", "_extension_bytes", "_left", "_line", "_trailer_bytes", "complete")

    def __init__(self, length: int | None) -> None:
        self._expects = _Expects.SIZE if length is None else None
        self._left = length or 0  # of the body, or of this chunk
        self._line = b""  # the beginning of a line whose end has not come
        self._extension_bytes = 0
        self._trailer_bytes = 0
        self.complete = length == 0

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """The next bytes of the body, and those after it. Raises RefusedHeadError."""
        if self._expects is None:
            taken = data[: self._left]
            self._left -= len(taken)
            self.complete = not self._left
            return taken, data[len(taken) :]
        pieces = []
        at = 0
        while at < len(data) and not self.complete:
            if self._expects is _Expects.DATA:
                piece = data[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._expects = _Expects.DATA_END
            else:
                at = self._read_line(data, at)
        return b"".join(pieces), data[at:]

    def _read_line(self, data: bytes, at: int) -> int:
        """Read on in a line; return where it ends in `data`, or the end of `data`."""
        end = data.find(b"\n", at) + 1
        self._line += data[at : end or len(data)]
        if len(self._line) > (
            TRAILERS_BYTES_MAX if self._expects is _Expects.TRAILERS else CHUNK_LINE_BYTES_MAX
        ):
            raise RefusedHeadError(
                "trailer" if self._expects is _Expects.TRAILERS else "chunk-extensions"
            )
        if not end:
            return len(data)
        line, self._line = self._line, b""
        if not line.endswith(b"\r\n"):
            raise RefusedHeadError("bare-line-end")
        self._take_line(line[:-2])
        return end

    def _take_line(self, line: bytes) -> None:
        match self._expects:
            case _Expects.SIZE:
                self._begin_chunk(line)
            case _Expects.DATA_END:
                if line:
                    raise RefusedHeadError("chunk")
                self._expects = _Expects.SIZE
            case _:
                self._trailer_bytes += len(line) + 2
                if not line:
                    self.complete = True
                elif not FIELD_LINE.fullmatch(line) or self._trailer_bytes > TRAILERS_BYTES_MAX:
                    raise RefusedHeadError("trailer")

    def _begin_chunk(self, line: bytes) -> None:
        read = _CHUNK_LINE.fullmatch(line)
        if read is None:
            raise RefusedHeadError("chunk")
        self._extension_bytes += len(read[2])
        if self._extension_bytes > EXTENSIONS_BYTES_MAX:
            raise RefusedHeadError("chunk-extensions")
        self._left = int(read[1], 16)
        self._expects = _Expects.DATA if self._left else _Expects.TRAILERS
