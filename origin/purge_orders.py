"""What an operator may order: read strictly, since a typo must not purge something else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from cache_policies.purge_values import ValueRefusedError, tag_value, url_value
from origin.purge_log import PAGE_MAX, VALUE_MAX_BYTES, Kind, Wanted

VALUES_MAX: Final = PAGE_MAX  # one transaction, and one message to each edge
BODY_MAX_BYTES: Final = 1024 * 1024
ID_MAX: Final = 64  # characters

_KINDS: Final = ", ".join(f'"{kind.value}"' for kind in Kind)
_READERS: Final = {Kind.URL: url_value, Kind.PREFIX: url_value, Kind.TAG: tag_value}
_FIELDS: Final = {"kind", "values", "soft", "id"}


class OrderError(ValueError):
    """The order cannot be followed; the message says what is wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be purged, and the name by which the order is known when it is sent again."""

    wanted: tuple[Wanted, ...]
    order_id: str | None = None


def parse_order(body: bytes) -> Order:
    """Return the order that a JSON body gives. Raises OrderError."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise OrderError(f"not JSON: {error}") from None
    if not isinstance(said, dict):
        raise OrderError('want {"kind": …, "values": […]}')
    if unknown := said.keys() - _FIELDS:
        raise OrderError(f'nothing is known of "{min(unknown)}"; want kind, values, soft, id')
    soft, order_id = said.get("soft", False), said.get("id")
    if not isinstance(soft, bool):
        raise OrderError('"soft" is true or false')
    if order_id is not None and not (isinstance(order_id, str) and 0 < len(order_id) <= ID_MAX):
        raise OrderError(f'"id" is a string of 1 to {ID_MAX} characters')
    kind = _kind(said.get("kind"))
    values = dict.fromkeys(_values(kind, said.get("values", [])))
    wanted = tuple(Wanted(kind, value, soft) for value in values)
    return Order(wanted=wanted, order_id=order_id)


def _kind(said: Any) -> Kind:
    try:
        return Kind(said)
    except ValueError:
        raise OrderError(f'"kind" is one of {_KINDS}') from None


def _values(kind: Kind, said: Any) -> list[str]:
    if kind is Kind.ALL:
        if said:
            raise OrderError('"all" has no values')
        return [""]
    if not isinstance(said, list) or not all(isinstance(text, str) for text in said):
        raise OrderError('"values" is a list of strings')
    if not 0 < len(said) <= VALUES_MAX:
        raise OrderError(f'"values" holds 1 to {VALUES_MAX} of them')
    read = _READERS[kind]
    try:
        return [read(text, max_bytes=VALUE_MAX_BYTES).decode() for text in said]
    except ValueRefusedError as error:
        raise OrderError(str(error)) from None
