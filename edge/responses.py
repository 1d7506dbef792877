"""An HTTP/1.1 response read from bytes in any chunking: head, pieces, and whether it is whole."""

from collections import deque
from collections.abc import Callable

import httptools

from cache_policies.message import Fields, end_to_end
from edge.errors import UpstreamError

BODILESS = frozenset({204, 304})
EARLY_HINTS = 103
EARLY_MAX = 8  # passed on of one response


class ResponseReader:
    """Folds the bytes of one final response. `error` says what broke it."""

    def __init__(
        self, method: bytes, head_bytes_max: int, early: Callable[[Fields], None] | None = None
    ) -> None:
        """`early` is told of the fields of each 103; other 1xx are between two hops."""
        self._method = method
        self._early = early
        self._early_left = EARLY_MAX
        self._bare_bytes_max = head_bytes_max
        self._bare_bytes = 0  # since the last of the body: heads, chunk extensions, trailers
        # it holds this reader in turn: `drop` parts the two
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._fields: list[tuple[bytes, bytes]] = []
        self._until_close = False
        self._received = 0
        self.status = 0
        self.fields: Fields = ()
        self.length: int | None = None
        self.has_bytes = False
        self.has_head = False
        self.complete = False
        self.keep_alive = False
        self.error: UpstreamError | None = None
        self.pieces: deque[bytes] = deque()
        self.held_bytes = 0

    def feed(self, data: bytes | memoryview) -> None:
        """Take the next bytes of the connection; they are copied, or used up."""
        self.has_bytes = True
        if self.complete:  # more than was asked for: never reuse such a connection
            self.keep_alive = False
            return
        if self.error is not None or self._parser is None:
            return
        received = self._received
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.error = UpstreamError("protocol-error", "the upstream switched protocols unasked")
        except httptools.HttpParserError as error:
            if not self.complete:
                self.error = UpstreamError("protocol-error", f"not HTTP/1.1: {error}")
            self.keep_alive = False
        if self._received != received:
            self._bare_bytes = 0
            return
        self._bare_bytes += len(data)
        if self._bare_bytes > self._bare_bytes_max and self.error is None and not self.complete:
            self.error = UpstreamError("head-too-large", "head or framing exceed their limit")

    def end_of_stream(self, *, clean: bool) -> None:
        """The connection has ended; only a body that is delimited by that is now complete."""
        self.keep_alive = False
        if self._until_close and clean and self.error is None:
            self.complete = True

    def take(self) -> bytes:
        """The oldest piece not yet taken."""
        piece = self.pieces.popleft()
        self.held_bytes -= len(piece)
        return piece

    def drop(self) -> None:
        """Let go of the pieces that nobody will take; nothing is read any more."""
        self._parser = self._early = None
        self.pieces.clear()
        self.held_bytes = 0

    # httptools callbacks

    def on_message_begin(self) -> None:
        if self.complete:
            self.keep_alive = False
            return
        self._fields = []

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.has_head:  # after it, trailers: they are dropped (RFC 9110 §6.5.1)
            self._fields.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        if self.complete:
            return
        parser = self._parser
        assert parser is not None
        status, version = parser.get_status_code(), parser.get_http_version()
        if version not in ("1.1", "1.0"):
            self.error = UpstreamError("protocol-error", f"HTTP/{version} is not HTTP/1.1")
            return
        if status < 100:
            self.error = UpstreamError("protocol-error", f"{status} is no status")
            return
        if 100 <= status < 200:
            if status == EARLY_HINTS and self._early is not None and self._early_left:
                self._early_left -= 1
                self._early(end_to_end(tuple(self._fields)))
            return
        self._early = None  # a pooled connection keeps this reader, and must not keep a request
        coding = [value.lower() for name, value in self._fields if name == b"transfer-encoding"]
        if coding and coding != [b"chunked"]:
            self.error = UpstreamError("protocol-error", "a transfer coding that nobody offered")
            return
        lengths = [value for name, value in self._fields if name == b"content-length"]
        self.status = status
        self.fields = tuple(self._fields)
        self.has_head = True
        self.keep_alive = parser.should_keep_alive()
        if self._method == b"HEAD" or status in BODILESS:
            self.length = 0
            self.complete = True
            # httptools waits for the body that a HEAD response only announces
            self.keep_alive = self.keep_alive or (
                version == "1.1" and b"close" not in b",".join(self._values(b"connection")).lower()
            )
        elif coding:
            self.length = None
        elif lengths:
            self.length = int(lengths[0])
        else:
            self._until_close = True

    def on_body(self, body: bytes) -> None:
        if self.complete:  # of a HEAD: more of it may come, and is no answer to the next request
            self.keep_alive = False
            return
        self._received += len(body)
        self.held_bytes += len(body)
        self.pieces.append(body)

    def on_message_complete(self) -> None:
        if not self.has_head or self.complete or self._until_close:
            return
        if self.length is not None and self._received != self.length:
            self.error = UpstreamError("truncated", "the body is not as long as announced")
            return
        self.complete = True

    def _values(self, name: bytes) -> list[bytes]:
        return [value for field, value in self.fields if field == name]
