"""How commands speak to a person: results on stdout, everything else on stderr."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


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


def print_rows(rows: Sequence[Sequence[tuple[str, str]]]) -> None:
    """Print rows of (text, style) in columns as wide as they must be, whatever the terminal is."""
    widths = [max(len(text) for text, _ in column) for column in zip(*rows, strict=True)]
    for row in rows:
        line = Text("  ")
        for (text, style), width in zip(row, widths, strict=True):
            line.append(text, style).append(" " * (width - len(text) + 4))
        line.rstrip()
        out.print(line, soft_wrap=True)


def give_up(sentence: str, *, status: int = 1) -> NoReturn:
    """Say why the command failed and end it."""
    # A log or a pipe gets one line; a terminal gets lines that break between words.
    err.print(f"[bold red]error:[/] {escape(sentence)}", soft_wrap=not err.is_terminal)
    raise typer.Exit(status)


def print_json(answer: Mapping[str, object]) -> None:
    """Print one JSON object on stdout, as a script reads it."""
    import json  # noqa: PLC0415

    typer.echo(json.dumps(answer))
