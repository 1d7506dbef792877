"""Which running stack a command speaks to: `--data`, `--admin`, `--token-file`, the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from amaro.quantities import parse_server
from amaro.stack import DEFAULT_DATA, Service, StackError, data_dir

if TYPE_CHECKING:
    from collections.abc import Sequence

TOKEN_VARIABLE: Final = "AMARO_ADMIN_TOKEN"  # noqa: S105

DataOption = Annotated[
    Path, typer.Option("--data", metavar="DIR", help="Data directory of the running stack.")
]
AdminOption = Annotated[
    list[str] | None,
    typer.Option(
        "--admin", metavar="URL", help="Admin listener to speak to instead; may be repeated."
    ),
]
TokenFileOption = Annotated[
    Path | None,
    typer.Option("--token-file", metavar="FILE", help=f"Admin token, if not in {TOKEN_VARIABLE}."),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whom to speak to, and the token that proves we may."""

    token: str
    services: tuple[Service, ...]  # empty when the admin listeners were named
    admins: tuple[str, ...]  # URLs of admin listeners, without a trailing slash

    @property
    def headers(self) -> dict[str, str]:
        """Return the request headers that carry the token."""
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def edges(self) -> tuple[tuple[str, str], ...]:
        """Return (name, admin URL) of every edge to ask."""
        if not self.services:
            return tuple((url, url) for url in self.admins)
        return tuple(
            (service.name, service.admin_url)
            for service in self.services
            if service.kind == "edge" and service.admin_url
        )


def find_target(*, data: Path, admin: Sequence[str] | None, token_file: Path | None) -> Target:
    """Return the target that the options and the environment name, or raise StackError."""
    token = given_token(token_file)
    if admin:
        if token is None:
            raise StackError(f"--admin needs a token: set {TOKEN_VARIABLE} or give --token-file.")
        return Target(token=token, services=(), admins=admin_urls("--admin", admin))
    stack = data_dir(data).read_stack()
    admins = tuple(service.admin_url for service in stack.services if service.admin_url)
    return Target(token=token or stack.token, services=stack.services, admins=admins)


def admin_urls(option: str, urls: Sequence[str]) -> tuple[str, ...]:
    """Return the admin listeners that an option names, without a slash at the end."""
    try:
        return tuple(parse_server(url) for url in urls)
    except ValueError as error:
        raise StackError(f"{option}: {error}") from error


def given_token(token_file: Path | None) -> str | None:
    """Return the token from the file, else from the environment, else None."""
    if token_file is None:
        return os.environ.get(TOKEN_VARIABLE) or None
    try:
        token = token_file.read_text().strip()
    except OSError as error:
        raise StackError(f"Cannot read --token-file {token_file}: {error.strerror}.") from error
    if not token:
        raise StackError(f"--token-file {token_file} is empty.")
    return token


__all__ = [
    "DEFAULT_DATA",
    "AdminOption",
    "DataOption",
    "Target",
    "TokenFileOption",
    "admin_urls",
    "find_target",
    "given_token",
]
