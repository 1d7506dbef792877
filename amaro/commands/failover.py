"""`amaro failover`: who watches the providers, what they found, and one safe command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.markup import escape

from amaro.commands.failover_check import (
    DEFAULT_SERVICES,
    JsonOption,
    ServicesOption,
    check,
    read_model,
)
from amaro.commands.failover_drill import drill
from amaro.commands.failover_history import history, verify
from amaro.commands.failover_who import WhoOption, complain_of_silent, members_of, user_name
from amaro.stack import DEFAULT_DATA, StackError
from amaro.target import AdminOption, DataOption, TokenFileOption
from amaro.terminal import err, give_up, out, print_json

if TYPE_CHECKING:
    from amaro.failover_members import Members

OWN_DNS = "Our own name server"

app = typer.Typer(no_args_is_help=True)


@app.callback()
def failover() -> None:
    """The night a provider goes quiet.

    Is all well:        amaro failover status

    What would be done: amaro failover plan media/cloudflare

    Do it now:          amaro failover switch media fastly --why "cloudflare is down"

    Touch nothing:      amaro failover freeze --why "we look into the probes"

    Rehearse the night: amaro failover drill media/cloudflare --dry-run
    """


app.command()(check)
app.command()(drill)
app.command()(history)
app.command()(verify)


@app.command()
def run(
    name: Annotated[str, typer.Option(metavar="NAME", help="Which of the members this one is.")],
    services: ServicesOption = DEFAULT_SERVICES,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where members and operators ask.")
    ] = "127.0.0.1:9443",
    data: Annotated[
        Path, typer.Option(metavar="DIR", help="What it keeps: decision, audit log, lease.")
    ] = Path(".amaro/failover"),
    lease: Annotated[
        str,
        typer.Option(
            metavar="URL",
            envvar="AMARO_LEASE_URL",
            help="redis://, sqlite:// or postgresql://, for all members the same.",
        ),
    ] = "",
    token_file: TokenFileOption = None,
    edge_token_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Admin token of the edge, if it is another."),
    ] = None,
    tls_cert: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Serve members over TLS with this certificate."),
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its private key.")] = None,
    ca_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Who signs members' certificates, if not the system's."),
    ] = None,
    dns: Annotated[
        str,
        typer.Option(metavar="HOST:PORT", help="Answer DNS here.", rich_help_panel=OWN_DNS),
    ] = "",
    zone: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ZONE=FILE",
            help="A zone of ours, in a master file; services' names follow the decision.",
            rich_help_panel=OWN_DNS,
        ),
    ] = None,
    dns_follow: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ZONE=HOST:PORT",
            help="A zone of another server, as its secondary.",
            rich_help_panel=OWN_DNS,
        ),
    ] = None,
    dns_notify: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST:PORT", help="A secondary of our zones.", rich_help_panel=OWN_DNS
        ),
    ] = None,
    dns_key_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="ALGORITHM:NAME:BASE64, for transfers.", rich_help_panel=OWN_DNS
        ),
    ] = None,
) -> None:
    """Run one member: it watches all targets, looks after its edge, and may be the controller.

    Example: amaro failover run --name north-1 --services configs/services --listen 0.0.0.0:9443
    """
    from amaro.failover_running import MemberTls, run_one  # noqa: PLC0415
    from failover.own_zones import OwnZones  # noqa: PLC0415

    model = read_model(services)
    zones = OwnZones(
        listen=dns,
        zones=tuple(zone or ()),
        follow=tuple(dns_follow or ()),
        notify=tuple(dns_notify or ()),
        key_file=dns_key_file,
    )
    if not dns and zones != OwnZones(listen=""):
        give_up("--zone and --dns-… need --dns HOST:PORT, where to answer", status=2)
    try:
        run_one(
            model,
            name=name,
            listen=listen,
            data=data,
            lease=lease or model.lease_url,
            token_file=token_file,
            edge_token_file=edge_token_file,
            zones=zones if dns else None,
            tls=MemberTls(cert=tls_cert, key=tls_key, ca_file=ca_file),
        )
    except StackError as error:
        give_up(str(error), status=2)


@app.command()
def status(
    data: DataOption = DEFAULT_DATA,
    admin: AdminOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what works, what carries what, and what is left to do.

    The exit status is 1 when a target is down, or when nobody leads.

    Example: amaro failover status
    """
    from amaro.failover_showing import show_status, why_unled  # noqa: PLC0415

    asked = members_of(data, admin, token_file).ask("/status")
    there = [each.answer for each in asked if each.answer is not None and each.status == 200]
    led = next((each for each in there if each["leads"]), None)
    if as_json:
        print_json({"led": led, "members": there, "silent": [e.url for e in asked if e.why_not]})
    else:
        complain_of_silent(asked)
        if led is not None:
            show_status(led)
        for each_status in there if led is None else ():
            why = why_unled(each_status)
            alone = ", decides for its own edge" if each_status["alone"] else ""
            text = f"{each_status['member']}: no controller ({why}){alone}"
            err.print(escape(text), soft_wrap=True)
    down = led is None or any(each["state"] == "down" for each in led["targets"])
    raise typer.Exit(1 if down else 0)


@app.command()
def plan(
    failed: Annotated[
        str | None,
        typer.Argument(metavar="SERVICE/TARGET", help="As if this failed; else what is left."),
    ] = None,
    data: DataOption = DEFAULT_DATA,
    admin: AdminOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the steps that are left to do, or would be done if a target failed. Nothing is done.

    Example: amaro failover plan media/cloudflare
    """
    from amaro.failover_showing import place  # noqa: PLC0415

    service, _, target = (failed or "").partition("/")
    if failed and not (service and target):
        give_up(f"{failed!r} is not SERVICE/TARGET, as media/cloudflare", status=2)
    asked = {"service": service, "target": target} if failed else {}
    try:
        told = members_of(data, admin, token_file).led("/plan", **asked)
    except StackError as error:
        give_up(str(error))
    if as_json:
        print_json(told)
        return
    if not told["steps"]:
        nothing = f"Nothing would be done if {failed} failed" if failed else "Nothing to do"
        out.print(escape(f"{nothing}: {told['why']}."), soft_wrap=True)
    for number, step in enumerate(told["steps"], 1):
        out.print(f"{number}. {escape(step['text'])}", soft_wrap=True)
    for each in told.get("kept", ()) if told["steps"] else ():
        stays = f"{failed} would keep {each['share']:.0%} in {place(each['region'])}: {each['why']}"
        out.print(f"[bold yellow]But[/] {escape(stays)}", soft_wrap=True)


ServiceOption = Annotated[str, typer.Option("--service", metavar="NAME", help="One service only.")]
RegionOption = Annotated[
    str, typer.Option("--region", metavar="NAME", help="One region only; '*' is DNS alone.")
]
WhyOption = Annotated[str, typer.Option("--why", metavar="TEXT", help="For the audit log.")]
ForceOption = Annotated[
    bool,
    typer.Option("--force", help="Even to a target that fails, and even without a controller."),
]
EvenUnledOption = Annotated[bool, typer.Option("--force", help="Even without a controller.")]


@app.command()
def switch(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="What is moved.")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="Where to.")],
    why: WhyOption,
    region: RegionOption = "",
    who: WhoOption = None,
    force: ForceOption = False,
    data: DataOption = DEFAULT_DATA,
    admin: AdminOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Use a target first, at once, until it fails or `revert`. Refused for one that fails.

    Example: amaro failover switch media fastly --why "cloudflare announced maintenance"
    """
    order = {"service": service, "target": target, "region": region, "force": force}
    _order(members_of(data, admin, token_file), "switch", who, why, order, as_json=as_json)


STANDING_ORDERS: Final = {
    "revert": """Take switches back: what is best is used again, in steps.

    Example: amaro failover revert --service media --why "maintenance is over"
    """,
    "freeze": """Move nothing by itself any more, whatever fails; `switch` still works.

    Example: amaro failover freeze --why "we look into the probes"
    """,
    "unfreeze": """Leave by itself what fails, again.

    Example: amaro failover unfreeze --why "probes are fine"
    """,
}


def _standing_order(kind: str) -> None:
    def give(
        why: WhyOption,
        service: ServiceOption = "",
        region: RegionOption = "",
        who: WhoOption = None,
        force: EvenUnledOption = False,
        data: DataOption = DEFAULT_DATA,
        admin: AdminOption = None,
        token_file: TokenFileOption = None,
        as_json: JsonOption = False,
    ) -> None:
        order = {"service": service, "region": region, "force": force}
        _order(members_of(data, admin, token_file), kind, who, why, order, as_json=as_json)

    app.command(kind, help=STANDING_ORDERS[kind])(give)


for _kind in STANDING_ORDERS:
    _standing_order(_kind)


def _order(
    members: Members, kind: str, who: str | None, why: str, order: dict[str, Any], *, as_json: bool
) -> None:
    """Give an order; the exit status is 1 when it is not carried out."""
    if not why.strip():
        give_up("--why is empty: say why, for the audit log", status=2)
    ordered = {"order": kind, "who": who or user_name(), "why": why, **order}
    try:
        said = members.order(ordered)
    except StackError as error:
        give_up(str(error))
    answer = said.answer or {"carried_out": False, "text": said.why_not}
    text = answer.get("text") or answer.get("error") or f"status {said.status}"
    carried_out = bool(answer.get("carried_out"))
    if as_json:
        print_json({"carried_out": carried_out, "text": text, "member": answer.get("member", "")})
    elif carried_out:
        out.print(f"[green]Done:[/] {escape(text)}", soft_wrap=True)
    else:
        err.print(f"[bold red]Not done:[/] {escape(text)}", soft_wrap=True)
    raise typer.Exit(0 if carried_out else 1)
