"""`amaro status`: is the running stack ready, service by service?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Final

import typer

from amaro.health import is_ready
from amaro.quantities import shown_size
from amaro.stack import DEFAULT_DATA, Service, StackError
from amaro.target import AdminOption, DataOption, TokenFileOption, find_target
from amaro.terminal import give_up, out, print_json, print_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from httpx import AsyncClient

    from amaro.target import Target

PATIENCE_S: Final = 2.0  # with an edge that is asked about its disk


def status(
    data: DataOption = DEFAULT_DATA,
    admin: AdminOption = None,
    token_file: TokenFileOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say whether the running stack is ready; the exit status is 1 when it is not.

    Example: amaro status --json
    """
    try:
        target = find_target(data=data, admin=admin, token_file=token_file)
    except StackError as error:
        if as_json:
            print_json(answer((), ()))
        give_up(str(error))
    services = target.services or tuple(admin_service(url) for url in target.admins)
    healthy = asyncio.run(ask_all(services))
    if as_json:
        print_json(answer(services, healthy))
    else:
        show(services, healthy, asyncio.run(ask_disks(services, target)))
    raise typer.Exit(0 if all(healthy) else 1)


async def ask_all(services: Sequence[Service]) -> list[bool]:
    """Ask every service at once whether it is ready."""
    return await asyncio.gather(*(is_ready(service.health_url) for service in services))


def answer(services: Sequence[Service], healthy: Sequence[bool]) -> dict[str, object]:
    """Return what `--json` prints; scripts depend on its shape."""
    return {
        "ready": bool(services) and all(healthy),
        "services": [
            {"name": service.name, "kind": service.kind, "url": service.url, "healthy": is_healthy}
            for service, is_healthy in zip(services, healthy, strict=True)
        ],
    }


async def ask_disks(services: Sequence[Service], target: Target) -> dict[str, str]:
    """Return what the edges with a disk say of it, by name of the service."""
    from httpx import AsyncClient  # noqa: PLC0415 a tenth of a second, and --json needs none

    async with AsyncClient(headers=target.headers, timeout=PATIENCE_S, trust_env=False) as http:
        asked = [service for service in services if service.admin_url]
        said = await asyncio.gather(*(ask_disk(http, service.admin_url) for service in asked))
    return {service.name: disk for service, disk in zip(asked, said, strict=True)}


async def ask_disk(http: AsyncClient, admin_url: str | None) -> str:
    """Return `disk 1.5 GiB of 4 GiB`; "" when the edge has none, or does not answer."""
    from httpx import HTTPError  # noqa: PLC0415

    try:
        return disk_of((await http.get(f"{admin_url}/status")).raise_for_status().json())
    except (HTTPError, ValueError, KeyError, TypeError):
        return ""


def disk_of(status: Mapping[str, Mapping[str, int] | None]) -> str:
    """Return what an edge's status says of its disk, in words."""
    disk = status["disk"]
    if disk is None:
        return ""
    return f"disk {shown_size(disk['used_bytes'])} of {shown_size(disk['budget_bytes'])}"


def show(services: Sequence[Service], healthy: Sequence[bool], disks: Mapping[str, str]) -> None:
    """Print one line a service."""
    marks = {True: ("ready", "green"), False: ("not ready", "bold red")}
    print_rows(
        [
            (
                (service.name, ""),
                marks[is_healthy],
                (service.url, ""),
                (disks.get(service.name, ""), "dim"),
            )
            for service, is_healthy in zip(services, healthy, strict=True)
        ]
    )
    waiting = healthy.count(False)
    out.print("Ready." if not waiting else f"Not ready: {waiting} of {len(healthy)} services.")


def admin_service(url: str) -> Service:
    """Return the edge behind an admin listener that a person named."""
    return Service(name=url, kind="edge", url=url, health_url=url, pid=None, admin_url=url)
