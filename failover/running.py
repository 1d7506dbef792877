"""Puts one member together and runs it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import secrets
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import uvicorn

from failover.api import Api
from failover.at_edge import ANSWER_S, Edge
from failover.audit_file import AuditFile
from failover.controlling import Controller
from failover.deciding import Decider
from failover.dns_adapters import DnsClients, adapter
from failover.dns_asking import Asker
from failover.dns_contract import DnsAdapter
from failover.dns_following import DnsFollower, Progress
from failover.dns_watching import Watcher
from failover.endpoint import Endpoint, endpoint
from failover.in_force import InForce
from failover.journal import Journal
from failover.leases import open_lease
from failover.member import Member
from failover.messages import Message, of_dns
from failover.model import EVERYWHERE, Model, Vantage
from failover.notifying import Notifier
from failover.own_dns import OwnDnsSettings, own_dns
from failover.peers import Peer, client
from failover.vantage import Watch

log = logging.getLogger("failover.member")

STOP_S: Final = 3
YOUNG_MAX: Final = 50_000  # objects that came without others having gone


class SettingsError(Exception):
    """A member cannot be put together; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one member needs beside the model."""

    name: str  # of the vantage that it is
    listener: socket.socket
    data: Path  # its own directory
    token: str  # of all members and operators
    edge_token: str  # of the admin listener of the edge beside it
    secrets: dict[str, str]  # of credentials, by name
    lease_url: str
    connection: type[asyncio.Protocol]  # of who asks: it bounds how many, how long, how much
    own_dns: OwnDnsSettings | None = None
    tls_cert: Path | None = None  # in PEM, with its key; without them it serves plain HTTP
    tls_key: Path | None = None
    ca_file: str = ""  # whose certificates of members to trust; empty: the system's


def spare_collector() -> None:
    """Have the garbage collector look at what is new only when there is much of it.

    Rounds and ballots are tuples that replace one another: nothing in them is a cycle, and passes
    over them cost a controller of 20 000 ballots a quarter of its time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX, 20, 20)


async def run_member(model: Model, settings: Settings, stop: asyncio.Event) -> None:
    """Run until `stop`. Raises SettingsError, LeaseStoreError, ChannelError, AuditError."""
    vantage = next((each for each in model.vantages if each.name == settings.name), None)
    if vantage is None:
        known = ", ".join(each.name for each in model.vantages)
        raise SettingsError(f"no member {settings.name!r} in the members' file; known are {known}")
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        text = f"--data {settings.data}: {error.strerror}; name a directory that can be written"
        raise SettingsError(text) from None
    audit = AuditFile(settings.data / "audit.jsonl")
    store = open_lease(settings.lease_url or f"sqlite:///{settings.data / 'lease.sqlite'}")
    notifier = Notifier({each.name: settings.secrets[each.credential] for each in model.channels})
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(audit.close)
        stack.push_async_callback(store.close)
        to_members = await stack.enter_async_context(client(settings.token, settings.ca_file))
        to_dns = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
        member, watch = _member(model, vantage, settings, audit, to_members)
        if vantage.edge_admin:
            to_edge = httpx.AsyncClient(
                headers={"Authorization": f"Bearer {settings.edge_token}"},
                timeout=ANSWER_S,
                trust_env=False,
            )
            member.join(Edge(model, vantage, await stack.enter_async_context(to_edge)))

        def told(progress: Progress) -> None:
            entry = {"happening": "dns", "text": dns_text(progress), "service": progress.service}
            audit.record(entry | ({"runbook": "dns-api-down"} if progress.why else {}))
            if (message := dns_message(progress)) is not None:
                notifier.tell(message)

        dns = DnsFollower(
            model.services,
            _adapters(model, settings, to_dns),
            Watcher(asker=Asker()),
            may_act=member.may_act,
            told=told,
            is_drilled=lambda service: (
                member.controller is not None and member.controller.api_is_drilled(service)
            ),
            is_frozen=lambda service: member.ordered.is_frozen((service, EVERYWHERE)),
        )
        controller = Controller(
            settings.name,
            decider=Decider(model),
            store=store,
            peers=member.peers,
            own=member,
            audit=audit,
            notifier=notifier,
            dns=dns,
        )
        member.controller = controller
        server = _Server(
            uvicorn.Config(
                Api(member, audit, settings.token).app(),
                http=settings.connection,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=STOP_S,
                ssl_certfile=settings.tls_cert,
                ssl_keyfile=settings.tls_key,
            )
        )
        if settings.own_dns is not None:
            try:
                ours = await stack.enter_async_context(
                    own_dns(settings.own_dns, model.services, decision=member.decision)
                )
            except OSError as error:
                where = settings.own_dns.listen
                raise SettingsError(f"--dns {where}: {error.strerror or error}") from None
            member.in_force.follow(ours.follow)
        async with asyncio.TaskGroup() as tasks, watch.watching():
            serving = tasks.create_task(server.serve(sockets=[settings.listener]))
            running = [
                tasks.create_task(member.run()),
                tasks.create_task(controller.run()),
                tasks.create_task(notifier.run()),
            ]
            await stop.wait()
            server.should_exit = True
            await serving
            for task in running:
                task.cancel()
        await controller.release()


def dns_text(progress: Progress) -> str:
    """Return how far a name is, or what a provider's interface said, for the audit log."""
    name = "" if progress.state == "API failed" else f"{progress.name} "
    wanted = f" ({progress.wanted})" if progress.wanted else ""
    met = (progress.why or progress.resolvers).removeprefix(f"{progress.provider}: ")
    return f"{progress.provider}: {name}{progress.state}{wanted}" + (f": {met}" if met else "")


def dns_message(progress: Progress) -> Message | None:
    """Return what people are told of a name or a provider's interface; None if all is well."""
    why = progress.why or progress.resolvers
    if not why:
        return None
    name = f"{progress.service}: {progress.name} at {progress.provider}"
    is_in_force = progress.state == "in force"
    return of_dns(name, progress.state, why, progress.wanted, is_in_force=is_in_force)


def _member(
    model: Model,
    vantage: Vantage,
    settings: Settings,
    audit: AuditFile,
    to_members: httpx.AsyncClient,
) -> tuple[Member, Watch]:
    journal = Journal(vantage.name, secrets.token_hex(8))
    others = [each for each in model.vantages if each.name != vantage.name]
    member = Member(
        model,
        vantage,
        journal=journal,
        in_force=InForce(settings.data / "decision.json"),
        audit=audit,
        peers={each.name: Peer(each, to_members) for each in others},
    )
    return member, Watch(model, vantage, journal)


def _adapters(
    model: Model, settings: Settings, to_dns: httpx.AsyncClient
) -> dict[str, tuple[DnsAdapter, list[Endpoint]]]:
    clients = DnsClients(http=to_dns)
    made: dict[str, tuple[DnsAdapter, list[Endpoint]]] = {}
    for provider in model.dns_providers:
        try:
            found = adapter(provider, settings.secrets.get(provider.credential, ""), clients)
        except ValueError as error:
            raise SettingsError(str(error)) from None
        if found is not None:
            made[provider.name] = found, [endpoint(each) for each in provider.name_servers]
    return made


class _Server(uvicorn.Server):
    """A server that leaves signals to who runs the member."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
