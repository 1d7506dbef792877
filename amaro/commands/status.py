"""`amaro status`: is the running stack ready, service by service?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from amaro.health import is_ready
from amaro.stack import DEFAULT_DATA, Service, StackError
from amaro.target import AdminOption, DataOption, TokenFileOption, find_target
from amaro.terminal import give_up, out, print_json, print_rows

if TYPE_CHECKING:
    from collections.abc import Sequence


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
        show(services, healthy)
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


def show(services: Sequence[Service], healthy: Sequence[bool]) -> None:
    """Print one line a service."""
    marks = {True: ("ready", "green"), False: ("not ready", "bold red")}
    print_rows(
        [
            ((service.name, ""), marks[is_healthy], (service.url, ""))
            for service, is_healthy in zip(services, healthy, strict=True)
        ]
    )
    waiting = healthy.count(False)
    out.print("Ready." if not waiting else f"Not ready: {waiting} of {len(healthy)} services.")


def admin_service(url: str) -> Service:
    """Return the edge behind an admin listener that a person named."""
    return Service(name=url, kind="edge", url=url, health_url=url, pid=None, admin_url=url)
