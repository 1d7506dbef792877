"""How much of an edge anybody may have: the limits of a policy file, compiled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cache_policies.match import Conditions, compile_where, literal_path, plain_host, plain_path

if TYPE_CHECKING:
    from cache_policies.rules import Limit as Written

BURST_S: Final = 2.0  # of a rate: what it brings in this time may come at once
PRIORITIES: Final = ("playback", "feed", "uploads", "transcodes", "prewarming")
"""What a request is worth when there is not enough for all; the first is worth most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit. A number that is None is not limited."""

    name: str
    line: int
    conditions: Conditions
    per_client: bool  # each client has it for itself; else all that it is about share it
    counts_hits: bool  # plain hits, too
    per_s: float | None = None  # requests
    burst: int = 1  # of them at once
    concurrency: int | None = None  # requests that are being answered, without plain hits
    bps: float | None = None  # bytes of bodies

    @property
    def is_everywhere(self) -> bool:
        """Whether it is about all requests."""
        conditions = self.conditions
        return conditions.hosts is None and conditions.paths is None and conditions.methods is None

    def to_mapping(self) -> dict[str, Any]:
        """Return what an edge's status says of it."""
        return {
            "name": self.name,
            "per": "client" if self.per_client else "prefix",
            "requests_per_s": self.per_s,
            "burst": self.burst if self.per_s is not None else None,
            "concurrency": self.concurrency,
            "bytes_per_s": self.bps,
        }

    def holds_of(self, method: bytes, host: bytes, target: bytes) -> bool:
        """Whether it is about such a request; `host` is the one that the resource is stored under.

        A path that origins may read in two ways is under the limits of both.
        """
        conditions = self.conditions
        if conditions.methods is not None and method not in conditions.methods:
            return False
        host = plain_host(host)
        return any(
            conditions.hold_at(host, path) for path in {plain_path(target), literal_path(target)}
        )


def compile_limits(written: Iterable[Written], lines: Iterable[int]) -> tuple[Limit, ...]:
    """Return what the limits of a policy file mean; `lines` are where they begin."""
    return tuple(
        Limit(
            name=each.name,
            line=line,
            conditions=compile_where(each.match),
            per_client=each.per == "client",
            counts_hits=each.hits,
            per_s=each.rate,
            burst=each.burst or max(1, round((each.rate or 0.0) * BURST_S)),
            concurrency=each.concurrency,
            bps=each.bandwidth,
        )
        for each, line in zip(written, lines, strict=True)
    )
