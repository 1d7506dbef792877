"""What an operator may bend in RFC 9111; the defaults are a plain, correct shared cache."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CachePolicy:
    """The knobs of storing and reuse. Built once, never changed; a new set has a new `epoch`."""

    epoch: int = 0
    heuristic_fraction: float = 0.1  # share of (Date - Last-Modified); 0 turns heuristics off
    heuristic_max_s: float = 86_400.0
    request_directives: bool = True  # honour Cache-Control of requests
    request_max_stale_s: float = 0.0  # how far a request's max-stale is honoured
    stale_if_error_s: float = 0.0  # for responses that say nothing about it
    tags_max: int = 256  # purge tags of one response; further ones are not read
