"""Speaking to a terminal that may be gone."""

from __future__ import annotations

import errno
import io

import pytest

from amaro.terminal import Terminal


class Gone(io.StringIO):
    """A file whose reader has closed the window."""

    def __init__(self, reason: int) -> None:
        super().__init__()
        self.reason = reason

    def write(self, _text: str) -> int:
        raise OSError(self.reason, "gone")


@pytest.mark.parametrize("reason", [errno.EIO, errno.EPIPE], ids=errno.errorcode.get)
def test_what_nobody_can_read_is_dropped(reason: int) -> None:
    terminal = Terminal(file=Gone(reason))
    terminal.print("Stopping …")
    terminal.print("Stopped.")
