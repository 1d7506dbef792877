"""What is wrong with a policy file, where, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line and a column of a file, both counted from 1."""

    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True, order=True)
class Complaint:
    """What is wrong at a place, and what to do about it."""

    place: Place
    text: str


class PolicyFileError(Exception):
    """A policy file that cannot be used; it says everything that is wrong with it."""

    def __init__(self, name: str, complaints: list[Complaint]) -> None:
        self.name = name
        self.complaints = tuple(complaints)
        super().__init__("\n".join(self.lines()))

    def to_list(self) -> list[dict[str, Any]]:
        """The complaints as JSON has them."""
        return [
            {"line": each.place.line, "column": each.place.column, "message": each.text}
            for each in self.complaints
        ]

    def lines(self) -> list[str]:
        """One `file:line:column: what` for each complaint."""
        return [
            f"{self.name}:{each.place.line}:{each.place.column}: {each.text}"
            for each in self.complaints
        ]
