"""Server-Timing, for requests that carry the debug token: what was asked, how long, and why."""

import hmac
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from cache_policies.message import Fields
from edge.outcome import Outcome

DEBUG: Final = b"amaro-debug"  # the field that carries the token; no upstream sees it


@dataclass(slots=True)
class Trace:
    """What one request came to, written down on its way."""

    key: bytes = b""
    rules: tuple[str, ...] = ()  # that matched it, by name
    steps: list[tuple[str, float]] = field(default_factory=list)  # (tier, seconds), as asked


def asks_for_trace(fields: Fields, token: str) -> bool:
    """Whether a request carries the debug token; none does while there is none."""
    given = [value for name, value in fields if name == DEBUG]
    return bool(token) and len(given) == 1 and hmac.compare_digest(given[0], token.encode())


def server_timing(trace: Trace, outcome: Outcome, worker_no: int, took_s: float) -> bytes:
    """The field's value; `took_s` is from the request to the head of its answer."""
    parts = [f'edge;dur={took_s * 1e3:.3f};desc="{outcome.result} {outcome.reason}"']
    parts += [f"{tier};dur={seconds * 1e3:.3f}" for tier, seconds in trace.steps]
    parts.append(f'worker;desc="{worker_no}"')
    if trace.key:
        parts.append(f'key;desc="{sha256(trace.key).hexdigest()[:16]}"')
    parts += [f'rule;desc="{_quoted(name)}"' for name in trace.rules]
    return ", ".join(parts).encode("latin-1", "replace")


def _quoted(text: str) -> str:
    return "".join(
        mark if mark.isascii() and mark.isprintable() and mark not in '"\\' else "?"
        for mark in text
    )
