"""What of a query names a resource: parameters kept, dropped or sorted."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from cache_policies.glob import Glob, matches_any


@dataclass(frozen=True, slots=True)
class Query:
    """Which parameters are part of the key, and of what an origin is asked.

    `keep` and `drop` are patterns of parameter names; None leaves that matter alone.
    """

    keep: tuple[Glob, ...] | None = None
    drop: tuple[Glob, ...] | None = None
    sort: bool = False

    def reduce(self, target: bytes) -> bytes:
        """Return the target with what is left of its query; doing it twice changes nothing more."""
        path, mark, query = target.partition(b"?")
        if not mark:
            return target
        parts = query.split(b"&")
        if self.keep is not None:
            parts = [part for part in parts if matches_any(self.keep, _name(part))]
        if self.drop is not None:
            parts = [part for part in parts if not matches_any(self.drop, _name(part))]
        if self.sort:
            parts = sorted(filter(None, parts))
        reduced = b"&".join(parts)
        return path + b"?" + reduced if reduced else path


def _name(part: bytes) -> bytes:
    """The name of a `name=value` pair, decoded."""
    name = part.partition(b"=")[0]
    if b"%" in name or b"+" in name:
        return unquote_to_bytes(name.replace(b"+", b" "))
    return name
