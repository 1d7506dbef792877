"""Reads the JSON object in a body: a name that is there twice is refused (RFC 8259 §4)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any


def json_object(text: bytes | str) -> dict[str, Any]:
    """Return the object. Raises ValueError with what is wrong, or what is wanted."""
    try:
        read = json.loads(text, object_pairs_hook=_members)
    except TwiceError:
        raise
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None
    if not isinstance(read, dict):
        raise ValueError("want a JSON object")
    return read


class TwiceError(ValueError):
    """A name that is there twice: readers differ in which of the values counts."""


def _members(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise TwiceError(f"{twice[:64]!r} is there twice")
    return members
