"""What the edge refuses before anybody answers it: every reason, and the status that says so."""

from http import HTTPStatus
from typing import Final

REFUSALS: Final[dict[str, int]] = {
    "absolute-form": 400,  # of another authority than Host's (RFC 9112 §3.2.2)
    "bare-line-end": 400,  # CR or LF alone: some read it as the end of a line
    "chunk": 400,  # RFC 9112 §7.1
    "chunk-extensions": 400,  # more of them than anybody needs
    "client-connections-max": 429,
    "connections-max": 503,
    "content-length": 400,  # repeated, not a number, or beside Transfer-Encoding
    "field-name": 400,
    "field-value": 400,
    "fields-max": 431,
    "folded-field": 400,  # RFC 9112 §5.2
    "fragment": 400,
    "head-too-large": 431,
    "head-too-slow": 408,
    "host": 400,  # absent, repeated or no authority (RFC 9112 §3.2)
    "http2-flood": 400,  # of frames of no use, streams that are reset, headers: GOAWAY
    "http2-syntax": 400,  # what its parser objects to: RST_STREAM or GOAWAY (RFC 9113 §5.4)
    "http2-window": 400,  # beyond 2^31-1 (RFC 9113 §6.9.1)
    "method": 501,
    "request-line": 400,
    "streams-max": 503,  # RST_STREAM: to be tried again
    "syntax": 400,  # what only the parser objects to
    "target": 400,
    "tls-handshake": 400,  # no common version or cipher, or no TLS at all: the connection ends
    "tls-handshake-slow": 408,
    "tls-handshakes-max": 503,  # in progress: the oldest one ends
    "trailer": 400,
    "transfer-encoding": 400,  # anything but one `chunked`, or any of it with HTTP/1.0
    "url-too-long": 414,
    "version": 400,  # HTTP/0.9 included
}


READABLE: Final = (  # else a page's player sees no status, but a network that failed
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"cache-status, retry-after"),
)
"""What each answer says with which the edge itself refuses something."""
READABLE_LINES: Final = b"".join(b"%b: %b\r\n" % line for line in READABLE)
_AGAIN: Final = {429: b"retry-after: 5\r\n", 503: b"retry-after: 5\r\n"}  # connections end


class RefusedHeadError(Exception):
    """A request that nobody may answer; its status is all that its sender gets."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = REFUSALS[reason]

    def answer(self) -> bytes:
        """The whole response that says so; the connection ends with it."""
        text = self.reason.encode() + b"\n"
        phrase = HTTPStatus(self.status).phrase.encode()
        return (
            b"HTTP/1.1 %d %b\r\ncontent-type: text/plain; charset=utf-8\r\n"
            b"%b%bcontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (
                *(self.status, phrase, READABLE_LINES, _AGAIN.get(self.status, b"")),
                *(len(text), text),
            )
        )
