"""A request as the app gets it: an ASGI scope, and beside it what only this edge knows."""

from typing import Any, NamedTuple

from cache_policies.provider_tags import ProviderKind
from edge.cycle import Cycle, Scope
from edge.following import Follower
from edge.heads import Facts


class Ends(NamedTuple):
    """The two ends of a connection."""

    server: tuple[str, int | None] | None
    client: tuple[str, int] | None
    peer: bool  # the client is another worker of this node, or another edge of the region
    provider: ProviderKind | None = None  # or a CDN that is told of tags


class Request(NamedTuple):
    """What is asked; `body_length` is None where only its end will tell."""

    target: bytes
    facts: Facts
    body_length: int | None = 0


def scope_of(request: Request, ends: Ends, cycle: Cycle, reader: Follower | None) -> Scope:
    """The scope of one request, with its place in a fill if it has one."""
    target, facts, body_length = request
    path, _, query = target.partition(b"?")
    told: dict[str, Any] = {
        "target": target,
        "host": facts.host,
        "peer": ends.peer,
        "provider": ends.provider,
        "body_length": body_length,
        "cut": cycle.cut,
        "early": cycle.early,
        "alive": cycle.alive,
        "reader": reader,
        "admitted": cycle.admitted,
    }
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": facts.version.decode(),
        "method": facts.method.decode(),
        "scheme": facts.scheme.decode(),
        "path": path.decode("latin-1"),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": list(facts.fields),
        "server": ends.server,
        "client": ends.client,
        "state": {},
        "extensions": {"amaro.edge": told},
    }
