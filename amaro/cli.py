"""The `amaro` command: one typer application, one file a subcommand."""

from __future__ import annotations

import typer

from amaro.commands import access, console, edge, failover, policy
from amaro.commands.origin import app as origin
from amaro.commands.purge import purge
from amaro.commands.segmenter import app as segmenter
from amaro.commands.status import status
from amaro.commands.top import top
from amaro.commands.up import up
from amaro.commands.upload import upload

app = typer.Typer(
    name="amaro",
    help="Amaro Edge: from a phone's upload to a browser's screen, through a cache of your own.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(up)
app.command()(status)
app.command()(upload)
app.add_typer(origin, name="origin")
app.command()(purge)
app.command()(top)
app.add_typer(edge.app, name="edge")
app.add_typer(policy.app, name="policy")
app.add_typer(access.app, name="access")
app.add_typer(failover.app, name="failover")
app.add_typer(segmenter, name="segmenter")
app.add_typer(console.app, name="console")


def main() -> None:
    """Run the command line; the exit status is 0, 1 (it failed) or 2 (it was asked wrongly)."""
    app()
