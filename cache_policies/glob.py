"""Patterns in which `*` stands for any bytes, none included: matched in one pass, never twice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

Glob: TypeAlias = tuple[bytes, ...]
"""The literal pieces of a pattern, between its stars."""


def parse_glob(pattern: bytes) -> Glob:
    """Return the pieces of `pattern`; a pattern without a star has one."""
    return tuple(pattern.split(b"*"))


def matches(glob: Glob, value: bytes) -> bool:
    """Say whether the whole of `value` is what the pattern describes.

    Taking the leftmost place for each piece leaves the most room for the next ones, so nothing is
    ever tried again: no value makes this slow.
    """
    first, last = glob[0], glob[-1]
    if len(glob) == 1:
        return value == first
    if len(value) < len(first) + len(last):
        return False
    if not value.startswith(first) or not value.endswith(last):
        return False
    at, end = len(first), len(value) - len(last)
    for piece in glob[1:-1]:
        found = value.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def matches_any(globs: Iterable[Glob], value: bytes) -> bool:
    """Say whether one of the patterns describes `value`."""
    return any(matches(glob, value) for glob in globs)
