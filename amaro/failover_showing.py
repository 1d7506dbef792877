"""What `amaro failover` prints for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.markup import escape

from amaro.terminal import out, print_rows

COLOURS: Final = {"up": "green", "suspect": "yellow", "held": "cyan", "down": "bold red"}
WORDS: Final = {"up": "works", "suspect": "in doubt", "held": "held off", "down": "down"}
EVERYWHERE: Final = "*"


def show_status(status: Mapping[str, Any]) -> None:
    """Print what the controller knows."""
    controller = status["controller"]
    out.print(f"Controller: [bold]{controller['name']}[/] (epoch {controller['epoch']})")
    for frozen in status["frozen"]:
        where = " ".join(filter(None, (frozen["service"], frozen["region"]))) or "everything"
        by = f"by {frozen['who']}: {frozen['why']}"
        out.print(f"[bold yellow]Frozen:[/] {escape(where)}, {escape(by)}")
    for pin in _once(status["pins"], ("service", "target", "who")):
        text = f"{pin['service']} to {pin['target']}, by {pin['who']}"
        out.print(f"[bold yellow]Pinned:[/] {escape(text)}")
    choices = (status["decision"] or {}).get("choices", [])
    for service in dict.fromkeys(each["service"] for each in status["targets"]):
        out.print(f"\n[bold]{service}[/]")
        print_rows(_rows_of(service, status["targets"], choices))
    out.print("\n[bold]Vantages[/]")
    print_rows(
        [
            (
                (each["name"], ""),
                (each["region"], "dim"),
                ("votes", "green") if each["counts"] else ("no vote", "yellow"),
                (each["why_not"] if not each["counts"] else "", "dim"),
            )
            for each in status["vantages"]
        ]
    )
    if status["dns"]:
        out.print("\n[bold]DNS[/]")
        print_rows([_dns(each) for each in status["dns"]])
    for each in status["dns"]:
        if each["resolvers"]:
            out.print(f"[yellow]Resolvers:[/] {escape(each['resolvers'])}", soft_wrap=True)
    for api in status["dns_apis"]:
        if api["why_not"]:
            why = escape(api["why_not"])
            out.print(f"[yellow]The API of {api['provider']} fails:[/] {why}", soft_wrap=True)
    left = status["steps"]
    out.print(f"\n{left} steps to do (amaro failover plan)." if left else "\nAll is as decided.")


def why_unled(status: Mapping[str, Any]) -> str:
    """Why a member knows of no controller that answered us, and what it acts on meanwhile."""
    controller = status["controller"]
    holder = controller["name"]
    why = controller["why_not"] or "nobody has the lease yet"
    if holder and not controller["why_not"]:
        begins = holder == status["member"]
        why = "it begins to lead" if begins else f"{holder} has the lease, and did not answer here"
    first = {
        f"{each['service']} to {max(each['shares'], key=lambda share: float(share[1]))[0]}": None
        for each in (status["decision"] or {}).get("choices", ())
    }
    return f"{why}; in force: {', '.join(first) or 'no decision'}"


def _rows_of(
    service: str, targets: Sequence[Mapping[str, Any]], choices: Sequence[Mapping[str, Any]]
) -> list[Sequence[tuple[str, str]]]:
    """One row a target: its worst state, its votes, and what it carries, by region."""
    rows: list[Sequence[tuple[str, str]]] = []
    mine = [each for each in targets if each["service"] == service]
    for name in dict.fromkeys(each["target"] for each in mine):
        here = [each for each in mine if each["target"] == name]
        states = {each["state"] for each in here}
        worst = max(here, key=lambda each: list(COLOURS).index(each["state"]))
        state = worst["state"]
        where = "" if len(states) == 1 else f" in {_regions(here, state)}"
        votes = worst["votes"]
        rows.append(
            (
                (name, ""),
                (WORDS[state] + where, COLOURS[state]),
                (_carried(service, name, choices), ""),
                (f"{votes['up']} up, {votes['down']} down, {votes['silent']} silent", "dim"),
                (_note(worst), "dim"),
            )
        )
    return rows


def _regions(here: Sequence[Mapping[str, Any]], state: str) -> str:
    names = [each["region"] for each in here if each["state"] == state]
    return ", ".join("DNS" if name == EVERYWHERE else name for name in names)


def _carried(service: str, target: str, choices: Sequence[Mapping[str, Any]]) -> str:
    """`carries 100 %`, or by region where that differs."""
    shares = {
        each["region"]: dict(map(tuple, each["shares"])).get(target, 0.0)
        for each in choices
        if each["service"] == service
    }
    if len(set(shares.values())) <= 1:
        share = next(iter(shares.values()), 0.0)
        return f"{share:.0%}" if share else "-"
    return ", ".join(
        f"{'DNS' if region == EVERYWHERE else region} {share:.0%}"
        for region, share in shares.items()
        if share
    )


def _note(row: Mapping[str, Any]) -> str:
    if row["state"] == "held":
        return f"used again after {duration(row['held_off_s'])} more without a break"
    return str(row["why"])


def duration(seconds: float) -> str:
    """`3 min` or `12 s`."""
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"


def _dns(each: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    colour = {"in force": "green", "failed": "bold red"}.get(each["state"], "yellow")
    return (
        (each["provider"], ""),
        (each["name"], ""),
        (each["state"], colour),
        (each["why"] or each["wanted"], "dim"),
    )


def show_receipt(told: Mapping[str, Any]) -> None:
    """Print what a drill came to."""
    out.print(f"[bold]{told['service']}/{told['target']}[/], {told['night']}, {told['kind']}\n")
    for move in told["moves"]:
        words = ", ".join(f"{name} {share:.0%}" for name, share in move["shares"])
        after = f" ({move['after_s']:g} s)" if "after_s" in move else ""
        out.print(f"  {move['at']}{after}  {', '.join(move['regions'])}: {words}")
    away = sum(move["is_away"] for move in told["moves"])
    home = told.get("back_at") or ("yes" if told.get("is_back") else "not yet")
    out.print(f"\nMoves away: {away}. All traffic back: {home}.")
    if over := told.get("over"):
        out.print(f"It ended since {over}.")
    for how, lost in told["lost"].items():
        count, unmoved = told["viewers"][how], told["lost_if_nobody_moved"][how]
        out.print(
            f"Viewer-seconds lost by {count} viewers ({how}): [bold]{lost:,.0f}[/]; "
            f"if nobody had moved: {unmoved:,.0f}."
        )
    out.print("\nWhat of it is not real:")
    for text in told["synthetic"]:
        out.print(f"  - {text}", soft_wrap=True)
    out.print(f"\n[dim]sha256 {told['digest']}[/]")


def _once(rows: Sequence[Mapping[str, Any]], keys: tuple[str, ...]) -> list[Mapping[str, Any]]:
    return list({tuple(each[key] for key in keys): each for each in rows}.values())
