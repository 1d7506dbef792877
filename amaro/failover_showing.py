"""What `amaro failover` prints for people."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
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
    _show_orders(status)
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
            why = escape(api["why_not"].removeprefix(f"{api['provider']}: "))
            out.print(f"[yellow]The API of {api['provider']} fails:[/] {why}", soft_wrap=True)
    out.print()
    for text in _kept(status.get("kept", ()), regions_of(status["targets"])):
        out.print(f"[bold yellow]Left so:[/] {escape(text)}", soft_wrap=True)
    out.print(escape(_left(status, choices)), soft_wrap=True)


def _show_orders(status: Mapping[str, Any]) -> None:
    """Print what is not as it is every day: what people have frozen, drilled and pinned."""
    for frozen in status["frozen"]:
        where = frozen["service"] or "everything"
        where += f" in {place(frozen['region'])}" if frozen["region"] else ""
        by = f"by {frozen['who']}: {frozen['why']}"
        out.print(f"[bold yellow]Frozen:[/] {escape(f'{where}, {by}')}", soft_wrap=True)
    if drill := status.get("drill"):
        text = f"{drill['service']}/{drill['target']}, by {drill['who']}: {drill['why']}"
        text += f", {duration(drill['left_s'])} left; --stop ends it"
        out.print(f"[bold yellow]Drill:[/] {escape(text)}", soft_wrap=True)
    regions = regions_of(status["targets"])
    pinned: dict[tuple[str, ...], list[str]] = {}
    for pin in status["pins"]:
        how = ", even while it fails" if pin.get("is_forced") else ""
        name = (pin["service"], pin["target"], f", by {pin['who']}{how}: {pin.get('why', '')}")
        pinned.setdefault(name, []).append(pin["region"])
    for (service, target, by), here in pinned.items():
        text = f"{service} to {target}{_in(here, regions.get(service, ()))}{by}"
        out.print(f"[bold yellow]Pinned:[/] {escape(text)}", soft_wrap=True)


def regions_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return every scope that is known of a service, by service."""
    found: dict[str, dict[str, None]] = {}
    for each in rows:
        found.setdefault(each["service"], {})[each["region"]] = None
    return {service: list(regions) for service, regions in found.items()}


def place(region: str) -> str:
    """Return a scope as people call it."""
    return "DNS" if region == EVERYWHERE else region


def _in(here: Sequence[str], known: Collection[str]) -> str:
    """` in north, DNS`; empty where that is all there is."""
    return "" if set(here) >= set(known) else f" in {', '.join(map(place, here))}"


def _kept(rows: Sequence[Mapping[str, Any]], regions: Mapping[str, list[str]]) -> Iterator[str]:
    """Yield what carries traffic though it is down, and why, the scopes of one reason together."""
    found: dict[tuple[str, str, float, str], list[str]] = {}
    for each in rows:
        name = (each["service"], each["target"], each["share"], each["why"])
        found.setdefault(name, []).append(each["region"])
    for (service, target, share, why), here in found.items():
        where = _in(here, regions.get(service, ()))
        yield f"{service}/{target} is down, but carries {share:.0%}{where}: {why}"


def _left(status: Mapping[str, Any], choices: Sequence[Mapping[str, Any]]) -> str:
    """What is left to do until all is as decided."""
    if left := status["steps"]:
        return f"{counted(left, 'step')} to do (amaro failover plan)."
    services = dict.fromkeys(each["service"] for each in status["targets"])
    decided = {each["service"] for each in choices}
    if unknown := [service for service in services if service not in decided]:
        return (
            f"Nothing is decided yet of {', '.join(unknown)}: too little is known of its targets."
        )
    waiting = [each["provider"] for each in status["dns"] if each["state"] != "in force"]
    if waiting:
        return f"All is as decided, but not yet in DNS at {', '.join(dict.fromkeys(waiting))}."
    return "All else is as decided." if status.get("kept") else "All is as decided."


def counted(number: int, what: str) -> str:
    """`1 step` or `2 steps`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def why_unled(status: Mapping[str, Any]) -> str:
    """Why a member knows of no controller that answered us, and what it acts on meanwhile."""
    controller = status["controller"]
    holder = controller["name"]
    why = controller["why_not"] or "nobody has the lease yet"
    if holder and not controller["why_not"]:
        begins = holder == status["member"]
        why = "it begins to lead" if begins else f"{holder} has the lease, and did not answer here"
    return f"{why}; in force: {_in_force((status['decision'] or {}).get('choices', ()))}"


def _in_force(choices: Sequence[Mapping[str, Any]]) -> str:
    """`media north-1 75%, south-1 25%`, by region where regions differ."""
    regions = regions_of(choices)
    found: dict[tuple[str, str], list[str]] = {}
    for each in choices:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in each["shares"] if share)
        found.setdefault((each["service"], shares), []).append(each["region"])
    told = (
        f"{service}{_in(here, regions[service])} {shares}"
        for (service, shares), here in found.items()
    )
    return "; ".join(told) or "no decision"


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
    return ", ".join(map(place, names))


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
    return ", ".join(f"{place(region)} {share:.0%}" for region, share in shares.items() if share)


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
