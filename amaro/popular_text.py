"""What `amaro top` shows of what people watch: lines and tables that fit the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from amaro.quantities import shown_size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

BAR_CELLS: Final = 12
WIDE: Final = 88  # columns from which a story's name stands beside its title
BARS: Final = 56  # columns from which shares have bars
CHANGED: Final = 1.05  # what changes by less is not worth a word
SECTIONS: Final = (("top", "", "bold"), ("rising", "↑", "green"), ("cold", "↓", "blue"))
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
_DIM: Final = "bright_black"


def page(
    found: Sequence[Mapping[str, Any]], *, by_network: bool, head: Text, width: int
) -> RenderableType:
    """The regions below their head."""
    if not found:
        return Group(head, Text(), Text("Nobody has watched anything yet.", _DIM))
    parts: list[RenderableType] = [head]
    for ranked in found:
        parts += [Text(), _title(ranked)]
        parts.append(_networks(ranked, width) if by_network else _stories(ranked, width))
    return Group(*parts)


def head(answers: int, found: Sequence[Mapping[str, Any]], prewarm: Mapping[str, Any]) -> Text:
    """How many edges say so, how much is asked of them, and what comes of prewarming."""
    rate = sum(ranked["per_minute"] for ranked in found)
    line = Text(f"{answers} {'edge' if answers == 1 else 'edges'}", "bold")
    return line.append(f" · {requests(rate)} · {prewarmed(prewarm)}", "not bold")


def prewarmed(prewarm: Mapping[str, Any]) -> str:
    """What was fetched ahead of players, and how much of it was asked for."""
    if not prewarm["on"]:
        return "no prewarming"
    used, wasted = prewarm["used_bytes"], prewarm["wasted_bytes"]
    if not used + wasted:
        return "prewarming: nothing to tell yet"
    share, whole = percent(used / (used + wasted)), shown_size(used + wasted)
    return f"prewarming: {share} of {whole} used, {shown_size(wasted)} wasted"


def requests(per_minute: float) -> str:
    """A rate of requests."""
    return "1 request a minute" if per_minute == 1.0 else f"{number(per_minute)} requests a minute"


def number(value: float) -> str:
    """With a digit behind the point while it is small."""
    return f"{value:.1f}" if value < 9.95 else f"{value:,.0f}"


def percent(share: float) -> str:
    """Of a share, with a digit behind the point while it is small."""
    return f"{share:.1%}" if share < 0.0995 else f"{share:.0%}"


def bar(share: float) -> str:
    """A share as a bar of `BAR_CELLS` characters at most."""
    eighths = round(min(max(share, 0.0), 1.0) * BAR_CELLS * 8)
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()


def network_title(network: str) -> str:
    """A network's number as it is written; what is told of nobody alone by its name."""
    return network.upper() if network.startswith("as") else network


def _title(ranked: Mapping[str, Any]) -> Text:
    title = Text(str(ranked["region"]), "bold underline")
    return title.append(f"  {requests(ranked['per_minute'])}", f"not bold not underline {_DIM}")


def _stories(ranked: Mapping[str, Any], width: int) -> Table:
    """The leading stories, then those that rise, then those that get cold."""
    table = _table("", "watched", "", "share", "a minute", "change")
    for section, sign, style in SECTIONS:
        for position, story in enumerate(ranked[section], start=1):
            table.add_row(
                Text(sign or str(position), style or _DIM),
                _named(story, width),
                _bar(story["share"], width),
                percent(story["share"]),
                number(story["per_minute"]),
                _change(story["change"]),
            )
    return table


def _networks(ranked: Mapping[str, Any], width: int) -> RenderableType:
    """A region's networks, with what leads and what rises most in each."""
    if not ranked["networks"]:
        return Text("  no networks are known here (--network-header, --network-table)", _DIM)
    table = _table("", "network", "", "share", "a minute", "most watched", "rising")
    for position, each in enumerate(ranked["networks"], start=1):
        table.add_row(
            Text(str(position), _DIM),
            Text(network_title(each["network"])),
            _bar(each["share"], width),
            percent(each["share"]),
            number(each["per_minute"]),
            *(_named(each[kind][0], width) if each[kind] else "" for kind in ("top", "rising")),
        )
    return table


def _table(*columns: str) -> Table:
    """Words are cut where there is no room for them; figures never are."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style=_DIM)
    for name in columns:
        if name in {"watched", "most watched", "rising"}:
            table.add_column(name, no_wrap=True, overflow="ellipsis", min_width=8)
        elif name or not table.columns:
            is_word = name == "network"
            table.add_column(
                name,
                no_wrap=True,
                justify="left" if is_word else "right",
                min_width=max(3, len(name)),
            )
        else:
            table.add_column(name, no_wrap=True)
    return table


def _bar(share: float, width: int) -> Text:
    return Text(bar(share) if width >= BARS else "", "magenta")


def _named(story: Mapping[str, Any], width: int) -> Text:
    """A story by its title where it has one, and by its name."""
    title, name = str(story.get("title") or ""), str(story["story"])
    if not title:
        return Text(name)
    return Text(title).append(f"  {name}", _DIM) if width >= WIDE else Text(title)


def _change(change: float) -> Text:
    """By how much a share grew or shrank; nothing of what stays."""
    if 1.0 / CHANGED < change < CHANGED:
        return Text()
    return Text(f"x {change:.2f}", "green" if change > 1.0 else "blue")
