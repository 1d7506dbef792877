"""`amaro top`: what people watch, what rises and what gets cold, by region, over all edges."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from amaro.stack import DEFAULT_DATA, StackError
from amaro.target import AdminOption, DataOption, Target, TokenFileOption, find_target
from amaro.terminal import err, give_up, out, print_json
from amaro.titles import Titles

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from httpx import AsyncClient
    from rich.console import RenderableType

    from edge.popularity import Popularity, Standing

PATIENCE_S: Final = 5.0
REFRESH_S: Final = 2.0
LIMIT_MAX: Final = 100  # an edge tells no more
TITLE_WIDTH: Final = 40
SECTIONS: Final = (("top", "bold"), ("rising", "green"), ("cold", "blue"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one edge has counted, or why that is not known."""

    name: str
    counts: Mapping[str, Any] | None = None
    error: str = ""


def top(
    region: Annotated[
        str | None, typer.Option(metavar="NAME", help="One region; all of them without.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=LIMIT_MAX, help="Stories of each kind.")] = 10,
    once: Annotated[bool, typer.Option("--once", help="Print it once, do not refresh.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    data: DataOption = DEFAULT_DATA,
    admin: AdminOption = None,
    token_file: TokenFileOption = None,
) -> None:
    """Show what people watch, refreshed until Ctrl-C; the exit status is 1 when no edge answers.

    Example: amaro top --region north
    """
    try:
        target = find_target(data=data, admin=admin, token_file=token_file)
    except StackError as error:
        give_up(str(error))
    edges = target.edges
    if not edges:
        give_up("the running stack has no edge with an admin listener")
    watched = Watched(edges, target, region, limit)
    if as_json or once or not out.is_terminal:
        _show_once(*asyncio.run(watched.look()), as_json=as_json)
    else:
        try:
            asyncio.run(_refresh(watched))
        except KeyboardInterrupt:
            raise typer.Exit(0) from None


class Watched:
    """What is to be shown of which edges."""

    def __init__(
        self, edges: Sequence[tuple[str, str]], target: Target, region: str | None, limit: int
    ) -> None:
        self._edges, self._headers = edges, target.headers
        self._region, self._limit = region, limit
        origins = [service.url for service in target.services if service.kind == "origin"]
        self._titles = Titles(origins[0] if origins else None)

    async def look(self) -> tuple[list[Heard], list[dict[str, Any]]]:
        """Return what every edge says, and the regions' rankings over all of them."""
        from httpx import AsyncClient  # noqa: PLC0415

        async with AsyncClient(headers=self._headers, timeout=PATIENCE_S, trust_env=False) as http:
            heard = await asyncio.gather(*(_ask(http, name, url) for name, url in self._edges))
        found = rankings(heard, self._region, self._limit)
        stories = [story for ranked in found for name, _ in SECTIONS for story in ranked[name]]
        await self._titles.learn(story["story"] for story in stories)
        for story in stories:
            story["title"] = self._titles.of(story["story"])
        return heard, found


def rankings(heard: Iterable[Heard], region: str | None, limit: int) -> list[dict[str, Any]]:
    """How stories stand in one region, or in each, that of most requests first."""
    from edge.popularity import Popularity  # noqa: PLC0415

    whole = Popularity()
    for each in heard:
        if each.counts is not None:
            whole.take_in(each.counts, 0.0)
    regions = whole.regions(0.0) if region is None else [region]
    return [_ranked(whole, each, limit) for each in regions]


def _ranked(whole: Popularity, region: str, limit: int) -> dict[str, Any]:
    def mapped(standings: Iterable[Standing]) -> list[dict[str, Any]]:
        return [each.to_mapping("story") for each in standings]

    found = whole.ranking(region, 0.0, limit)
    return {
        "region": region,
        "per_minute": round(whole.per_minute(region, 0.0), 2),
        "top": mapped(found.top),
        "rising": mapped(found.rising),
        "cold": mapped(found.cold),
    }


async def _ask(http: AsyncClient, name: str, admin_url: str) -> Heard:
    from httpx import HTTPError, InvalidURL  # noqa: PLC0415

    try:
        response = await http.get(f"{admin_url}/popular", params={"counts": "", "limit": 1})
        return Heard(name=name, counts=response.raise_for_status().json()["counts"])
    except (HTTPError, InvalidURL, ValueError, KeyError, TypeError) as error:
        return Heard(name=name, error=str(error) or type(error).__name__)


def _show_once(heard: list[Heard], found: list[dict[str, Any]], *, as_json: bool) -> None:
    missing = [each for each in heard if each.counts is None]
    if as_json:
        names = [each.name for each in missing]
        print_json({"edges": len(heard) - len(missing), "missing": names, "regions": found})
    else:
        out.print(_page(found))
        for each in missing:
            err.print(Text(f"{each.name} did not answer: {each.error}"), soft_wrap=True)
    raise typer.Exit(1 if len(missing) == len(heard) else 0)


async def _refresh(watched: Watched) -> None:
    from rich.live import Live  # noqa: PLC0415

    with Live(console=out, screen=True, auto_refresh=False) as live:
        while True:
            heard, found = await watched.look()
            silent = [f"{each.name} did not answer" for each in heard if each.counts is None]
            live.update(Group(_page(found), Text("\n".join(silent), "red")), refresh=True)
            await asyncio.sleep(REFRESH_S)


def _page(found: list[dict[str, Any]]) -> RenderableType:
    if not found:
        return Text("Nobody has watched anything yet.")
    return Group(*(_table(each) for each in found))


def _table(ranked: Mapping[str, Any]) -> Table:
    """A region's stories: the leading ones, then those that rise, then those that get cold."""
    title = f"{ranked['region']}: {ranked['per_minute']:.0f} requests a minute"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("")
    table.add_column("story", no_wrap=True)
    table.add_column("title", no_wrap=True, max_width=TITLE_WIDTH)
    for name in ("a minute", "share", "change"):
        table.add_column(name, justify="right")
    for section, style in SECTIONS:
        for number, story in enumerate(ranked[section]):
            table.add_row(
                Text("" if number else section, style),
                Text(story["story"]),
                Text(story["title"]),
                f"{story['per_minute']:.1f}",
                f"{story['share']:.1%}",
                f"x {story['change']:.2f}",
            )
    return table
