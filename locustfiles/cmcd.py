"""Common Media Client Data as a query parameter (CTA-5004 §3)."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

TOKENS = frozenset({"ot", "sf", "st"})  # keys whose values are tokens, not strings


def cmcd_query(values: Mapping[str, str | int | bool | None]) -> str:
    """`CMCD=…` for the given keys in alphabetical order; None and False are left out."""
    told = {key: value for key, value in values.items() if value is not None and value is not False}
    said = [_pair(key, value) for key, value in sorted(told.items())]
    return f"CMCD={quote(','.join(said), safe='')}"


def _pair(key: str, value: str | int | bool | None) -> str:
    if value is True:
        return key
    if isinstance(value, str) and key not in TOKENS:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{key}="{escaped}"'
    return f"{key}={value}"
