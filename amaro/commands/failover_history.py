"""`amaro failover history` and `verify`: what all members' audit logs hold, and whether they do."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.markup import escape

from amaro.commands.failover_check import JsonOption
from amaro.commands.failover_who import complain_of_silent, members_of
from amaro.stack import DEFAULT_DATA
from amaro.target import AdminOption, DataOption, TokenFileOption
from amaro.terminal import out, print_json

if TYPE_CHECKING:
    from amaro.failover_members import Said

DRILLED: Final = "DRILL: "


def history(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="So many entries, the last.")] = 30,
    data: DataOption = DEFAULT_DATA,
    admin: AdminOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print what happened, what was done and who ordered it, of all members' audit logs.

    Example: amaro failover history --limit 100
    """
    members = members_of(data, admin, token_file)
    asked = members.ask("/history", limit=str(limit))
    entries = sorted(
        (
            {"member": said.answer["member"], **entry}
            for said in asked
            if said.answer is not None and said.status == 200
            for entry in said.answer["entries"]
        ),
        key=lambda entry: float(entry["at"]),
    )
    nobody = all(each.why_not for each in asked)
    if as_json:
        silent = [each.url for each in asked if each.why_not]
        print_json({"entries": entries[-limit:], "silent": silent})
        raise typer.Exit(1 if nobody else 0)
    complain_of_silent(asked)
    known = _scopes(members.ask("/status"))
    for entry in list(_told_once(entries))[-limit:]:
        at = datetime.fromtimestamp(entry["at"], UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        who = f"{entry['member']}/{entry.get('who', 'amaro')}"
        out.print(f"[dim]{at}  {escape(who)}[/]  {escape(in_words(entry, known))}", soft_wrap=True)


def _told_once(entries: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield entries, an event once: its first teller was killed, perhaps before people knew."""
    told: set[tuple[str, str]] = set()
    for entry in entries:
        name = (entry.get("event", ""), entry["text"])
        if name[0] and name in told:
            continue
        told.add(name)
        yield entry


def _scopes(asked: Sequence[Said]) -> dict[str, list[str]]:
    """Return every scope that is decided for, by service, as members know them."""
    from amaro.failover_showing import regions_of  # noqa: PLC0415

    decisions = [each.answer["decision"] for each in asked if each.answer and each.status == 200]
    return regions_of([choice for each in decisions if each for choice in each["choices"]])


def in_words(entry: Mapping[str, Any], known: Mapping[str, Collection[str]]) -> str:
    """Return an entry as people read it, with where it was so, unless that is everywhere."""
    from amaro.failover_showing import place  # noqa: PLC0415

    service, text = entry.get("service", ""), str(entry["text"])
    drilled = DRILLED if text.startswith(DRILLED) else ""
    text = text.removeprefix(DRILLED)
    words = drilled + (text if service in text else f"{service} {text}")
    scopes = known.get(service)
    regions = [each for each in entry.get("regions", ()) if scopes is None or each in scopes]
    where = ", ".join(map(place, regions))
    is_said = not where or f" in {where}" in text or (scopes and set(regions) >= set(scopes))
    return words if is_said else f"{words} ({where})"


def verify(
    data: DataOption = DEFAULT_DATA,
    admin: AdminOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Follow the chain of digests in every member's audit log; exit status 1 where it is broken.

    Example: amaro failover verify
    """
    asked = members_of(data, admin, token_file).ask("/verify")
    found = [each.answer for each in asked if each.answer is not None and each.status == 200]
    if as_json:
        print_json({"logs": found, "silent": [each.url for each in asked if each.why_not]})
    else:
        complain_of_silent(asked)
        for log in found:
            if log["broken"] is None:
                out.print(f"{log['member']}: {log['entries']} entries, [green]unbroken[/]")
            else:
                where, why = log["broken"]["line"], log["broken"]["why"]
                text = f"{log['member']}: [bold red]broken[/] at line {where}, which {why}"
                out.print(text, soft_wrap=True)
    broken = not found or any(each["broken"] for each in found)
    raise typer.Exit(1 if broken else 0)
