"""Reads orders of operators and controllers strictly: a typo must not mean something else."""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from edge.orders import OrderError
from failover.json_object import json_object

Version: TypeAlias = tuple[int, int]
"""(epoch, number) of the controller that decided; a later one replaces an earlier one."""

VERSION_MAX: Final = 1 << 53  # what every reader of JSON can count to
NONE: Final[Version] = (0, 0)


def read_object(body: bytes, bytes_max: int) -> dict[str, Any]:
    """Return the JSON object that a body holds. Raises OrderError."""
    if len(body) > bytes_max:
        raise OrderError(f"at most {bytes_max} bytes")
    try:
        return json_object(body)
    except ValueError as error:
        raise OrderError(str(error)) from None


def members(
    given: Any, where: str, wanted: frozenset[str], optional: frozenset[str] = frozenset()
) -> Mapping[str, Any]:
    """Return an object that has all `wanted` members, and no others but `optional` ones."""
    if not isinstance(given, dict):
        raise OrderError(f"{where}: want an object")
    if missing := sorted(wanted - given.keys()):
        raise OrderError(f"{where}: lacks {missing[0]!r}")
    if unknown := sorted(given.keys() - wanted - optional):
        raise OrderError(f"{where}: knows no {unknown[0]!r}")
    return given


def items(given: Any, where: str, items_max: int, items_min: int = 0) -> list[Any]:
    """Return a list of so many items."""
    if not isinstance(given, list) or not items_min <= len(given) <= items_max:
        raise OrderError(f"{where}: want a list of {items_min} to {items_max}")
    return given


def text(given: Any, where: str, chars_max: int) -> str:
    """Return a string that is not empty, of printable ASCII."""
    if not isinstance(given, str) or not 0 < len(given) <= chars_max:
        raise OrderError(f"{where}: want a string of 1 to {chars_max} characters")
    if not given.isascii() or not given.isprintable():
        raise OrderError(f"{where}: want printable ASCII")
    return given


def number(given: Any, where: str, least: float, most: float) -> float:
    """Return a finite number within these bounds."""
    is_number = isinstance(given, (int, float)) and not isinstance(given, bool)
    if not is_number or not least <= given <= most:
        raise OrderError(f"{where}: want a number from {least:g} to {most:g}")
    return float(given)


def version(given: Any) -> Version:
    """Return a version: two whole numbers, epoch first."""
    pair = items(given, "version", 2, 2)
    for each in pair:
        if not isinstance(each, int) or isinstance(each, bool) or not 0 <= each < VERSION_MAX:
            raise OrderError(f"version: want two whole numbers below {VERSION_MAX}")
    return pair[0], pair[1]
