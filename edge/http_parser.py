"""What the HTTP parser says of a head that was read here already."""

from typing import Final

import httptools

from edge.refusals import RefusedHeadError

_ASCII: Final = bytes(range(128)) + b"x" * 128


class _HearsNothing:
    """What the parser calls: without `on_header` and `on_url` it only validates (2 us a head)."""


_HEARS_NOTHING: Final = _HearsNothing()


def is_followed_by_http(head: bytes) -> bool:
    """Whether what follows a head is HTTP: not so after an upgrade, refused by passing over it.

    Raises RefusedHeadError.
    """
    try:
        # it takes no target beyond ASCII; what a target may hold was looked at before
        line, mark, lines = head.partition(b"\r\n")
        plain = line.translate(_ASCII) + mark + lines
        httptools.HttpRequestParser(_HEARS_NOTHING).feed_data(plain)
    except httptools.HttpParserUpgrade:
        return False
    except httptools.HttpParserError:
        raise RefusedHeadError("syntax") from None
    return True
