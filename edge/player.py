"""What answers need of whoever asked: a connection of HTTP/1.1, or a stream of HTTP/2."""

from collections.abc import Iterable
from typing import Any, Protocol

from edge.body import Piece


class Sink(Protocol):
    """Where a response goes."""

    def write(self, data: Piece) -> None:
        """Send bytes."""

    def writelines(self, list_of_data: Iterable[Piece]) -> None:
        """Send all of these."""

    def get_extra_info(self, name: str) -> Any:
        """What carries it alone: its `socket`, unless others are answered there too."""

    def is_closing(self) -> bool:
        """Whether nobody listens any more."""

    def close(self) -> None:
        """Send what waits, and no more."""

    def abort(self) -> None:
        """Send nothing more."""


class Flow(Protocol):
    """Whether more may be written, and read."""

    @property
    def write_paused(self) -> bool:
        """Whether to wait before writing more."""

    async def drain(self) -> None:
        """Wait until more may be written."""

    def pause_reading(self) -> None:
        """Read no more of the request for now."""

    def resume_reading(self) -> None:
        """Read on."""


class Player(Protocol):
    """Whoever asked."""

    @property
    def chunks(self) -> bool:
        """Whether a body of unknown length is sent in chunks; else its end shows by itself."""

    @property
    def transport(self) -> Sink:
        """Where the response goes."""

    @property
    def flow(self) -> Flow:
        """Whether it takes more."""

    @property
    def address(self) -> bytes:
        """Of the player."""

    @property
    def is_ending(self) -> bool:
        """Whether this answer is the connection's last."""

    def on_response_complete(self) -> None:
        """The response is out."""

    def linger(self) -> None:
        """Close, but not before what still comes was read for a while."""
