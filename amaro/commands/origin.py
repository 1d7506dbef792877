"""`amaro origin serve`: uploads, playlists, segments and the feed, from one data directory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from amaro.quantities import parse_address
from amaro.redis_option import RedisOption, given_valkey
from amaro.services import CATALOG_VARIABLE, JOBS_VARIABLE, KEYS_VARIABLE
from amaro.stack import StackError
from amaro.target import TokenFileOption, admin_urls, given_token
from amaro.terminal import give_up

if TYPE_CHECKING:
    from origin.provider_file import ProviderSettings

app = typer.Typer(
    help="The source of truth: uploads, catalog, objects, feed.", no_args_is_help=True
)

MIB = 1 << 20
UPLOADS = "Upload limits"
PROVIDERS_VARIABLE = "AMARO_PROVIDERS"


@app.callback()
def root() -> None:
    """Keep `serve` a subcommand, even while it is the only one."""


@app.command()
def serve(
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to listen; port 0 is any free one.")
    ] = "127.0.0.1:8084",
    data: Annotated[
        Path, typer.Option(metavar="DIR", help="Catalog, objects and uploads in progress.")
    ] = Path(".amaro/origin"),
    catalog: Annotated[
        str | None,
        typer.Option(
            metavar="URL", envvar=CATALOG_VARIABLE, help="SQLAlchemy URL instead of SQLite in DIR."
        ),
    ] = None,
    store: Annotated[
        str | None, typer.Option(metavar="URL", help="s3://bucket/prefix instead of DIR/objects.")
    ] = None,
    jobs: Annotated[
        str | None,
        typer.Option(
            metavar="URL", envvar=JOBS_VARIABLE, help="Where accepted uploads go as durable jobs."
        ),
    ] = None,
    redis: RedisOption = None,
    edge_admin: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="Admin listener of an edge to purge; may be repeated."),
    ] = None,
    access_keys: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=f"Keys to sign paths with, if not in {KEYS_VARIABLE}."),
    ] = None,
    region: Annotated[
        str, typer.Option(metavar="CODE", help="Region of uploads that name none.")
    ] = "north",
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="Whose X-Forwarded-For names the client."),
    ] = None,
    providers: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", envvar=PROVIDERS_VARIABLE, help="CDNs in front, to be purged, too."
        ),
    ] = None,
    token_file: TokenFileOption = None,
    upload_max_mib: Annotated[
        int, typer.Option(min=1, help="Largest upload.", rich_help_panel=UPLOADS)
    ] = 4096,
    uploads_per_client: Annotated[
        int, typer.Option(min=1, help="At a time, by address.", rich_help_panel=UPLOADS)
    ] = 8,
    disk_free_mib: Annotated[
        int, typer.Option(min=0, help="Stays free on the disk.", rich_help_panel=UPLOADS)
    ] = 1024,
    upload_expires_h: Annotated[
        float,
        typer.Option(min=0.001, help="Unfinished uploads go after.", rich_help_panel=UPLOADS),
    ] = 24.0,
) -> None:
    """Serve uploads (tus), playlists, segments and the feed.

    Example: amaro origin serve --listen 127.0.0.1:8084 --data .amaro/origin
    """
    from origin.names import REGION  # noqa: PLC0415
    from origin.serving import StartError, run  # noqa: PLC0415
    from origin.settings import OriginSettings, UploadLimits  # noqa: PLC0415

    try:
        host, port = parse_listen(listen)
        admins = admin_urls("--edge-admin", edge_admin or ())
        token = given_token(token_file)
        redis_url = given_valkey(redis)
        if not REGION.fullmatch(region):
            raise StackError(f"--region {region}: 1 to 32 characters of a-z, 0-9 and '-'.")
    except StackError as error:
        give_up(str(error), status=2)
    settings = OriginSettings(
        providers=() if providers is None else _providers(providers),
        data=data,
        catalog_url=catalog,
        store_url=store,
        jobs_url=jobs,
        redis_url=redis_url,
        edge_admin_urls=admins,
        token=token,
        access_keys=access_keys,
        access_ring="" if access_keys is not None else os.environ.get(KEYS_VARIABLE, ""),
        default_region=region,
        trusted_proxies=tuple(trusted_proxy or ()),
        limits=UploadLimits(
            size_max_bytes=upload_max_mib * MIB,
            uploads_per_client_max=uploads_per_client,
            disk_free_min_bytes=disk_free_mib * MIB,
            expire_s=upload_expires_h * 3600.0,
        ),
    )
    try:
        run(settings, host=host, port=port)
    except StartError as error:
        give_up(str(error))


def _providers(path: Path) -> tuple[ProviderSettings, ...]:
    """Read the file of --providers, or give up with all that is wrong with it."""
    from cache_policies.complaints import PolicyFileError  # noqa: PLC0415
    from origin.provider import why_no_token  # noqa: PLC0415
    from origin.provider_file import load_providers  # noqa: PLC0415

    try:
        return load_providers(path.read_bytes(), str(path), why_no_token=why_no_token)
    except OSError as error:
        give_up(f"--providers {path}: {error.strerror}", status=2)
    except PolicyFileError as error:
        give_up("\n".join(error.lines()), status=2)


def parse_listen(text: str) -> tuple[str, int]:
    """Return (host, port) of HOST:PORT or [HOST]:PORT; StackError says what is wrong."""
    try:
        return parse_address(text)
    except ValueError as error:
        raise StackError(f"--listen: {error}") from error
