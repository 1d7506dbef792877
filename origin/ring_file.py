"""The ring of access keys as an origin has it: read when its file changes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from cache_policies.access_ring import RING_BYTES_MAX, Ring, RingError, parse_ring

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LOOK_EVERY_S: Final = 1.0

log = logging.getLogger(__name__)


class RingFile:
    """Gives the ring that paths are signed by; None where there is none, and they are not."""

    def __init__(self, file: Path | None, text: str, clock: Callable[[], float]) -> None:
        """Without a file the ring is `text`, if that is one. Raises RingError."""
        self._file = file
        self._clock = clock
        self._text = text if file is None else read(file)
        self._ring = parse_ring(self._text) if self._text or file is not None else None
        self._looked_wall = clock()
        self._complaint = ""  # of the file as it is

    @property
    def ring(self) -> Ring | None:
        """The ring of now; a file that cannot be used leaves it as it is."""
        now_wall = self._clock()
        if self._file is not None and abs(now_wall - self._looked_wall) >= LOOK_EVERY_S:
            self._looked_wall = now_wall
            self._look(self._file)
        return self._ring

    def _look(self, file: Path) -> None:
        try:
            text = read(file)
            if text == self._text:
                return
            self._text = text
            self._ring = parse_ring(text)
        except RingError as error:
            if str(error) != self._complaint:  # said once
                log.error("access keys stay as they are: %s: %s", file, error)
            self._complaint = str(error)
        else:
            self._complaint = ""
            log.info("access keys %s are in force", self._ring.version)


def read(file: Path) -> str:
    """Return the text of a ring. Raises RingError when it cannot be read."""
    try:
        with file.open("rb") as opened:
            return opened.read(RING_BYTES_MAX + 1).decode()
    except OSError as error:
        raise RingError(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RingError("is not UTF-8") from None
