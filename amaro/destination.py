"""Where an upload goes and where its viewers find it, from what runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from amaro.stack import StackError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from amaro.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """The URLs of one region, each without a slash at the end."""

    region: str
    origin: str
    edge: str
    console: str | None

    def playback_url(self, base: str) -> str:
        """Return the multivariant playlist's URL through the region's edge.

        `base` is the path of the asset's names, with the token that opens them, if there is one.
        """
        return f"{self.edge}{base}/main.m3u8"

    def watch_url(self, asset_id: str) -> str | None:
        """Return the page on which a person watches the asset, if a console is known."""
        return f"{self.console}/watch/{asset_id}" if self.console else None

    def state_url(self, asset_id: str) -> str:
        """Return where the origin says what has become of the asset."""
        return f"{self.origin}/api/assets/{asset_id}"


def find_destination(target: Target, region: str | None) -> Destination:
    """Return the destination for the region (default: the first edge's), or raise StackError."""
    found = _of_stack(target) if target.services else _of_admins(target)
    if not found:
        raise StackError("No edge runs here, so nobody could watch the upload.")
    if region is None:
        return found[0]
    for destination in found:
        if destination.region == region:
            return destination
    names = ", ".join(destination.region for destination in found)
    raise StackError(f"There is no region {region!r}; there is {names}.")


def _of_stack(target: Target) -> list[Destination]:
    urls = {service.kind: service.url for service in target.services}
    if "origin" not in urls:
        raise StackError("No origin runs here, so nothing can be uploaded.")
    return [
        Destination(
            region=service.region or service.name,
            origin=urls["origin"],
            edge=service.url,
            console=urls.get("console"),
        )
        for service in target.services
        if service.kind == "edge"
    ]


def _of_admins(target: Target) -> list[Destination]:
    """Ask each edge which origin it stands before; nobody named a console."""
    import httpx  # noqa: PLC0415

    found = []
    for admin in target.admins:
        try:
            # No proxy from the environment: it would read the token.
            answer = httpx.get(f"{admin}/status", headers=target.headers, trust_env=False)
        except httpx.HTTPError as error:
            raise StackError(f"No edge answers at {admin}: {error}") from error
        if answer.status_code != 200:
            raise StackError(f"The edge at {admin} refuses (status {answer.status_code}).")
        try:
            found.append(_of_status(admin, answer.json()))
        except (ValueError, KeyError, TypeError) as error:
            raise StackError(f"What answers at {admin} is no edge's admin listener.") from error
    return found


def _of_status(admin: str, status: Mapping[str, str]) -> Destination:
    host, _, port = status["listen"].rpartition(":")
    if host in {"0.0.0.0", "[::]"}:  # noqa: S104
        host = urlsplit(admin).hostname or host
    edge = f"{'https' if status['tls'] else 'http'}://{host}:{port}"
    return Destination(region=status["region"], origin=status["origin"], edge=edge, console=None)
