"""An append-only record of what was decided and done: each line holds the digest of the one before.

Whoever changes, removes or inserts a line breaks the chain from there on, and `broken` names it.
What no chain can show is that its end was cut off: so every member keeps a log of its own, and the
controller's events are told to all of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

BEGINNING: Final = "0" * 64  # what the first line holds of the one before it
LINE_BYTES_MAX: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Link:
    """The end of a chain: the number and digest of its last line."""

    number: int = 0
    digest: str = BEGINNING


@dataclass(frozen=True, slots=True)
class Break:
    """Where a chain is broken: a line, counted from 1, and what is wrong with it."""

    line: int
    why: str


def entry(after: Link, at_wall: float, what: Mapping[str, Any]) -> tuple[bytes, Link]:
    """Return the line that follows a chain's end, with its newline, and the new end."""
    said = {"number": after.number + 1, "at": round(at_wall, 3), **what, "previous": after.digest}
    digest = _digest(said)
    # Half of a surrogate pair, which JSON may escape, becomes "?" in line and digest alike.
    line = json.dumps(said | {"digest": digest}, ensure_ascii=False, separators=(",", ":"))
    return line.encode(errors="replace") + b"\n", Link(after.number + 1, digest)


def broken(lines: Iterable[bytes]) -> tuple[Link, Break | None]:
    """Follow a chain from its beginning: its end, as far as it holds, and where it does not."""
    end = Link()
    for number, line in enumerate(lines, 1):
        said = read_line(line)
        if said is None:
            return end, Break(number, "is no entry; a line was damaged, or not written to its end")
        if said.get("previous") != end.digest or said.get("number") != end.number + 1:
            return end, Break(number, "does not follow the one before it")
        digest = said.pop("digest", None)
        if digest != _digest(said):
            return end, Break(number, "is not what it was when it was written")
        end = Link(number, digest)
    return end, None


def read_line(line: bytes) -> dict[str, Any] | None:
    """The entry in a line; None if there is none."""
    try:
        said = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def _digest(said: Mapping[str, Any]) -> str:
    text = json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
