"""Runs one member of failover until a signal ends it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from amaro.quantities import parse_address
from amaro.stack import StackError
from amaro.target import TOKEN_VARIABLE, given_token
from edge.admin_connection import AdminConnection
from failover.audit_file import AuditError
from failover.lease import LeaseStoreError
from failover.model import Credential, Model
from failover.notifying import ChannelError
from failover.own_dns import OwnDnsSettings
from failover.own_zones import OwnZones, OwnZonesError
from failover.running import Settings, SettingsError, run_member, spare_collector


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberTls:
    """How members speak TLS with one another, if they do."""

    cert: Path | None = None
    key: Path | None = None
    ca_file: Path | None = None

    def demand(self) -> None:
        """Raise StackError unless all that is named can be used."""
        if (self.cert is None) is not (self.key is None):
            raise StackError("--tls-cert and --tls-key belong together.")
        try:
            if self.cert is not None:
                context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
                context.load_cert_chain(self.cert, self.key)
            if self.ca_file is not None:
                ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:  # ssl.SSLError is one
            raise StackError(f"--tls-cert, --tls-key or --ca-file: {error}") from None


def run_one(  # noqa: PLR0913 - what the command line has
    model: Model,
    *,
    name: str,
    listen: str,
    data: Path,
    lease: str,
    token_file: Path | None,
    edge_token_file: Path | None,
    zones: OwnZones | None,
    tls: MemberTls,
) -> None:
    """Run until SIGTERM or SIGINT. Raises StackError with what is wrong and what to do."""
    token = given_token(token_file)
    if not token:
        raise StackError(f"a member needs a token: set {TOKEN_VARIABLE} or give --token-file.")
    tls.demand()
    edge_token = given_token(edge_token_file) if edge_token_file is not None else token
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s", level="INFO")
    logging.getLogger("httpx").setLevel("WARNING")
    settings = Settings(
        name=name,
        listener=_listening(listen),
        data=data,
        token=token,
        edge_token=edge_token or token,
        secrets={each.name: _secret(each) for each in model.credentials},
        lease_url=lease,
        connection=AdminConnection,
        own_dns=None if zones is None else _own_dns(zones),
        tls_cert=tls.cert,
        tls_key=tls.key,
        ca_file=str(tls.ca_file or ""),
    )
    spare_collector()
    try:
        asyncio.run(_until_stopped(model, settings))
    except (SettingsError, LeaseStoreError, ChannelError, AuditError) as error:
        raise StackError(str(error)) from None


def _own_dns(zones: OwnZones) -> OwnDnsSettings:
    try:
        return zones.settings()
    except OwnZonesError as error:
        raise StackError(str(error)) from None


async def _until_stopped(model: Model, settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    await run_member(model, settings, stop)


def _listening(listen: str) -> socket.socket:
    try:
        host, port = parse_address(listen)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=256)
    except ValueError as error:
        raise StackError(f"--listen: {error}") from None
    except OSError as error:
        raise StackError(f"--listen {listen}: {os.strerror(error.errno or 0)}") from None


def _secret(credential: Credential) -> str:
    """Return a secret from its file or variable; its value is in no message."""
    if credential.variable:
        found, where = os.environ.get(credential.variable, ""), credential.variable
    else:
        where = credential.file
        try:
            found = Path(where).read_text()
        except OSError as error:
            text = f"credential {credential.name}: {where}: {error.strerror}"
            raise StackError(text) from None
    if not found.strip():
        raise StackError(f"credential {credential.name}: {where} is empty.")
    return found.strip()
