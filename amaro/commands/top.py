"""`amaro top`: what people watch, what rises and what gets cold, by region and network."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Group
from rich.text import Text

from amaro.popular_text import SECTIONS, head, page
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
PLACES_MAX: Final = 4096  # networks of all edges together


class By(StrEnum):
    """What each region's rows are."""

    STORY = "story"
    NETWORK = "network"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one edge has counted, or why that is not known."""

    name: str
    counts: Mapping[str, Any] | None = None
    networks: Mapping[str, Any] | None = None
    prewarm: Mapping[str, Any] | None = None
    error: str = ""


def top(
    region: Annotated[
        str | None, typer.Option(metavar="NAME", help="One region; all of them without.")
    ] = None,
    by: Annotated[By, typer.Option(help="Rows of stories, or of networks (ASN).")] = By.STORY,
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
        _show_once(*asyncio.run(watched.look()), by=by, as_json=as_json)
    else:
        try:
            asyncio.run(_refresh(watched, by))
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
        ranked = [*found, *(network for each in found for network in each["networks"])]
        stories = [story for each in ranked for name, _, _ in SECTIONS for story in each[name]]
        await self._titles.learn(story["story"] for story in stories)
        for story in stories:
            story["title"] = self._titles.of(story["story"])
        return heard, found


def rankings(heard: Iterable[Heard], region: str | None, limit: int) -> list[dict[str, Any]]:
    """How stories stand in one region, or in each, that of most requests first."""
    from edge.networks import STORIES  # noqa: PLC0415
    from edge.popularity import Popularity  # noqa: PLC0415

    whole, networks = Popularity(), Popularity(replace(STORIES, regions_max=PLACES_MAX))
    for each in heard:
        if each.counts is not None:
            whole.take_in(each.counts, 0.0)
            networks.take_in(each.networks or {}, 0.0)
    regions = whole.regions(0.0) if region is None else [region]
    return [
        {
            "region": each,
            **_ranked(whole, each, limit),
            "networks": _networks(networks, each, limit),
        }
        for each in regions
    ]


def _networks(networks: Popularity, region: str, limit: int) -> list[dict[str, Any]]:
    """The networks of a region, with how stories stand in each."""
    from edge.networks import parts_of  # noqa: PLC0415

    places = [place for place in networks.regions(0.0) if parts_of(place)[0] == region]
    total = sum(networks.per_minute(place, 0.0) for place in places)
    return [
        {
            "network": parts_of(place)[1],
            "share": round(networks.per_minute(place, 0.0) / max(total, 1e-9), 4),
            **_ranked(networks, place, limit),
        }
        for place in places
    ]


def _ranked(whole: Popularity, place: str, limit: int) -> dict[str, Any]:
    def mapped(standings: Iterable[Standing]) -> list[dict[str, Any]]:
        return [each.to_mapping("story") for each in standings]

    found = whole.ranking(place, 0.0, limit)
    return {
        "per_minute": round(whole.per_minute(place, 0.0), 2),
        "top": mapped(found.top),
        "rising": mapped(found.rising),
        "cold": mapped(found.cold),
    }


def prewarming(heard: Iterable[Heard]) -> dict[str, Any]:
    """What came of prewarming, at all edges together and at each."""
    from edge.prewarmed import precision  # noqa: PLC0415

    edges = {each.name: each.prewarm for each in heard if each.prewarm is not None}
    used = sum(each["used_bytes"] for each in edges.values())
    wasted = sum(each["wasted_bytes"] for each in edges.values())
    return {
        "on": any(each["on"] for each in edges.values()),
        "precision": round(precision(used, wasted), 4),
        "used_bytes": used,
        "wasted_bytes": wasted,
        "edges": [{"name": name, **each} for name, each in edges.items()],
    }


async def _ask(http: AsyncClient, name: str, admin_url: str) -> Heard:
    from httpx import HTTPError, InvalidURL  # noqa: PLC0415

    try:
        response = await http.get(f"{admin_url}/popular", params={"counts": "", "limit": 1})
        said = response.raise_for_status().json()
        return Heard(
            name=name,
            counts=said["counts"],
            networks=said["network_counts"],
            prewarm=said["prewarm"],
        )
    except (HTTPError, InvalidURL, ValueError, KeyError, TypeError) as error:
        return Heard(name=name, error=str(error) or type(error).__name__)


def _show_once(heard: list[Heard], found: list[dict[str, Any]], *, by: By, as_json: bool) -> None:
    missing = [each for each in heard if each.counts is None]
    if as_json:
        told = {
            "edges": len(heard) - len(missing),
            "missing": [each.name for each in missing],
            "prewarm": prewarming(heard),
            "regions": found,
        }
        print_json(told)
    else:
        out.print(_page(heard, found, by))
        for each in missing:
            err.print(Text(f"{each.name} did not answer: {each.error}"), soft_wrap=True)
    raise typer.Exit(1 if len(missing) == len(heard) else 0)


async def _refresh(watched: Watched, by: By) -> None:
    from rich.live import Live  # noqa: PLC0415

    with Live(console=out, screen=True, auto_refresh=False) as live:
        while True:
            heard, found = await watched.look()
            silent = [f"{each.name} did not answer" for each in heard if each.counts is None]
            foot = Text("\n".join(silent), "red")
            live.update(Group(_page(heard, found, by), foot), refresh=True)
            await asyncio.sleep(REFRESH_S)


def _page(heard: list[Heard], found: list[dict[str, Any]], by: By) -> RenderableType:
    answers = sum(each.counts is not None for each in heard)
    line = head(answers, found, prewarming(heard))
    return page(found, by_network=by is By.NETWORK, head=line, width=out.width)
