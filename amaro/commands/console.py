"""`amaro console serve`: the feed, watch and upload pages."""

from __future__ import annotations

from typing import Annotated

import typer

from amaro.terminal import give_up

app = typer.Typer(
    help="The web pages: feed, watch, upload, what people watch, failover.", no_args_is_help=True
)


@app.callback()
def root() -> None:
    """The web pages: feed, watch, upload, what people watch, failover."""


@app.command()
def serve(
    edge: Annotated[
        list[str],
        typer.Option(metavar="NAME=URL", help="An edge and its region; repeat it. First: default."),
    ],
    origin: Annotated[str, typer.Option(metavar="URL", help="Where uploads go.")],
    edge_admin: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=URL", help="Its admin listener, for /popular; repeatable."),
    ] = None,
    member: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=URL", help="A member of failover, for /failover; repeatable."),
    ] = None,
    listen: Annotated[str, typer.Option(metavar="HOST:PORT")] = "127.0.0.1:8085",
    realtime: Annotated[
        bool, typer.Option("--realtime", help="The edges have --realtime: show who is here.")
    ] = False,
    signed: Annotated[
        bool, typer.Option("--signed", help="The edges demand tokens, which the API gives.")
    ] = False,
    provider: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="Where steering may send players; repeatable."),
    ] = None,
) -> None:
    """Serve the pages.

    Example: amaro console serve --edge north=http://127.0.0.1:8080 --origin http://127.0.0.1:8084
    """
    from console.assets import MissingScriptsError  # noqa: PLC0415
    from console.server import serve as serve_console  # noqa: PLC0415
    from console.settings import (  # noqa: PLC0415
        SettingsError,
        console_settings,
        parse_listen,
        with_providers,
    )

    try:
        settings = console_settings(
            *(edge, origin, edge_admin or ()),
            members=member or (),
            realtime=realtime,
            signed=signed,
        )
        settings = with_providers(settings, provider or ())
        host, port = parse_listen(listen)
    except SettingsError as error:
        give_up(str(error), status=2)
    try:
        serve_console(settings, host=host, port=port)
    except (MissingScriptsError, OSError) as error:
        give_up(str(error))
