"""How commands speak to a person: results on stdout, everything else on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from collections.abc import Mapping

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def give_up(sentence: str, *, status: int = 1) -> NoReturn:
    """Say why the command failed and end it."""
    err.print(f"[bold red]error:[/] {escape(sentence)}", soft_wrap=True)
    raise typer.Exit(status)


def print_json(answer: Mapping[str, object]) -> None:
    """Print one JSON object on stdout, as a script reads it."""
    import json  # noqa: PLC0415

    typer.echo(json.dumps(answer))
