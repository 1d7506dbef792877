"""Whom the commands of failover speak to, and who speaks."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from amaro.stack import StackError
from amaro.terminal import err, give_up

if TYPE_CHECKING:
    from amaro.failover_members import Members, Said

WhoOption = Annotated[
    str | None, typer.Option("--who", metavar="NAME", help="Who orders it, if not this user.")
]


def members_of(data: Path, admin: list[str] | None, token_file: Path | None) -> Members:
    """Return the members that the options name, or give up."""
    from amaro.failover_members import find_members  # noqa: PLC0415

    try:
        return find_members(data=data, admin=admin, token_file=token_file)
    except StackError as error:
        if admin or token_file:
            give_up(str(error), status=2)
        give_up(f"{error} Members elsewhere: --admin URL.")


def user_name() -> str:
    """Return who runs the command."""
    return os.environ.get("SUDO_USER") or getpass.getuser()


def complain_of_silent(asked: list[Said]) -> None:
    """Name those that did not answer, or give up where nobody did."""
    from amaro.failover_members import unreachable  # noqa: PLC0415

    if all(each.why_not for each in asked):
        give_up(unreachable(asked))
    for each in asked:
        if each.why_not:
            text = f"[yellow]{escape(each.url)} does not answer:[/] {escape(each.why_not)}"
            err.print(text, soft_wrap=True)
