"""`--redis URL` of every command that has one: the Valkey of a region."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from amaro.services import REDIS_VARIABLE
from amaro.stack import StackError

RedisOption = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        envvar=REDIS_VARIABLE,
        help="Valkey for live progress and purges: one server, Sentinels or a cluster, as edges "
        "have it.",
    ),
]
"""Of the origin and its workers."""


def read_valkey(text: str) -> str:
    """A Valkey or Redis URL. Raises ValueError."""
    from cache_policies.valkey_address import parse_address  # noqa: PLC0415

    ca_file = parse_address(text).ca_file
    if ca_file is not None and not Path(ca_file).is_file():
        raise ValueError(f"ca={ca_file}: no such file")
    return text


def given_valkey(text: str | None) -> str | None:
    """The URL, if there is one. Raises StackError."""
    try:
        return None if text is None else read_valkey(text)
    except ValueError as error:
        raise StackError(f"--redis: {error}") from None
