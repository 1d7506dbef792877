"""What the pages must know about the stack that they talk to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit


class SettingsError(ValueError):
    """A setting that cannot work; the message names it and says what to write instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One edge: the region that it serves and its base URL, without a slash at the end."""

    name: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSettings:
    """Which edges players may use (the first is the default) and where uploads go."""

    edges: tuple[Edge, ...]
    origin: str
    admins: tuple[Edge, ...] = ()  # admin listeners of edges, by their names
    members: tuple[Edge, ...] = ()  # of failover
    realtime: bool = False  # whether the edges have hubs of signals
    signed: bool = False  # whether what is watched needs a token, which the API gives
    providers: tuple[str, ...] = ()  # where steering may send players: base URLs

    def hosts(self) -> tuple[str, ...]:
        """Every base URL that a page may talk to, each once, edges first."""
        edges = (edge.url for edge in self.edges)
        return tuple(dict.fromkeys([*edges, self.origin, *self.providers]))


def base_url(text: str, *, option: str) -> str:
    """`text` as a base URL without a path; raises SettingsError when it is not one."""
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/"):
        raise SettingsError(f"{option} needs a URL such as http://127.0.0.1:8080, not {text!r}")
    if parts.query or parts.fragment or parts.username or any(c in text for c in " ;,'\""):
        raise SettingsError(f"{option} needs a plain scheme, host and port, not {text!r}")
    return f"{parts.scheme}://{parts.netloc}"


def parse_edge(text: str, *, option: str = "--edge") -> Edge:
    """An edge from NAME=URL; raises SettingsError when it is not one."""
    name, equals, url = text.partition("=")
    if not equals or not name.isascii() or not name.replace("-", "").isalnum():
        raise SettingsError(
            f"{option} needs NAME=URL such as north=http://127.0.0.1:8080, not {text!r}"
        )
    return Edge(name=name, url=base_url(url, option=option))


def console_settings(  # noqa: PLR0913 - what the command line has
    edges: list[str],
    origin: str,
    admins: Sequence[str] = (),
    *,
    members: Sequence[str] = (),
    realtime: bool = False,
    signed: bool = False,
) -> ConsoleSettings:
    """The settings from the command line's words; raises SettingsError."""
    parsed = tuple(parse_edge(text) for text in edges)
    if not parsed:
        raise SettingsError("the console needs at least one --edge NAME=URL")
    if len({edge.name for edge in parsed}) != len(parsed):
        raise SettingsError("two --edge options have the same NAME; each region needs its own")
    listeners = tuple(parse_edge(text, option="--edge-admin") for text in admins)
    unknown = {each.name for each in listeners} - {each.name for each in parsed}
    if unknown:
        raise SettingsError(f"--edge-admin names {min(unknown)!r}, which no --edge does")
    own = base_url(origin, option="--origin")
    return ConsoleSettings(
        edges=parsed,
        origin=own,
        admins=listeners,
        members=tuple(parse_edge(text, option="--member") for text in members),
        realtime=realtime,
        signed=signed,
    )


def with_providers(settings: ConsoleSettings, urls: Sequence[str]) -> ConsoleSettings:
    """The settings where steering may send players to `urls`; raises SettingsError."""
    providers = tuple(base_url(each, option="--provider") for each in urls)
    return replace(settings, providers=providers)


def parse_listen(text: str) -> tuple[str, int]:
    """(host, port) from HOST:PORT, an IPv6 host in brackets; raises SettingsError."""
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise SettingsError(f"--listen needs HOST:PORT such as 127.0.0.1:8085, not {text!r}")
    return host.removeprefix("[").removesuffix("]"), int(port)
