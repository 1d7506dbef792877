"""Marks of lasting signals: where one stands among all, as a Redis stream would number it."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

NUMBER_MAX: Final = 999_999_999  # within one millisecond
_TEXT: Final = re.compile(r"([0-9]{1,15})-([0-9]{1,9})", re.ASCII)


class Mark(NamedTuple):
    """An instant in unix milliseconds, and a number that tells apart those within one."""

    ms: int
    number: int

    def __str__(self) -> str:
        return f"{self.ms}-{self.number}"

    @classmethod
    def parse(cls, text: str) -> Mark:
        """The mark that `str` made this text of; raises ValueError."""
        read = _TEXT.fullmatch(text)
        if read is None:
            raise ValueError(f"{text!r} is no mark")
        return cls(int(read[1]), int(read[2]))

    def next_at(self, now_wall: float) -> Mark:
        """The first mark after this one that is not before now; clocks may have been set back."""
        return max(Mark(int(now_wall * 1000), 0), Mark(self.ms, self.number + 1))

    def before(self) -> Mark:
        """The last mark that can be before this one."""
        if self.number:
            return Mark(self.ms, self.number - 1)
        return Mark(max(0, self.ms - 1), NUMBER_MAX)


ZERO: Final = Mark(0, 0)
