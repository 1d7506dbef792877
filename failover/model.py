"""What is looked after: services, their targets, who vouches for them and who is told. Plain facts.

Built once from `configs/services/*.yaml` and never changed; a new file is a new model.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, unique
from typing import Final, Literal, TypeAlias

EVERYWHERE: Final = "*"  # the region of what is decided for all of them: DNS


@unique
class ProbeKind(Enum):
    """What a probe does to find out whether a target works."""

    DNS = "dns"  # its name, by each of several resolvers
    TCP = "tcp"  # a connection
    TLS = "tls"  # a handshake, with a certificate that is good for some days more
    HTTP = "http"  # an answer with this status and, if one is named, this body
    SEGMENT = "segment"  # playlist, media playlist and a segment, as a player fetches them


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One question to a target, asked by every vantage at every interval."""

    name: str  # of its own among the target's
    kind: ProbeKind
    url: str = ""  # http, segment: what is fetched; tls, tcp: scheme://host:port
    host_header: str = ""  # the name to ask for (and SNI) where the URL names an address
    status: int = 200
    sha256: str = ""  # of the whole body, hexadecimal; empty: any body
    body_bytes_max: int = 1024 * 1024
    resolvers: tuple[str, ...] = ()  # dns: HOST or HOST:PORT; empty: the system's
    answers: tuple[str, ...] = ()  # dns: one of these addresses must be among the answers
    expires_s: float = 7 * 86_400.0  # tls: a certificate that ends sooner fails
    ca_file: str = ""  # whose certificates to trust; empty: the system's
    timeout_s: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Who runs things, and by what a resolved host is known to be theirs."""

    name: str
    ours: bool = False  # what we run ourselves: nothing is left to survive it
    domains: tuple[str, ...] = ()  # of canonical names and name servers, without dots around
    networks: tuple[str, ...] = ()  # of addresses, as CIDR


RecordType: TypeAlias = Literal["A", "AAAA", "CNAME"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a target's name resolves to: one type and its values."""

    type: RecordType
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """Who runs a thing, and through whose network one gets there."""

    provider: str
    reached_through: tuple[str, ...] = ()

    @property
    def providers(self) -> frozenset[str]:
        """Everyone whose failure takes it away."""
        return frozenset((self.provider, *self.reached_through))


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One way to reach a service: a provider, another one, our own edges."""

    name: str  # its pathway's id, too: letters, digits, `.`, `-`, `_`
    needs: Dependency
    probes: tuple[Probe, ...]
    pathway_host: str = ""  # for players (URI-REPLACEMENT), without a port; empty: no pathway
    pathway_params: tuple[tuple[str, str], ...] = ()  # PARAMS of URI-REPLACEMENT
    route_url: str = ""  # base URL by which edges fill through it; empty: no route
    records: tuple[Record, ...] = ()  # what the service's name resolves to; empty: not in DNS
    capacity_mbps: float = float("inf")  # what it can carry
    cost_per_tb: float = 0.0
    weight: float = 0.0  # its share where targets are used side by side; 0: by order only


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """When a target counts as down, and when as up again: fast down, slow and slower up."""

    interval_s: float = 1.0
    interval_failing_s: float = 0.5  # while failures are too few for a vote
    fall: int = 2  # failed rounds in a row after which a vantage votes down
    window: int = 10  # a vantage votes down, too, if of so many rounds
    window_failed: int = 3  # so many failed
    rise: int = 5  # good rounds in a row after which a vantage votes up
    fresh_s: float = 5.0  # a vote that is older than this counts no more
    vantages_min: int = 2  # so many must vote down, however few there are
    hold_off_s: float = 1_200.0  # up for so long without a break, before it is used again
    hold_off_growth: float = 2.0  # with each fall while it was held off
    hold_off_max_s: float = 14_400.0
    forget_s: float = 86_400.0  # up for so long, and the hold-off is its first value again
    dwell_s: float = 30.0  # between two moves of a service that no failure demands
    step_share: float = 0.25  # a return moves so much at once,
    step_s: float = 60.0  # and waits so long between steps


@dataclass(frozen=True, slots=True, kw_only=True)
class SteeringSettings:
    """HLS Content Steering of a service (draft-pantos-hls-rfc8216bis §7)."""

    server_uri: str  # absolute; on a host that no listed provider fronts
    playlists: tuple[str, ...]  # path patterns of multivariant playlists, e.g. /v/*/main.m3u8
    ttl_s: float = 60.0  # how long a player keeps a manifest
    ttl_suspect_s: float = 5.0  # while anything is suspect


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsSettings:
    """The service's name in DNS."""

    name: str  # absolute, with its dot: media.example.org.
    zone: str  # absolute
    providers: tuple[str, ...]  # names of DnsProviders; two that are independent
    ttl_s: int = 60
    ttl_suspect_s: int = 20
    resolvers: tuple[str, ...] = ()  # HOST:PORT, watched after a change until the old TTL is over


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What players, uploaders or edges need: media, feed, uploads, realtime, fills."""

    name: str
    targets: tuple[Target, ...]  # in the order of preference
    demand_mbps: float = 0.0  # what a move carries along; 0: unknown, capacity is not looked at
    detection: Detection = field(default_factory=Detection)
    steering: SteeringSettings | None = None
    dns: DnsSettings | None = None
    route_group: str | None = None  # the edges' group of origins that this decides ("" the default)

    def target(self, name: str) -> Target:
        """The target of that name; raises KeyError."""
        return {target.name: target for target in self.targets}[name]


@unique
class DnsKind(Enum):
    """By which interface records are changed."""

    RFC2136 = "rfc2136"
    ROUTE53 = "route53"
    CLOUDFLARE = "cloudflare"
    POWERDNS = "powerdns"
    OWN = "own"  # our own authoritative servers, which ask the decision itself


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsProvider:
    """Who answers for zones, how to change them there and where to read them back."""

    name: str
    kind: DnsKind
    needs: Dependency
    server: str = ""  # rfc2136, own: HOST:PORT to update
    api: str = ""  # the others: base URL; empty: the provider's own
    zone_id: str = ""  # cloudflare, route53
    credential: str = ""  # name of a Credential
    name_servers: tuple[str, ...] = ()  # HOST:PORT to read back from, all of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A secret, by where it is; it is never part of the model."""

    name: str
    needs: Dependency
    file: str = ""
    variable: str = ""  # of the environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """Whom to tell: an apprise URL, by where it is."""

    name: str
    needs: Dependency
    credential: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Vantage:
    """A process that probes: beside every edge, so that it sees what the edge sees."""

    name: str
    region: str
    url: str  # of its API, to be reached by the other members
    needs: Dependency
    edge_admin: str = ""  # the admin listener of the edge it stands by; empty: none
    controls: tuple[Probe, ...] = ()  # what must work for its votes to count


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What must stay reachable beside all that: console, steering, the store of leases."""

    name: str
    url: str
    needs: Dependency


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A dependency that somebody has accepted by name, and why."""

    what: str  # kind/name, as a finding calls it: dns-provider/registrar
    on: str  # the provider it depends on
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Everything that is looked after."""

    services: tuple[Service, ...]
    vantages: tuple[Vantage, ...]
    providers: tuple[Provider, ...] = ()
    dns_providers: tuple[DnsProvider, ...] = ()
    channels: tuple[Channel, ...] = ()
    credentials: tuple[Credential, ...] = ()
    hosts: tuple[Host, ...] = ()
    accepted: tuple[Accepted, ...] = ()
    lease_url: str = ""  # redis://, sqlite:// or postgresql://; empty: a file in the data directory

    @property
    def regions(self) -> tuple[str, ...]:
        """Every vantage's region, each once, sorted."""
        return tuple(sorted({vantage.region for vantage in self.vantages}))

    def why_unknown(self, service: str, target: str) -> str:
        """Say that there is no such target, and which there are; empty: there is."""
        known = [f"{each.name}/{one.name}" for each in self.services for one in each.targets]
        named = f"{service}/{target}"
        return "" if named in known else f"no target {named}; known are {', '.join(known)}"
