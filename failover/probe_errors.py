"""What an error of a probe goes back to: in a few words, and whether it is this machine's own."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from typing import Final

WHY_CHARACTERS_MAX: Final = 160
LACKS: Final = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EADDRNOTAVAIL}
)
"""Files, memory, local ports or addresses: what a probe needs of the machine that it runs on."""
PLAIN: Final = (ssl.SSLCertVerificationError, ConnectionRefusedError)  # whatever led to them


def said(error: BaseException) -> str:
    """Return what an error goes back to, in a few words."""
    root = next(_roots_of(error))
    if isinstance(root, ssl.SSLCertVerificationError):
        return root.verify_message
    if isinstance(root, ConnectionRefusedError):
        return "refused"
    return (str(root) or type(root).__name__)[:WHY_CHARACTERS_MAX]


def is_lack(error: BaseException) -> bool:
    """Say whether an error is this machine's own: one server that did refuse says otherwise."""
    return all(
        isinstance(each, MemoryError) or (isinstance(each, OSError) and each.errno in LACKS)
        for each in _roots_of(error)
    )


def can_open() -> bool:
    """Say whether another socket can be had: not every library tells that it got none."""
    try:
        socket.socket().close()
    except OSError:
        return False
    return True


def _roots_of(error: BaseException) -> Iterator[BaseException]:
    """Everything that an error goes back to: several addresses fail each in its own way."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _roots_of(each)
        return
    cause = error.__cause__ or error.__context__
    if cause is None or isinstance(error, PLAIN):
        yield error
    else:
        yield from _roots_of(cause)
