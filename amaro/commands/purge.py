"""`amaro purge`: take content out of every edge, with a receipt from each."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.markup import escape

from amaro.stack import DEFAULT_DATA, StackError
from amaro.target import AdminOption, DataOption, Target, TokenFileOption, find_target
from amaro.terminal import give_up, out, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from httpx import AsyncClient

PATIENCE_S: Final = 10.0  # longer than an edge waits for its own workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What one edge said to a purge."""

    name: str
    admin_url: str
    acknowledged: bool
    sequence: int | None = None  # of the purge, at that edge
    workers: int | None = None  # that applied it
    took_ms: float | None = None
    error: str | None = None


def purge(
    url: Annotated[
        str | None, typer.Argument(metavar="URL", help="One URL, or /path at any host.")
    ] = None,
    prefix: Annotated[
        str | None, typer.Option(metavar="P", help="All that begins with a URL or /path.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="TAG", help="A Surrogate-Key; may be repeated.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything.")] = False,
    soft: Annotated[bool, typer.Option("--soft", help="Make it stale instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    data: DataOption = DEFAULT_DATA,
    admin: AdminOption = None,
    token_file: TokenFileOption = None,
) -> None:
    """Purge content at every edge; the exit status is 1 when one did not acknowledge.

    Example: amaro purge --tag asset-k3jd92lq0fh1xz7a
    """
    order = order_of(url=url, prefix=prefix, tags=tag or (), everything=everything)
    if order is None:
        give_up("name one of URL, --prefix, --tag or --all", status=2)
    check(order)
    try:
        target = find_target(data=data, admin=admin, token_file=token_file)
    except StackError as error:
        give_up(str(error))
    edges = edges_of(target)
    if not edges:
        give_up("the running stack has no edge with an admin listener")
    receipts = asyncio.run(ask_all(edges, order | {"soft": soft}, target))
    done = all(receipt.acknowledged for receipt in receipts)
    if as_json:
        print_json({"acknowledged": done, "edges": [asdict(receipt) for receipt in receipts]})
    else:
        show(receipts)
    raise typer.Exit(0 if done else 1)


def order_of(
    *, url: str | None, prefix: str | None, tags: Sequence[str], everything: bool
) -> dict[str, Any] | None:
    """Return the body of the request that the options ask for, None unless they name one thing."""
    forms = {"url": url, "prefix": prefix, "tags": list(tags), "all": everything}
    named = {form: value for form, value in forms.items() if value}
    return named if len(named) == 1 else None


def check(order: dict[str, Any]) -> None:
    """Give up on what an edge would refuse, before any edge has followed it."""
    from edge.orders import OrderError, parse_order  # noqa: PLC0415

    try:
        parse_order(json.dumps(order).encode())
    except OrderError as error:
        give_up(str(error), status=2)


def edges_of(target: Target) -> tuple[tuple[str, str], ...]:
    """Return (name, admin URL) of every edge to ask."""
    if not target.services:
        return tuple((url, url) for url in target.admins)
    return tuple(
        (service.name, service.admin_url)
        for service in target.services
        if service.kind == "edge" and service.admin_url
    )


async def ask_all(
    edges: Sequence[tuple[str, str]], order: dict[str, Any], target: Target
) -> list[Receipt]:
    """Ask every edge at once and return their receipts."""
    from httpx import AsyncClient  # noqa: PLC0415

    async with AsyncClient(headers=target.headers, timeout=PATIENCE_S, trust_env=False) as client:
        return await asyncio.gather(*(ask(client, name, url, order) for name, url in edges))


async def ask(client: AsyncClient, name: str, admin_url: str, order: dict[str, Any]) -> Receipt:
    """Ask one edge and return its receipt, or why there is none."""
    from httpx import HTTPError, InvalidURL  # noqa: PLC0415

    refused = Receipt(name=name, admin_url=admin_url, acknowledged=False)
    try:
        response = await client.post(f"{admin_url}/purge", json=order)
        said = response.json()
    except (HTTPError, InvalidURL, ValueError) as error:
        return replace(refused, error=str(error) or type(error).__name__)
    answer = {key: said.get(key) for key in ("sequence", "workers", "took_ms", "error")}
    if response.is_success:
        return replace(refused, acknowledged=True, **answer)
    return replace(
        refused, **answer | {"error": answer["error"] or f"status {response.status_code}"}
    )


def show(receipts: Sequence[Receipt]) -> None:
    """Print one line an edge."""
    width = max(len(receipt.name) for receipt in receipts)
    for receipt in receipts:
        name = escape(receipt.name.ljust(width))
        if receipt.acknowledged:
            workers = "1 worker" if receipt.workers == 1 else f"{receipt.workers} workers"
            said = f"[green]purged[/] in {receipt.took_ms:.1f} ms by {workers}"
        else:
            said = f"[bold red]not acknowledged[/]: {escape(receipt.error or '')}"
        out.print(f"{name}  {said}", soft_wrap=True)
