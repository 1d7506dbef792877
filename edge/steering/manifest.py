"""The steering manifest (draft-pantos-hls-rfc8216bis §7.2) that one player's question gets."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from edge.steering.orders import HERE, SteeredService

SERVICE: Final = "service"
DRAW: Final = "draw"  # a number from 0 to 1 by which a player belongs to a pathway, for good
TOLD: Final = "told"  # the pathway that the last manifest named first
PATHWAY: Final = "_HLS_pathway"
THROUGHPUT: Final = "_HLS_throughput"
PARAMETERS_MAX: Final = 32

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DRAW = re.compile(r"0(?:\.[0-9]{1,9})?")
_THROUGHPUT = re.compile(r"[0-9]{1,15}")


class QueryError(ValueError):
    """A question that is none; the message says what is wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a player asks, and what it tells of itself."""

    service: str = ""  # where it goes without saying
    draw: float | None = None  # None when it asks for the first time
    told: str = ""
    on: str = ""  # the pathway it plays from
    throughput_bps: int | None = None


def parse_query(query: bytes) -> Question:
    """Return the question in a query; parameters of others are left alone. Raises QueryError."""
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, max_num_fields=PARAMETERS_MAX,
            errors="strict",
        )  # fmt: skip
    except ValueError:
        raise QueryError(f"want at most {PARAMETERS_MAX} parameters of UTF-8") from None
    names = [name for name, _ in pairs if name in _READ]
    if len(names) != len(set(names)):
        raise QueryError("each parameter once")
    given = dict(pairs)
    values = {name: _value(given, name) for name in names}
    draw, throughput = values.get(DRAW), values.get(THROUGHPUT)
    return Question(
        service=values.get(SERVICE, ""),
        draw=None if draw is None else float(draw),
        told=values.get(TOLD, ""),
        on=values.get(PATHWAY, ""),
        throughput_bps=None if throughput is None else int(throughput),
    )


_READ: Final[Mapping[str, tuple[re.Pattern[str], str]]] = {
    SERVICE: (_NAME, "the name of a service"),
    DRAW: (_DRAW, "a number below 1, as 0.25"),
    TOLD: (_NAME, "the name of a pathway"),
    PATHWAY: (re.compile(rf"{_NAME.pattern}|\."), "the name of a pathway"),
    THROUGHPUT: (_THROUGHPUT, "bits a second"),
}


def _value(given: Mapping[str, str], name: str) -> str:
    pattern, wanted = _READ[name]
    value = given[name]
    if name == PATHWAY and len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1]  # a quoted string in the draft, as it is in what players send
    if pattern.fullmatch(value) is None:
        raise QueryError(f"{name}: want {wanted}")
    return value


def first_pathway(service: SteeredService, draw: float) -> str:
    """Return the pathway that a player with this draw belongs to.

    The shares lie side by side in their order: a share that grows takes players of its neighbours.
    """
    until = 0.0
    for name, share in service.shares:
        until += share
        if draw < until:
            return name
    return next(name for name, share in reversed(service.shares) if share)


def priorities(service: SteeredService, draw: float) -> tuple[str, ...]:
    """Return all pathways in the order in which this player is to try them."""
    first = first_pathway(service, draw)
    return (first, *(name for name in service.order if name != first), HERE)


def kept_draw(draw: float) -> str:
    """Return a draw as it is written down; read back and written again it is the same."""
    return f"{min(round(draw * 1e6), 999_999) / 1e6:.6f}"  # cut off, one in 87 sinks each time


def manifest(service: SteeredService, draw: float) -> bytes:
    """Return the manifest as JSON. Each pathway is in each: who loses the server has them all."""
    kept = kept_draw(draw)
    priority = priorities(service, float(kept))
    again = {SERVICE: service.name, DRAW: kept, TOLD: priority[0]}
    said: dict[str, Any] = {
        "VERSION": 1,
        "TTL": int(service.ttl_s) if service.ttl_s.is_integer() else service.ttl_s,
        "RELOAD-URI": f"?{urlencode(again)}",
        "PATHWAY-PRIORITY": priority,
        "PATHWAY-CLONES": [
            {
                "BASE-ID": HERE,
                "ID": each.id,
                "URI-REPLACEMENT": {"HOST": each.host}
                | ({"PARAMS": dict(each.params)} if each.params else {}),
            }
            for each in service.pathways
        ],
    }
    return json.dumps(said, separators=(",", ":")).encode()
