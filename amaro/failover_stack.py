"""What the failover of a stack on one machine looks after, and where its members are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from amaro.ports import LOOPBACK
from amaro.stack import StackError

if TYPE_CHECKING:
    from pathlib import Path

    from amaro.ports import EdgePorts, PortPlan
    from amaro.services import Site
    from failover.model import Model

HEAD: Final = "# Written by amaro up at each start; to look after other things: --services DIR\n"
PLAYLISTS: Final = ("/v/*/main.m3u8", "/~*/v/*/main.m3u8")  # with a token in the path, too
TTL_S: Final = 5  # of steering, so that who tries it out sees it
SOON: Final = {  # the same rules as in production, for people who look on
    "hold_off": "1m",
    "hold_off_max": "10m",
    "dwell": "5s",
    "step": "10s",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """The member of failover beside an edge."""

    name: str  # as the members' file has it
    region: str
    url: str

    @property
    def listen(self) -> str:
        """Return HOST:PORT of its listener."""
        return urlsplit(self.url).netloc


def written(site: Site) -> tuple[Path, tuple[Beside, ...]]:
    """Write the files for this stack: every edge is a target of `media`, and a vantage.

    Raises StackError when the disk refuses.
    """
    directory = site.data.root / "failover" / "services"
    members = tuple(
        Beside(name=each.region, region=each.region, url=f"http://{LOOPBACK}:{each.member}")
        for each in site.ports.edges
    )
    documents = {
        "members.yaml": _members(site, members, f"sqlite:///{directory.parent / 'lease.sqlite'}"),
        "media.yaml": _media(site),
    }
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, document in documents.items():
            (directory / name).write_text(HEAD + _yaml(document))
    except OSError as error:
        raise StackError(f"Cannot keep {directory}: {error.strerror}.") from error
    return directory, members


def _members(site: Site, members: tuple[Beside, ...], lease: str) -> dict[str, Any]:
    admins = {each.region: each.admin for each in site.ports.edges}
    return {
        "providers": [{"name": "own", "ours": True}],
        "members": [
            {
                "name": each.name,
                "region": each.region,
                "url": each.url,
                "edge_admin": f"http://{LOOPBACK}:{admins[each.region]}",
                "provider": "own",
            }
            for each in members
        ],
        "accepted": [{"what": "service/media", "on": "own", "why": "all of it is one machine"}],
        "lease": lease,
    }


def _media(site: Site) -> dict[str, Any]:
    edges = site.ports.edges
    media: dict[str, Any] = {
        "service": "media",
        "targets": [_target(site, each) for each in edges],
        "detection": {"vantages_min": min(2, len(edges)), **SOON},
    }
    if all(each.host for each in edges):
        # Pages ask the first edge first: who steers is not the one whose loss is tried out first.
        server = f"{site.edge_url(edges[-1])}/.amaro/steer"
        media["steering"] = {
            "server_uri": server,
            "playlists": list(PLAYLISTS),
            "ttl": f"{TTL_S}s",
            "ttl_suspect": f"{TTL_S}s",
        }
    return media


def _target(site: Site, edge: EdgePorts) -> dict[str, Any]:
    """An edge, watched and decided about, and a pathway for players if it has a host."""
    ready = f"{site.edge_inner_url(edge)}/.amaro/ready"
    pathway = {"pathway": edge.host} if edge.host else {}
    return pathway | {
        "name": f"edge-{edge.region}",
        "provider": "own",
        "weight": 1,  # players are spread over all edges
        "probes": [{"name": "ready", "kind": "http", "url": ready}],
    }


def _yaml(document: dict[str, Any]) -> str:
    from io import StringIO  # noqa: PLC0415

    from ruamel.yaml import YAML  # noqa: PLC0415 only a stack with failover writes any

    text = StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(document, text)
    return text.getvalue()


def given(services: Path, ports: PortPlan) -> tuple[tuple[Beside, ...], tuple[str, ...]]:
    """Return the members that an operator's files name for the regions of these edges.

    And, as base URLs, where else players are steered: pathways keep the port of an edge. Raises
    StackError when the files are wrong, or name none for an edge.
    """
    from amaro.service_files import ServiceFilesError, read_directory  # noqa: PLC0415

    try:
        model = read_directory(services)
    except ServiceFilesError as error:
        raise StackError(str(error)) from None
    except OSError as error:
        raise StackError(f"{services}: {error.strerror}.") from None
    by_region = {each.region: each for each in reversed(model.vantages)}
    for edge in ports.edges:
        if edge.region not in by_region:
            known = ", ".join(sorted(by_region))
            text = f"{services} has no member in region {edge.region}; its regions are {known}."
            raise StackError(f"{text} Every edge of a stack has one.")
    found = [by_region[edge.region] for edge in ports.edges]
    members = tuple(Beside(name=each.name, region=each.region, url=each.url) for each in found)
    return members, _elsewhere(model, ports)


def _elsewhere(model: Model, ports: PortPlan) -> tuple[str, ...]:
    steered = [service for service in model.services if service.steering is not None]
    hosts = [each.pathway_host for service in steered for each in service.targets]
    served = {each.public: None for each in ports.edges}
    servers = [urlsplit(each.steering.server_uri) for each in steered if each.steering is not None]
    urls = [f"{each.scheme}://{each.netloc}" for each in servers]
    urls += [f"http://{host}:{port}" for host in filter(None, hosts) for port in served]
    return tuple(dict.fromkeys(urls))
