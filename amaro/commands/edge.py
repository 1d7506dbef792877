"""`amaro edge serve`: one edge node in front of any origin."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from amaro.edge_options import (
    read_admins,
    read_field_name,
    read_networks,
    read_objective,
    read_origins,
    read_page_origins,
    read_path,
    read_url,
)
from amaro.quantities import parse_address, parse_size
from amaro.redis_option import read_valkey
from amaro.region_options import RegionOptions
from amaro.services import KEYS_VARIABLE, REDIS_VARIABLE
from amaro.stack import StackError
from amaro.target import TOKEN_VARIABLE, TokenFileOption, given_token
from amaro.terminal import give_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.settings import EdgeSettings

DISK_SIZE = "20GiB"
DISK_MIN_BYTES = 1024 * 1024
REDIS_SIZE = "1GiB"
REDIS_MIN_BYTES = 128 * 1024 * 1024  # an object's slice must have a place in a 64th of it
MEMORY_MIN_BYTES = 4 * 1024 * 1024  # of one worker
UPLINK = "120MiB"
DEBUG_VARIABLE = "AMARO_DEBUG_TOKEN"
WORKERS_MAX = 256

S = TypeVar("S")
T = TypeVar("T")

app = typer.Typer(help="The cache node that serves players.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """The cache node that serves players."""


@app.command()
def serve(
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where players connect.")],
    origin: Annotated[
        list[str],
        typer.Option(
            metavar="[NAME=]URL[,URL…]",
            help="The servers to cache, best first; a named group is for policies to choose.",
        ),
    ],
    origin_probe: Annotated[
        str, typer.Option(metavar="PATH", help="Asked of origins that another can stand in for.")
    ] = "/",
    memory: Annotated[str, typer.Option(metavar="SIZE", help="Memory for bodies.")] = "512MiB",
    eviction: Annotated[
        str, typer.Option(metavar="OBJECTIVE", help="Save upstream 'bytes' or 'objects'.")
    ] = "bytes",
    workers: Annotated[int, typer.Option(min=1, max=WORKERS_MAX, help="Processes.")] = 1,
    policies: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Rules to cache by; see amaro policy.")
    ] = None,
    disk: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep responses here too, across restarts."),
    ] = None,
    disk_size: Annotated[
        str | None, typer.Option(metavar="SIZE", help=f"What they may take there; {DISK_SIZE}.")
    ] = None,
    redis: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar=REDIS_VARIABLE,
            help="Valkey, in which the edges of a region have a tier and signals in common.",
        ),
    ] = None,
    redis_size: Annotated[
        str | None, typer.Option(metavar="SIZE", help=f"What they may take there; {REDIS_SIZE}.")
    ] = None,
    shield: Annotated[
        str | None,
        typer.Option(metavar="URL[,URL…]", help="The region's edges, by where others ask them."),
    ] = None,
    peer: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where other edges ask this one.")
    ] = None,
    advertise: Annotated[
        str | None, typer.Option(metavar="URL", help="How they reach that, if not by its address.")
    ] = None,
    region_token_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What edges know each other by, or AMARO_REGION_TOKEN."),
    ] = None,
    purge_log: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The log of purges that the edges of a region follow."),
    ] = None,
    admin: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Purge, status and metrics; needs a token."),
    ] = None,
    token_file: TokenFileOption = None,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[PROVIDER=]CIDR",
            help="Whose X-Forwarded-For names the client; cloudflare= and fastly= see purge tags.",
        ),
    ] = None,
    tls_cert: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="Serve TLS with this certificate and its chain, in PEM."),
    ] = None,
    tls_key: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="Its private key; one for each --tls-cert."),
    ] = None,
    debug_token_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=f"For Server-Timing, if not in {DEBUG_VARIABLE}."),
    ] = None,
    region: Annotated[
        str,
        typer.Option(metavar="NAME", help="Where this edge stands, its players, and their tokens."),
    ] = "",
    region_header: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="A field of --trusted-proxy that tells players' regions."
        ),
    ] = None,
    geoip: Annotated[
        bool, typer.Option("--geoip", help="Players' regions are their addresses' countries.")
    ] = False,
    network_header: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="A field of --trusted-proxy that tells players' networks (ASN)."
        ),
    ] = None,
    network_table: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Which addresses are in which network.")
    ] = None,
    access_keys: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=f"Keys of signed paths, if not in {KEYS_VARIABLE}."),
    ] = None,
    realtime: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Keep a hub of signals for pages; needs a token."),
    ] = None,
    realtime_origin: Annotated[
        list[str] | None,
        typer.Option(metavar="URL|*", help="Whose pages may connect to it; repeatable."),
    ] = None,
    prewarm: Annotated[
        bool, typer.Option("--prewarm", help="Fetch what players will ask for, before they do.")
    ] = False,
    uplink: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help=f"What upstreams can give a second; {UPLINK}."),
    ] = None,
    prewarm_share: Annotated[
        float | None,
        typer.Option(min=0.01, max=1.0, metavar="SHARE", help="Of the uplink, at most; 0.2."),
    ] = None,
    warm_from: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL[,URL…]",
            help="Admin listeners of edges whose popular list fills this one before it is ready.",
        ),
    ] = None,
    access_log: Annotated[
        str, typer.Option(metavar="FILE|-", help="A line of JSON for each answer; - is stdout.")
    ] = "",
    access_log_sample: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Log one answer of N.")
    ] = None,
) -> None:
    """Serve players as a shared HTTP cache in front of any origin.

    Example: amaro edge serve --listen 127.0.0.1:8081 --origin http://127.0.0.1:8000
    """
    from edge.settings import Address, CertificatePair, EdgeSettings  # noqa: PLC0415

    memory_bytes = _read("--memory", parse_size, memory)
    if memory_bytes < workers * MEMORY_MIN_BYTES:
        give_up(f"--memory {memory} is too small: give at least 4MiB per worker", status=2)
    disk_bytes = _read("--disk-size", parse_size, disk_size or DISK_SIZE)
    if disk_bytes < DISK_MIN_BYTES:
        give_up(f"--disk-size {disk_size} is too small: give at least 1MiB", status=2)
    redis_bytes = _read("--redis-size", parse_size, redis_size or REDIS_SIZE)
    if redis_bytes < REDIS_MIN_BYTES:
        give_up(f"--redis-size {redis_size} is too small: give at least 128MiB", status=2)
    certificates, keys = tls_cert or [], tls_key or []
    if len(certificates) != len(keys):
        give_up("--tls-cert and --tls-key come in pairs, in the same order", status=2)
    if disk is None:
        _refuse_without("--disk DIR", {"--disk-size": disk_size})
    if redis is None:
        _refuse_without("--redis URL", {"--redis-size": redis_size})
    if not access_log:
        _refuse_without("--access-log FILE", {"--access-log-sample": access_log_sample})
    if not trusted_proxy:
        _refuse_without("--trusted-proxy CIDR", {"--region-header": region_header})
        _refuse_without("--trusted-proxy CIDR", {"--network-header": network_header})
    if admin is None and purge_log is None and realtime is None and not warm_from:
        _refuse_without("--admin HOST:PORT", {"--token-file": token_file})
    if not prewarm:
        _refuse_without("--prewarm", {"--uplink": uplink, "--prewarm-share": prewarm_share})
        _refuse_without("--prewarm", {"--warm-from": warm_from})
    if realtime is None:
        _refuse_without("--realtime HOST:PORT", {"--realtime-origin": realtime_origin})
    neighbours = RegionOptions(
        shield=shield,
        peer=peer,
        advertise=advertise,
        token_file=region_token_file,
        has_log=purge_log is not None,
        has_redis=redis is not None,
    )
    own, *groups = _read("--origin", read_origins, origin)
    settings = EdgeSettings(
        listen=Address(*_read("--listen", parse_address, listen)),
        origin=own,
        origin_groups=tuple(groups),
        probe_path=_read("--origin-probe", read_path, origin_probe),
        memory_bytes=memory_bytes,
        objective=_read("--eviction", read_objective, eviction),
        workers=workers,
        disk=None if disk is None else str(disk.absolute()),
        disk_bytes=disk_bytes,
        redis=None if redis is None else _read("--redis", read_valkey, redis),
        redis_bytes=redis_bytes,
        purge_log=None if purge_log is None else _read("--purge-log", read_url, purge_log),
        admin=None if admin is None else Address(*_read("--admin", parse_address, admin)),
        token=_token(
            token_file,
            {
                "--admin": admin,
                "--purge-log": purge_log,
                "--realtime": realtime,
                "--warm-from": warm_from,
            },
        ),
        debug_token=_debug_token(debug_token_file),
        region=region,
        geoip=geoip,
        region_header=_read("--region-header", read_field_name, region_header or ""),
        network_header=_read("--network-header", read_field_name, network_header or ""),
        network_table=None if network_table is None else str(network_table.absolute()),
        access_keys=None if access_keys is None else str(access_keys.absolute()),
        access_ring="" if access_keys is not None else os.environ.get(KEYS_VARIABLE, ""),
        prewarm=prewarm,
        uplink_bps=_read("--uplink", parse_size, uplink or UPLINK),
        prewarm_share=prewarm_share or 0.2,
        warm_from=_read("--warm-from", read_admins, warm_from or []),
        access_log=_log_file(access_log),
        access_log_sample=access_log_sample or 1,
        trusted_proxies=_read("--trusted-proxy", read_networks, trusted_proxy or []),
        tls=tuple(map(CertificatePair, certificates, keys)),
        policies=None if policies is None else str(policies),
        realtime=None
        if realtime is None
        else Address(*_read("--realtime", parse_address, realtime)),
        realtime_origins=_read("--realtime-origin", read_page_origins, realtime_origin or []),
    )
    _run(neighbours.onto(settings))


def _refuse_without(option: str, needing: dict[str, object]) -> None:
    """Give up when an option is given that means nothing without another."""
    for name, value in needing.items():
        if value is not None:
            give_up(f"{name} means nothing without {option}", status=2)


def _debug_token(file: Path | None) -> str:
    """Return the token from the file, else from the environment, else ""."""
    if file is None:
        return os.environ.get(DEBUG_VARIABLE, "")
    try:
        token = file.read_text().strip()
    except OSError as error:
        give_up(f"--debug-token-file {file}: {error.strerror}", status=2)
    if not token:
        give_up(f"--debug-token-file {file} is empty", status=2)
    return token


def _log_file(name: str) -> str:
    """Return the absolute path of a file that can be appended to."""
    if name in ("", "-"):
        return name
    path = Path(name).absolute()
    try:
        path.open("ab").close()
    except OSError as error:
        give_up(f"--access-log {name}: {error.strerror}", status=2)
    return str(path)


def _run(settings: EdgeSettings) -> None:
    from cache_policies.access_ring import RingError  # noqa: PLC0415
    from cache_policies.complaints import PolicyFileError  # noqa: PLC0415
    from edge.disk_keeper import DiskError  # noqa: PLC0415
    from edge.keeper import WorkerError  # noqa: PLC0415
    from edge.listeners import ListenError  # noqa: PLC0415
    from edge.messages import configure  # noqa: PLC0415
    from edge.network_table import TableError  # noqa: PLC0415
    from edge.starting import serve as serve_node  # noqa: PLC0415
    from edge.tls import CertificateError  # noqa: PLC0415

    configure()
    try:
        asyncio.run(serve_node(settings, started=_announce))
    except CertificateError as error:
        give_up(str(error), status=2)
    except PolicyFileError as error:
        give_up(f"--policies:\n{error}", status=2)
    except RingError as error:
        where = settings.access_keys or f"${KEYS_VARIABLE}"
        give_up(f"--access-keys {where}: {error}", status=2)
    except TableError as error:
        give_up(f"--network-table {settings.network_table}: {error}", status=2)
    except (ListenError, DiskError, WorkerError) as error:
        give_up(str(error))


def _announce(settings: EdgeSettings) -> None:
    count = f"{settings.workers} worker{'s' if settings.workers > 1 else ''}"
    scheme = "https" if settings.tls else "http"
    typer.echo(f"edge   {scheme}://{settings.listen}  ({count}, caches {settings.origin})")
    if settings.admin is not None:
        typer.echo(f"admin  http://{settings.admin}")
    if settings.peer is not None:
        typer.echo(f"peer   http://{settings.peer}  (others ask {settings.advertise})")
    if settings.realtime is not None:
        typer.echo(f"realtime  {scheme.replace('http', 'ws')}://{settings.realtime}/.amaro/ws")


def _token(token_file: Path | None, options: dict[str, object]) -> str:
    """The token, if one of the options that need it is given."""
    given = [option for option, value in options.items() if value is not None]
    if not given:
        return ""
    try:
        token = given_token(token_file)
    except StackError as error:
        give_up(str(error), status=2)
    if not token:
        give_up(f"{given[0]} needs a token: set {TOKEN_VARIABLE} or give --token-file", status=2)
    return token


def _read(option: str, parse: Callable[[S], T], text: S) -> T:
    try:
        return parse(text)
    except ValueError as error:
        give_up(f"{option}: {error}", status=2)
