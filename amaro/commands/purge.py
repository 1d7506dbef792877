"""`amaro purge`: take content out of every edge, with a receipt from each."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from amaro.purging import Outcome, PurgeError, Row, Wish, purge_everywhere
from amaro.stack import DEFAULT_DATA, StackError
from amaro.target import AdminOption, DataOption, Target, TokenFileOption, find_target
from amaro.terminal import give_up, out, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOWN_MAX: Final = 3  # values; of more, only the number is said
ADVICE: Final = (  # what is in an error: what to do about it
    ("refused", "Is it running? See amaro status."),
    ("no answer", "It hangs, or the network is cut: take it out of traffic, or restart it."),
    ("timed out", "It hangs, or the network is cut: take it out of traffic, or restart it."),
    ("ReadTimeout", "It hangs, or the network is cut: take it out of traffic, or restart it."),
    ("not applied in time", "A worker of it hangs: look at its log, restart it."),
    ("admin token", "Start it with the token that the origin has."),
    (
        "purge log",
        "It cannot make the purge last, or cannot read the log: see its disk and its log.",
    ),
)


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

    The origin logs it and tells every edge until it has acknowledged. --admin names the origin of
    another stack, or single edges, which keep it to themselves.

    Example: amaro purge --tag asset-k3jd92lq0fh1xz7a
    """
    wish = wish_of(url=url, prefix=prefix, tags=tag or (), everything=everything, soft=soft)
    if wish is None:
        give_up("name one of URL, --prefix, --tag or --all", status=2)
    check(wish)
    try:
        target = find_target(data=data, admin=admin, token_file=token_file)
        outcome = asyncio.run(purge_everywhere(target, wish))
    except StackError as error:
        give_up(str(error))
    except PurgeError as error:
        give_up(f"{error.said}: {error}{elsewhere(target)}")
    if as_json:
        print_json(receipt(outcome))
    else:
        show(outcome, wish)
    raise typer.Exit(0 if outcome.acknowledged else 1)


def wish_of(
    *, url: str | None, prefix: str | None, tags: Sequence[str], everything: bool, soft: bool
) -> Wish | None:
    """Return what the options ask for, None unless they name one thing."""
    named = {
        "url": (url,) if url else (),
        "prefix": (prefix,) if prefix else (),
        "tag": tuple(dict.fromkeys(tags)),
        "all": ("",) if everything else (),
    }
    kinds = [kind for kind, values in named.items() if values]
    if len(kinds) != 1:
        return None
    values = () if everything else named[kinds[0]]
    return Wish(kind=kinds[0], values=values, soft=soft)


def check(wish: Wish) -> None:
    """Give up on what an edge would refuse, before any edge has followed it."""
    from edge.orders import OrderError, parse_order  # noqa: PLC0415

    try:
        parse_order(json.dumps(wish.for_edge()).encode())
    except OrderError as error:
        give_up(str(error), status=2)


def elsewhere(target: Target) -> str:
    """Return how to go on without an origin that does not answer."""
    options = " ".join(f"--admin {url}" for _, url in target.edges if target.services)
    return options and f". Edges can be asked without it, with the same options and {options}"


def receipt(outcome: Outcome) -> dict[str, Any]:
    """Return what `--json` prints."""
    rows = {"edges": [asdict(row) for row in outcome.edges]}
    if outcome.providers:
        rows["providers"] = [asdict(row) for row in outcome.providers]
    return {**outcome.more, "acknowledged": outcome.acknowledged, **rows}


def show(outcome: Outcome, wish: Wish) -> None:
    """Print a row an edge, then what to do about those that did not acknowledge."""
    out.print(heading(outcome, wish), soft_wrap=True)
    if outcome.edges:
        out.print(table("edge", outcome.edges, "red"))
    if outcome.providers:
        out.print(table("provider", outcome.providers, "yellow"))
    for row in outcome.providers:
        said = [text for text in (row.error, row.note) if text not in (None, "pending")]
        if said:
            out.print(Text(f"  {row.name}: {'; '.join(said)}"), soft_wrap=True)
    missing = [row for row in outcome.edges if not row.acknowledged]
    if not outcome.edges:
        out.print("No edge is known to the origin: start it with --edge-admin URL.")
    elif missing:
        told = summary(len(missing), len(outcome.edges), outcome.number)
        out.print(told, style="bold", soft_wrap=not out.is_terminal)
    for row in missing:
        where = row.address if row.name == row.address else f"{row.name}, {row.address}"
        cause = Text(f"  {where}: {row.error}. {advice(row)}".rstrip())
        out.print(cause, soft_wrap=not out.is_terminal)


def heading(outcome: Outcome, wish: Wish) -> Text:
    """Return what was purged, and its number if it has one."""
    number = "Purge" if outcome.number is None else f"Purge {outcome.number}"
    shown = ", ".join(wish.values[:SHOWN_MAX])
    more = f" and {len(wish.values) - SHOWN_MAX} more" if len(wish.values) > SHOWN_MAX else ""
    what = "everything" if wish.kind == "all" else f"{wish.kind} {shown}{more}"
    return Text(f"{number}: {what}{', made stale' if wish.soft else ''}", style="bold")


def table(who: str, rows: Sequence[Row], style: str) -> Table:
    """Return the rows in columns."""
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
    made.add_column(who, overflow="fold")
    has_regions = any(row.region for row in rows)
    if has_regions:
        made.add_column("region", no_wrap=True)
    made.add_column("acknowledged", overflow="fold")
    made.add_column("workers", justify="right")
    for row in rows:
        if row.acknowledged:
            way = f" by {row.by}" if row.by else ""
            said = Text("yes" if row.took_ms is None else f"in {row.took_ms:.1f} ms{way}", "green")
        else:
            said = Text("pending" if row.error == "pending" else "no", f"bold {style}")
        workers = "" if row.workers is None or not row.acknowledged else str(row.workers)
        made.add_row(Text(row.name), *[Text(row.region or "")] * has_regions, said, workers)
    return made


def summary(missing: int, edges: int, number: int | None) -> str:
    """Return how many did not acknowledge, and what becomes of that by itself."""
    who = "The edge" if edges == missing == 1 else f"{missing} of {edges} edges"
    later = (
        "Repeat the command when the cause is mended."
        if number is None
        else "The purge is logged: they are told again until they acknowledge."
    )
    return f"{who} did not acknowledge and may still serve what was purged. {later}"


def advice(row: Row) -> str:
    """Return what to do about a row's error."""
    return next((advice for words, advice in ADVICE if words in (row.error or "")), "")
