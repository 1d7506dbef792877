"""`amaro segmenter work`: takes accepted uploads from the queue and makes them watchable."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from amaro.commands.origin import parse_listen
from amaro.redis_option import RedisOption, given_valkey
from amaro.services import CATALOG_VARIABLE, JOBS_VARIABLE
from amaro.stack import StackError
from amaro.target import TokenFileOption, admin_urls, given_token
from amaro.terminal import give_up

app = typer.Typer(help="Encodes and packages uploads as durable jobs.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """Keep `work` a subcommand, even while it is the only one."""


@app.command()
def work(
    jobs: Annotated[
        str,
        typer.Option(metavar="URL", envvar=JOBS_VARIABLE, help="Database of the durable jobs."),
    ],
    data: Annotated[Path, typer.Option(metavar="DIR", help="The origin's data directory.")] = Path(
        ".amaro/origin"
    ),
    listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Answer health probes there.")
    ] = None,
    catalog: Annotated[
        str | None,
        typer.Option(
            metavar="URL", envvar=CATALOG_VARIABLE, help="SQLAlchemy URL instead of SQLite in DIR."
        ),
    ] = None,
    store: Annotated[
        str | None, typer.Option(metavar="URL", help="s3://bucket/prefix instead of DIR/objects.")
    ] = None,
    redis: RedisOption = None,
    edge_admin: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="Admin listener of an edge to purge; may be repeated."),
    ] = None,
    token_file: TokenFileOption = None,
    jobs_at_once: Annotated[
        int, typer.Option(min=1, help="First publications, and as many improvements, at a time.")
    ] = 1,
    duration_max_h: Annotated[
        float, typer.Option(min=0.001, help="Longest video that is accepted.")
    ] = 4.0,
    memory_max_mib: Annotated[
        int, typer.Option(min=256, help="Address space of one encoder.")
    ] = 4096,
) -> None:
    """Make uploads watchable, one after the other, until stopped.

    Example: amaro segmenter work --data .amaro/origin --jobs sqlite:///.amaro/jobs.sqlite
    """
    from amaro.compose import run_worker  # noqa: PLC0415
    from origin.serving import StartError, check  # noqa: PLC0415
    from origin.settings import OriginSettings  # noqa: PLC0415
    from segmenter.tools import Limits  # noqa: PLC0415
    from segmenter.worker import WorkerSettings  # noqa: PLC0415

    try:
        address = parse_listen(listen) if listen else None
        admins = admin_urls("--edge-admin", edge_admin or ())
        token = given_token(token_file)
        redis_url = given_valkey(redis)
    except StackError as error:
        give_up(str(error), status=2)
    origin = OriginSettings(
        data=data,
        catalog_url=catalog,
        store_url=store,
        jobs_url=jobs,
        redis_url=redis_url,
        edge_admin_urls=admins,
        token=token,
    )
    settings = WorkerSettings(
        jobs_url=jobs,
        work_dir=data / "work",
        jobs_at_once=jobs_at_once,
        duration_max_s=duration_max_h * 3600.0,
        limits=Limits(memory_bytes=memory_max_mib << 20),
    )
    try:
        check(origin)
        run_worker(origin=origin, worker=settings, listen=address)
    except (StartError, StackError) as error:
        give_up(str(error))
