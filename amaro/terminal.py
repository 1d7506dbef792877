"""How commands speak to a person: results on stdout, everything else on stderr."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from collections.abc import Mapping


class Terminal(Console):
    """A console whose reader may go away at any time; what nobody can read is dropped."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as rich does, except that a closed terminal is no error."""
        with suppress(OSError):
            super().print(*objects, **options)

    def on_broken_pipe(self) -> None:
        """Go on in silence, down to the last flush at exit; rich would end the program."""
        self.quiet = True
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())


out = Terminal(highlight=False)
err = Terminal(stderr=True, highlight=False)


def give_up(sentence: str, *, status: int = 1) -> NoReturn:
    """Say why the command failed and end it."""
    # A log or a pipe gets one line; a terminal gets lines that break between words.
    err.print(f"[bold red]error:[/] {escape(sentence)}", soft_wrap=not err.is_terminal)
    raise typer.Exit(status)


def print_json(answer: Mapping[str, object]) -> None:
    """Print one JSON object on stdout, as a script reads it."""
    import json  # noqa: PLC0415

    typer.echo(json.dumps(answer))
