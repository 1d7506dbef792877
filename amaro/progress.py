"""What `amaro up` tells the person who started it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from amaro.terminal import err, out, print_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from amaro.services import ServicePlan, Site

PAGES: Final = (  # what a person opens first
    ("Watch", "/"),
    ("Upload", "/upload"),
    ("Popular", "/popular"),
)


@dataclass(frozen=True, slots=True)
class Narrator:
    """Reports the supervisor's work line by line."""

    def ready(self, plan: ServicePlan, took_s: float) -> None:
        """Tick a service off."""
        err.print(f"  [green]✓[/] {plan.name:<16} [dim]{took_s:.1f} s[/]")

    def died(self, plan: ServicePlan, how: str, delay_s: float) -> None:
        """Name the service, why, and where to read more."""
        err.print(
            f"[dim]{_clock()}[/] [yellow]{plan.name} {how}[/]; starting it again in "
            f"{delay_s:.1f} s [dim](log: {plan.command.log})[/]",
            soft_wrap=True,
        )

    def back(self, plan: ServicePlan) -> None:
        """Say that all is well again."""
        err.print(f"[dim]{_clock()}[/] [green]{plan.name} is ready again[/]")


def welcome(
    site: Site, plans: Sequence[ServicePlan], took_s: float, *, is_demo_coming: bool
) -> None:
    """Print the addresses, those that a person opens first on top."""
    rows = [(("", ""),) * 3]
    console = next((plan.url for plan in plans if plan.kind == "console"), None)
    if console:
        pages = (*PAGES, ("Failover", "/failover")) if site.members else PAGES
        rows += [((page, "bold"), (console + path, "bold cyan"), ("", "")) for page, path in pages]
    if is_demo_coming:
        rows.append((("Demo", "bold"), ("a clip is being made and uploaded …", "dim"), ("", "")))
    rows.append((("", ""),) * 3)
    for plan in plans:
        admin = f"admin {plan.admin_url}" if plan.admin_url else ""
        rows.append(((plan.name, ""), (plan.url, "cyan"), (admin, "dim")))
    rows.append((("data", ""), (str(site.data.root), ""), ("logs in logs/", "dim")))
    print_rows(rows)
    if site.members:
        out.print(f"\n{_failover(site)}", soft_wrap=True)
    out.print(f"\nReady in {took_s:.1f} s. Ctrl-C stops everything and keeps the data.")


def _failover(site: Site) -> str:
    """What to do with failover, or why it cannot move players here."""
    edges = site.ports.edges
    if all(each.host for each in edges):
        last = f"media edge-{edges[-1].region}"
        return f'Move players: amaro failover switch {last} --why "to see it" [dim](and revert)[/]'
    if len(edges) == 1 or edges[0].member is None:  # one, or an operator's own files
        return "Who carries what: amaro failover status"
    return (
        "[yellow]Players are not steered:[/] that takes a host for each edge (127.0.0.2 and so "
        "on), which only Linux has, and --host 127.0.0.1. Edges are watched all the same."
    )


def _clock() -> str:
    return time.strftime("%H:%M:%S")


def show_demo_url(url: str) -> None:
    """Print where the demo clip plays."""
    out.print(f"\n  [bold]Demo[/]  [bold cyan]{url}[/]", soft_wrap=True)
