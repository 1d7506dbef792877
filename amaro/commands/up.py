"""`amaro up`: the whole stack on one machine, in the foreground."""

from __future__ import annotations

import asyncio
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from amaro import valkey
from amaro.demo import DemoError, show_demo
from amaro.edge_disk import edge_disk_bytes
from amaro.edge_rules import access_keys, edge_rules
from amaro.failover_stack import given, written
from amaro.ports import PORT_MAX, PortPlan, free_base, hosts_apart, is_ours, plan_ports, taken
from amaro.progress import Narrator, show_demo_url, welcome
from amaro.services import Site, edge_hosts, plan_services
from amaro.stack import DEFAULT_DATA, StackError, data_dir
from amaro.supervisor import Supervisor, stack_of
from amaro.terminal import err, give_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from amaro.stack import Service

EDGES_MAX = 16


def up(
    edges: Annotated[
        int, typer.Option(min=1, max=EDGES_MAX, help="How many edges, one a region.")
    ] = 2,
    data: Annotated[
        Path, typer.Option("--data", metavar="DIR", help="Where everything is kept.")
    ] = DEFAULT_DATA,
    port_base: Annotated[
        int, typer.Option(min=1024, max=PORT_MAX, help="First of the ports in use.")
    ] = 8080,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 is all.")] = "127.0.0.1",
    disk_size: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="What each edge may keep on disk; 4GiB as a rule."),
    ] = None,
    signed: Annotated[
        bool, typer.Option("--signed", help="Videos need a token, which the feed and the API give.")
    ] = False,
    failover: Annotated[
        bool, typer.Option("--failover", help="Run a member of failover beside each edge.")
    ] = False,
    services: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="What failover looks after, if not just these edges."),
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Make a clip and upload it, so that something plays.")
    ] = False,
) -> None:
    """Start everything on this machine, print where it is, and stay until Ctrl-C.

    Example: amaro up --edges 2

    A second stack beside the first: amaro up --data /tmp/two --port-base 8100

    With somebody who looks after the edges, each with a host of its own (127.0.0.2 and so on), so
    that players can be moved: amaro up --failover; amaro failover status
    """
    try:
        directory = data_dir(data)
        directory.prepare()
        with directory.locked():
            steered = failover and services is None
            hosts = hosts_apart(host, edges) if steered else ()
            ports = plan_ports(port_base, edges, failover=steered, hosts=hosts)
            check_ports(host, ports, port_base, edges)
            site = Site(
                edge_disk_bytes=edge_disk_bytes(disk_size, directory, edges),
                edge_rules=edge_rules(
                    directory,
                    signed=signed,
                    hosts=edge_hosts(host, ports) if edges > 1 else (),
                ),
                access_keys=access_keys(directory) if signed else None,
                data=directory,
                host=host,
                ports=ports,
                token=directory.secret("token"),
                region_token=directory.secret("region-token"),
                valkey=valkey.configure(directory),
            )
            if services is not None:
                members, elsewhere = given(services, ports)
                site = replace(site, services=services, members=members, elsewhere=elsewhere)
            elif failover:
                files, members = written(site)
                site = replace(site, services=files, members=members)
            try:
                asyncio.run(serve(site, demo=demo))
            finally:
                directory.forget_stack()
    except StackError as error:
        give_up(str(error))


def check_ports(host: str, ports: PortPlan, base: int, edges: int) -> None:
    """Raise StackError when a port is taken, naming it and a base that is free."""
    public = (port for _, port in ports.public().values())
    last = max(*public, *ports.private().values())
    if last > PORT_MAX:
        raise StackError(
            f"--port-base {base} is too high: {edges} edges need ports up to {last}, and there are "
            f"none above {PORT_MAX}. Choose {base - (last - PORT_MAX)} or less."
        )
    if not is_ours(host):
        raise StackError(f"--host {host} is not an address of this machine; 0.0.0.0 is all of its.")
    held = taken(host, ports)
    if not held:
        return
    names = ", ".join(f"{port} ({who})" for who, port in held.items())
    noun = "Port" if len(held) == 1 else "Ports"
    verb = "is" if len(held) == 1 else "are"
    has_members = any(each.member for each in ports.edges)
    hosts = [each.host for each in ports.edges if each.host]
    free = free_base(host, edges, above=base, failover=has_members, hosts=hosts)
    advice = f"amaro up --port-base {free}" if free else "amaro up --port-base PORT"
    raise StackError(
        f"{noun} {names} on {host} {verb} taken. Choose other ports: {advice} "
        f'(with make: make up ARGS="--port-base {free or "PORT"}").'
    )


async def serve(site: Site, *, demo: bool) -> None:
    """Run the stack until a signal asks us to stop."""
    plans = plan_services(site)
    stopping, started = asyncio.Event(), asyncio.Event()
    supervisor = Supervisor(plans=plans, record=recorder(site), report=Narrator())

    def end() -> None:
        if stopping.is_set():
            supervisor.hurry()
        stopping.set()
        err.print("\nStopping (once more to stop at once) …")

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, end)
    began = time.monotonic()

    def greet() -> None:
        welcome(site, plans, time.monotonic() - began, is_demo_coming=demo)
        started.set()

    try:
        async with asyncio.TaskGroup() as tasks:
            show = tasks.create_task(announce_demo(site, started)) if demo else None
            await supervisor.run(stopping, greet)
            if show is not None:
                show.cancel()
    except* StackError as failures:
        raise failures.exceptions[0] from None
    err.print(f"Stopped. Everything is kept in {escape(str(site.data.root))}.")


async def announce_demo(site: Site, started: asyncio.Event) -> None:
    """Print where the demo clip plays, once it does, or why it does not."""
    try:
        asset_id = await show_demo(site, started)
    except (DemoError, OSError, ValueError) as error:  # none of them is worth the stack
        err.print(f"[yellow]No demo:[/] {escape(str(error))}", soft_wrap=True)
    else:
        show_demo_url(f"{site.url(site.ports.console)}/watch/{asset_id}")


def recorder(site: Site) -> Callable[[tuple[Service, ...]], None]:
    """Return the function that keeps `run/stack.json` true."""

    def record(services: tuple[Service, ...]) -> None:
        try:
            site.data.write_stack(stack_of(services, site.token, site.services))
        except OSError as error:  # a full disk must not stop what runs
            err.print(f"Cannot write {site.data.stack_file}: {error.strerror}", soft_wrap=True)

    return record
