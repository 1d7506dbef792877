"""What a probe came to, and how a probe says that it failed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """One probe's result: `why` is empty if all was as it should be."""

    why: str = ""
    took_ms: float = 0.0
    is_lack: bool = False  # of something here: it says nothing of who was asked

    @property
    def is_good(self) -> bool:
        """Whether the target did what the probe wants."""
        return not self.why


class ProbeFailedError(Exception):
    """What a probe met that must not be; the message says it in a few words."""


class LackError(Exception):
    """Nobody could be asked, for lack of something here; the message says of what."""
