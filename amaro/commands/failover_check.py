"""`amaro failover check`: are the files right, and does anything hang on what it must survive?"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.markup import escape

from amaro.terminal import err, give_up, out, print_json

if TYPE_CHECKING:
    from failover.model import Model

DEFAULT_SERVICES: Final = Path("configs/services")

ServicesOption = Annotated[
    Path,
    typer.Option("--services", metavar="DIR", help="The files of services and members."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def check(
    services: ServicesOption = DEFAULT_SERVICES,
    offline: Annotated[
        bool, typer.Option("--offline", help="Resolve nothing; go by what the files say.")
    ] = False,
    resolver: Annotated[
        list[str] | None,
        typer.Option("--resolver", metavar="ADDRESS", help="Ask this one; may be repeated."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check the files, and that nothing in them hangs on a target that it must survive.

    Name servers, API hosts, the console's and the steering host are resolved, too. The exit status
    is 1 when something is refused, 2 when the files cannot be read.

    Example: amaro failover check --services configs/services --resolver 9.9.9.9
    """
    from dns.resolver import NoResolverConfiguration  # noqa: PLC0415

    from amaro.failover_showing import counted  # noqa: PLC0415
    from failover.dependencies import findings, unused_acceptances  # noqa: PLC0415
    from failover.resolving import Seen, look  # noqa: PLC0415

    model = read_model(services, as_json=as_json)
    try:
        seen = (
            Seen(providers={}, unresolved=())
            if offline
            else asyncio.run(look(model, resolver or ()))
        )
    except ValueError as error:
        give_up(f"--resolver: {error}; write an address, as 9.9.9.9", status=2)
    except NoResolverConfiguration as error:
        give_up(f"{error}; name a resolver with --resolver, or use --offline")
    found = findings(model, seen.providers)
    unused = unused_acceptances(model, seen.providers)
    if as_json:
        told: dict[str, Any] = {"ok": not found, "findings": [asdict(each) for each in found]}
        told["unresolved"] = [{"what": what, "why": why} for what, why in seen.unresolved]
        print_json(told | {"unused": list(unused), "services": len(model.services)})
    else:
        for what, why in seen.unresolved:
            err.print(f"[yellow]not known:[/] {escape(what)}: {escape(why)}", soft_wrap=True)
        for each in found:
            text = f"{each.what} depends on {each.on}: {each.why}"
            err.print(f"[red]refused:[/] {escape(text)}", soft_wrap=True)
        for text in unused:
            err.print(f"[yellow]accepted, but not so:[/] {escape(text)}", soft_wrap=True)
        if found:
            text = "Move it to another provider, or accept it by name under `accepted:`, with why."
            err.print(text, soft_wrap=True)
        else:
            targets = sum(len(each.targets) for each in model.services)
            has = [(len(model.services), "service"), (targets, "target")]
            has += [(len(model.vantages), "member")]
            known = "hangs" if not seen.unresolved else "that is known hangs"
            text = ", ".join(counted(*each) for each in has)
            out.print(f"{text}: [green]nothing {known} on what it must survive[/]", soft_wrap=True)
    raise typer.Exit(1 if found else 0)


def read_model(services: Path, *, as_json: bool = False) -> Model:
    """Read the files, or give up with everything that is wrong with them."""
    from amaro.service_files import ServiceFilesError, read_directory  # noqa: PLC0415

    try:
        return read_directory(services)
    except ServiceFilesError as error:
        if as_json:
            print_json({"ok": False, "errors": list(error.lines)})
        else:
            for line in error.lines:
                err.print(f"[red]{escape(line)}[/]", soft_wrap=True)
        raise typer.Exit(1) from None
    except OSError as error:
        give_up(f"{error.filename}: {error.strerror}", status=2)
