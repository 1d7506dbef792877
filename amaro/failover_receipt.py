"""What `amaro failover drill` prints at its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.markup import escape

from amaro.terminal import out


def show_receipt(told: Mapping[str, Any]) -> None:
    """Print what a drill came to."""
    out.print(f"[bold]{told['service']}/{told['target']}[/], {told['night']}, {told['kind']}\n")
    for move in told["moves"]:
        words = ", ".join(f"{name} {share:.0%}" for name, share in move["shares"])
        after = f" ({move['after_s']:g} s)" if "after_s" in move else ""
        out.print(f"  {move['at']}{after}  {', '.join(move['regions'])}: {words}", soft_wrap=True)
    away = sum(move["is_away"] for move in told["moves"])
    home = told.get("back_at") or ("yes" if told.get("is_back") else "not yet")
    out.print(f"\nMoves away: {away}. All traffic back: {home}.")
    if over := told.get("over"):
        out.print(f"It ended since {escape(over)}.", soft_wrap=True)
    for how, lost in told["lost"].items():
        count, unmoved = told["viewers"][how], told["lost_if_nobody_moved"][how]
        out.print(
            f"Viewer-seconds lost by {count} viewers ({how}): [bold]{lost:,.0f}[/]; "
            f"if nobody had moved: {unmoved:,.0f}.",
            soft_wrap=True,
        )
    out.print("\nWhat of it is not real:")
    for text in told["synthetic"]:
        out.print(f"  - {text}", soft_wrap=True)
    out.print(f"\n[dim]sha256 {told['digest']}[/]", soft_wrap=True)
