"""What `amaro up` tells the person who started it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.table import Table

from amaro.terminal import err, out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from amaro.services import ServicePlan, Site

PAGES: Final = (("Watch", "/"), ("Upload", "/upload"))  # what a person opens first


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
    table = Table(box=None, show_header=False, padding=(0, 2))
    console = next((plan.url for plan in plans if plan.kind == "console"), None)
    if console:
        for page, path in PAGES:
            table.add_row(f"[bold]{page}[/]", f"[bold cyan]{console}{path}[/]", "")
        table.add_row("", "", "")
    if is_demo_coming:
        table.add_row("[bold]Demo[/]", "[dim]a clip is being made and uploaded …[/]", "")
        table.add_row("", "", "")
    for plan in plans:
        admin = f"[dim]admin {plan.admin_url}[/]" if plan.admin_url else ""
        table.add_row(plan.name, f"[cyan]{plan.url}[/]", admin)
    table.add_row("data", str(site.data.root), "[dim]logs in logs/[/]")
    out.print()
    out.print(table, soft_wrap=True)
    out.print(f"\nReady in {took_s:.1f} s. Ctrl-C stops everything and keeps the data.")


def _clock() -> str:
    return time.strftime("%H:%M:%S")


def show_demo_url(url: str) -> None:
    """Print where the demo clip plays."""
    out.print(f"\n  [bold]Demo[/]  [bold cyan]{url}[/]", soft_wrap=True)
