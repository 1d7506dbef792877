"""`amaro failover drill`: the night of 18 November 2025, over the rules alone or for real."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.markup import escape

from amaro.commands.failover_check import DEFAULT_SERVICES, JsonOption, read_model
from amaro.commands.failover_who import WhoOption, members_of, user_name
from amaro.stack import DEFAULT_DATA, StackError, data_dir
from amaro.target import AdminOption, DataOption, TokenFileOption
from amaro.terminal import err, give_up, out, print_json

if TYPE_CHECKING:
    from amaro.failover_drill import LiveDrill
    from amaro.failover_members import Members


def drill(
    name: Annotated[
        str, typer.Argument(metavar="[SERVICE/TARGET]", help="What is taken to fail.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Over the rules alone: nothing is asked or told.")
    ] = False,
    stop: Annotated[bool, typer.Option("--stop", help="End the drill that is on its way.")] = False,
    speed: Annotated[
        float | None,
        typer.Option(min=1, max=1000, help="So many times faster; 1 with --dry-run, else 60."),
    ] = None,
    viewers: Annotated[int, typer.Option(min=1, max=10_000, help="How many of them watch.")] = 100,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="For the audit log.")] = "",
    who: WhoOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Type no confirmation.")] = False,
    services: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="With --dry-run: whose services; else the running stack's, or configs/services.",
        ),
    ] = None,
    data: DataOption = DEFAULT_DATA,
    admin: AdminOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Live through the night of 18 November 2025: errors that come and go, APIs that are down.

    With --dry-run in virtual time, over the rules that decide. Else the members that run hear the
    target as failing, and its traffic moves; it ends by itself, with --stop, or when anything
    fails in truth.

    Example: amaro failover drill media/cloudflare --dry-run

    Against a running stack: amaro failover drill media/edge-north --why "monthly" --speed 120
    """
    from amaro.failover_drill import LiveDrill  # noqa: PLC0415
    from amaro.failover_drill import dry_run as rehearsed  # noqa: PLC0415
    from amaro.failover_receipt import show_receipt  # noqa: PLC0415

    service, _, target = name.partition("/")
    if stop:
        _end_drill(members_of(data, admin, token_file), who or user_name(), as_json=as_json)
    if not (service and target):
        give_up("name what is taken to fail: SERVICE/TARGET, as media/cloudflare", status=2)
    try:
        if dry_run:
            files = services or watched_files(data)
            model = read_model(files, as_json=as_json)
            if why_not := model.why_unknown(service, target):
                give_up(f"{why_not} (in {files}; others: --services DIR)")
            told = rehearsed(model, service, target, speed=speed or 1.0, viewers=viewers)
        else:
            if not why.strip():
                give_up("a drill needs --why, for the audit log", status=2)
            members = members_of(data, admin, token_file)
            if (
                not yes
                and typer.prompt(f"Type {service} to move its traffic in earnest") != service
            ):
                give_up("not confirmed; nothing was done")
            fast = speed or 60.0
            order = {"service": service, "target": target, "speed": fast, "why": why}
            live = LiveDrill(members, service, target, viewers, fast, _tell)
            live.look()
            begun = members.drill("POST", json=order | {"who": who or user_name()})
            if not (begun.answer or {}).get("carried_out"):
                said = begun.answer or {}
                give_up(str(said.get("text") or said.get("error") or begun.why_not))
            told = _watched(live, members, who or user_name())
    except StackError as error:
        give_up(str(error))
    if as_json:
        print_json(told)
    else:
        show_receipt(told)
    raise typer.Exit(0 if told.get("back_at") or told.get("is_back") else 1)


def watched_files(data: Path) -> Path:
    """Return what the running stack's failover looks after; the example if there is none."""
    try:
        found = data_dir(data).read_stack().watched
    except StackError:
        return DEFAULT_SERVICES
    return Path(found) if found else DEFAULT_SERVICES


def _tell(text: str) -> None:
    err.print(escape(text), soft_wrap=True)


def _watched(live: LiveDrill, members: Members, who: str) -> dict[str, Any]:
    """Watch a drill to its end; Ctrl-C ends it."""
    import asyncio  # noqa: PLC0415

    try:
        return asyncio.run(live.run())
    except KeyboardInterrupt:
        members.drill("DELETE", params={"who": who})
        give_up("the drill was ended; the target gets its traffic back in steps")


def _end_drill(members: Members, who: str, *, as_json: bool) -> NoReturn:
    try:
        said = members.drill("DELETE", params={"who": who}).answer or {}
    except StackError as error:
        give_up(str(error))
    is_done, text = (
        bool(said.get("carried_out")),
        escape(str(said.get("text") or said.get("error"))),
    )
    if as_json:
        print_json(said)
    elif is_done:
        out.print(text, soft_wrap=True)
    else:
        err.print(f"[bold red]Not done:[/] {text}", soft_wrap=True)
    raise typer.Exit(0 if is_done else 1)
