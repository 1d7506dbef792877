"""What an operator may ask to be purged, read strictly: a typo must not purge something else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from cache_policies.purge_values import ValueRefusedError, tag_value, url_value
from edge.purges import VALUE_MAX_BYTES, PurgeKind

VALUES_MAX: Final = 1_000
ORDER_MAX_BYTES: Final = VALUE_MAX_BYTES - 512  # a value: its host's other name may be longer
BODY_MAX_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeOrder:
    """One order: a kind and the values it names, each of which becomes one purge."""

    kind: PurgeKind
    values: tuple[bytes, ...]
    soft: bool = False


class OrderError(ValueError):
    """The order cannot be followed; the message says what is wanted."""


_FORMS: Final = {
    "url": PurgeKind.URL,
    "prefix": PurgeKind.PREFIX,
    "tag": PurgeKind.TAG,
    "tags": PurgeKind.TAG,
    "all": PurgeKind.ALL,
}
_WANTED: Final = 'want one of {"url": …}, {"prefix": …}, {"tag": …}, {"tags": […]}, {"all": true}'


def parse_order(body: bytes) -> PurgeOrder:
    """Return the order that a JSON body gives; raises OrderError."""
    try:
        order = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise OrderError(f"not JSON: {error}") from None
    if not isinstance(order, dict):
        raise OrderError(_WANTED)
    soft = order.pop("soft", False)
    if not isinstance(soft, bool):
        raise OrderError('"soft" is true or false')
    if len(order) != 1 or not order.keys() <= _FORMS.keys():
        raise OrderError(_WANTED)
    ((form, value),) = order.items()
    return PurgeOrder(kind=_FORMS[form], values=_values(form, value), soft=soft)


def _values(form: str, value: Any) -> tuple[bytes, ...]:
    if form == "all":
        if value is not True:
            raise OrderError('"all" is true or left out')
        return (b"",)
    texts = value if form == "tags" else [value]
    if not isinstance(texts, list) or not all(isinstance(text, str) and text for text in texts):
        raise OrderError(f'"{form}" is {"a list of strings" if form == "tags" else "a string"}')
    if not 0 < len(texts) <= VALUES_MAX:
        raise OrderError(f'"{form}" holds 1 to {VALUES_MAX} of them')
    return tuple(read_value(_FORMS[form], text) for text in texts)


def read_value(kind: PurgeKind, text: str) -> bytes:
    """What a purge of this kind names by a text; not of everything. Raises OrderError."""
    if not text:
        raise OrderError("nothing is named")
    read = tag_value if kind is PurgeKind.TAG else url_value
    try:
        return read(text, max_bytes=ORDER_MAX_BYTES)
    except ValueRefusedError as error:
        raise OrderError(str(error)) from None
