"""Which purges a message between edges takes account of: `Amaro-Sequence: LOG;NUMBER`.

The origin's purge log counts the purges of a region. Who asks says up to which number it knows
them; who answers, as of which number what it gives was fetched.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from cache_policies.message import Fields

SEQUENCE: Final = b"amaro-sequence"
_LOG_DIGITS: Final = 16  # hexadecimal, of a log's id
_NUMBER_DIGITS: Final = 18


class Known(NamedTuple):
    """A place in a log of purges."""

    log_id: bytes
    number: int  # of the last purge that is known

    def line(self) -> tuple[bytes, bytes]:
        """The field line that says so."""
        return SEQUENCE, b"%b;%d" % (self.log_id.hex().encode(), self.number)


def said(fields: Fields) -> Known | None:
    """What a message says, None when it says nothing that makes sense, or twice."""
    values = [value for name, value in fields if name == SEQUENCE]
    if len(values) != 1:
        return None
    log, _, digits = values[0].partition(b";")
    if not digits.isdigit() or len(digits) > _NUMBER_DIGITS or len(log) != _LOG_DIGITS:
        return None
    try:
        return Known(bytes.fromhex(log.decode("ascii")), int(digits))
    except ValueError:
        return None
