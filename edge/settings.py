"""Everything that an edge is told: once, at its start, by its operator."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, NamedTuple

from cache_policies.contest import Objective

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


class Address(NamedTuple):
    """Where a listener binds; port 0 lets the kernel choose."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class CertificatePair(NamedTuple):
    """Two PEM files: a certificate with its chain, and its private key."""

    certificate: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What bounds a node; reaching a limit is counted. Numbers of things are shared by workers."""

    # players
    keep_alive_s: float = 75.0  # an idle player connection is closed after this
    head_read_s: float = 10.0  # from the first byte of a request to the end of its head
    head_max_bytes: int = 32 * KIB  # request line and fields together
    url_max_bytes: int = 8 * KIB
    body_max_bytes: int = 64 * MIB  # of a request
    sender_min_bps: int = 256  # of a request's body, once it has been waited for `idle_s` in all
    connections_max: int = 16_384
    client_connections_max: int = 2_048  # of one client: an IPv4 address, or an IPv6 /64
    handshake_s: float = 10.0  # of TLS, from the connection's beginning to its end
    handshakes_max: int = 1_024  # in progress at once
    reader_min_bps: int = 8 * KIB  # bytes a second; slower readers are cut when memory is short
    reader_idle_s: float = 120.0  # a player that takes nothing of what waits for it is cut
    drain_grace_s: float = 1.0  # `ready` says 503, everything is still served
    drain_s: float = 20.0  # then responses in flight may finish for this long

    # fills
    connect_s: float = 3.0
    first_byte_s: float = 30.0  # from the end of our request to the first byte of the answer
    idle_s: float = 15.0  # between two reads of one answer
    total_s: float = 21_600.0  # from a request upstream to the last byte of its answer
    retry_ratio: float = 0.2  # retries that could add to an overload, for each request upstream
    retry_burst: float = 16.0  # of them at once
    origin_fall: int = 3  # failures in a row until an origin is asked last
    origin_rise: int = 2  # successes in a row until it has its place again
    probe_s: float = 2.0  # between two probes of an origin
    upstream_idle_s: float = 30.0  # a pooled upstream connection lives this long unused
    upstream_connections_max: int = 256
    upstream_head_max_bytes: int = 64 * KIB
    upstream_requests_max: int = 2_048  # at origins at once, in fair shares of titles
    upstream_wait_s: float = 2.0  # for a place among them
    fills_max: int = 1_024
    invalidations_max: int = 1_024  # unsafe requests that wait until all workers know of them
    memory_wait_s: float = 5.0  # a fill waits this long for memory that slow readers hold
    waiters_max: int = 16_384  # over all fills
    object_max_bytes: int = 1 * GIB  # larger bodies pass through, unstored
    tokens_max: int = 65_536  # access tokens remembered as verified
    uncacheable_max: int = 65_536  # keys remembered as not worth waiting for
    uncacheable_s: float = 120.0

    # prewarming
    prewarm_requests_per_s: float = 50.0  # upstream
    warm_s: float = 20.0  # a node that is not filled by then is ready all the same

    # disk
    purge_log_s: float = 10.0  # another's log must be read within this, else the disk starts empty
    purge_log_every_s: float = 10.0  # between two readings of it while players are served
    unsynced_max_s: float = 300.0  # without news of it, all is served; then what is immutable only
    disk_wait_s: float = 0.05  # for a look-up with a slice, or for a write; then it is skipped

    # Valkey
    redis_wait_s: float = 0.025  # to connect, and for a look-up with all that it takes
    redis_write_s: float = 0.25  # for what no player waits for
    redis_waits_max: int = 64  # look-ups under way
    redis_failures: int = 5  # so many
    redis_failures_within_s: float = 1.0  # in this time: then a server is not asked any more
    redis_probe_s: float = 1.0  # between two probes of it from then on

    # other edges of the region
    edge_connect_s: float = 0.5
    edge_silent_s: float = 2.0  # without a sign of life of one that was asked
    edge_idle_s: float = 5.0  # between two reads of one answer; the rest is had elsewhere
    edge_catch_up_s: float = 0.25  # to read on in the purge log for one that knows more of it
    edge_probe_s: float = 1.0  # between two probes of one that failed

    # node
    purge_ack_s: float = 5.0  # a worker that needs longer to apply a purge is named as hanging
    control_s: float = 2.0  # for one answer of a worker to its supervisor
    restart_backoff_max_s: float = 10.0
    watch_s: float = 2.0  # between two looks at every worker
    hang_s: float = 10.0  # a worker that answers nothing for this long, twice, is killed

    def share(self, workers: int) -> Limits:
        """Return the limits of one of `workers` workers, so that all of them keep the node's."""
        return replace(self, **{name: -(-getattr(self, name) // workers) for name in _SHARED})


_SHARED: Final = (
    "client_connections_max",
    "connections_max",
    "fills_max",
    "handshakes_max",
    "invalidations_max",
    "redis_waits_max",
    "tokens_max",
    "uncacheable_max",
    "upstream_connections_max",
    "upstream_requests_max",
    "waiters_max",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSettings:
    """One edge node. `memory_bytes` is the node's; each worker gets an equal share."""

    listen: Address
    origin: str  # http://host[:port], no path; several of the same content with commas, best first
    origin_groups: tuple[str, ...] = ()  # NAME=URL[,URL…]: others, for policies to choose
    probe_path: str = "/"  # asked of origins that another could stand in for
    memory_bytes: int = 512 * MIB
    objective: Objective = Objective.BYTES  # what eviction is to be good at
    workers: int = 1
    disk: str | None = None  # the directory of the disk tier
    disk_bytes: int = 20 * GIB
    redis: str | None = field(default=None, repr=False)  # a URL, with its password; never logged
    redis_bytes: int = 1 * GIB  # what the region's values may take there
    purge_log: str | None = None  # http://host/path of another's log, replayed before serving
    peer: Address | None = None  # where other edges of the region ask
    advertise: str = ""  # the URL by which they reach that
    shield: tuple[str, ...] = ()  # such URLs of the region's edges
    region_token: str = field(default="", repr=False)  # that edges know each other by
    admin: Address | None = None
    token: str = field(default="", repr=False)  # of the admin listener; never logged
    debug_token: str = field(default="", repr=False)  # of requests that ask for Server-Timing
    region: str = ""
    region_header: str = ""  # by which trusted proxies say where a player is
    geoip: bool = False  # else it is in the country that its address was given to
    network_header: str = ""  # by which trusted proxies say what network a player is in
    network_table: str | None = None  # a file that tells it for the others
    prewarm: bool = False  # fetch what players will ask for
    uplink_bps: int = 125_000_000  # bytes a second that upstreams can give this node
    prewarm_share: float = 0.2  # of it
    warm_from: tuple[str, ...] = ()  # admin listeners of other edges: what is watched there
    access_log: str = ""  # a file, "-" for standard output; none without
    access_log_sample: int = 1  # one of that many answers is logged
    trusted_proxies: tuple[str, ...] = ()  # networks whose hosts say truly for whom they ask
    tls: tuple[CertificatePair, ...] = ()  # players connect over TLS where there is one
    policies: str | None = None  # a policy file's name
    access_keys: str | None = None  # the file of a ring's name
    access_ring: str = field(default="", repr=False)  # a ring itself, where there is no file
    realtime: Address | None = None  # where the hub of signals listens; no hub without
    realtime_origins: tuple[str, ...] = ()  # whose pages may connect to it; "*" for all
    limits: Limits = field(default_factory=Limits)

    @property
    def first_origin(self) -> str:
        """Return the URL of the best server of the default group."""
        return self.origin.partition(",")[0]

    @property
    def group_names(self) -> tuple[str, ...]:
        """Return the names of the groups of origins that policies may choose."""
        return tuple(each.partition("=")[0] for each in self.origin_groups)

    @property
    def worker_memory_bytes(self) -> int:
        """Return the share of one worker."""
        return self.memory_bytes // self.workers

    def to_json(self) -> str:
        """Return the settings as one line, token included: for a worker's private pipe only."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> EdgeSettings:
        """Return what `to_json` was called on."""
        return cls.from_mapping(json.loads(text))

    @classmethod
    def from_mapping(cls, raw: Mapping[str, Any]) -> EdgeSettings:
        """Return the settings of a decoded `to_json`; an unknown name raises TypeError."""
        admin, peer, realtime = raw["admin"], raw["peer"], raw["realtime"]
        nested = {
            "listen": Address(*raw["listen"]),
            "objective": Objective(raw["objective"]),
            "admin": None if admin is None else Address(*admin),
            "realtime": None if realtime is None else Address(*realtime),
            "realtime_origins": tuple(raw["realtime_origins"]),
            "peer": None if peer is None else Address(*peer),
            "shield": tuple(raw["shield"]),
            "limits": Limits(**raw["limits"]),
            "tls": tuple(CertificatePair(*pair) for pair in raw["tls"]),
            "origin_groups": tuple(raw["origin_groups"]),
            "trusted_proxies": tuple(raw["trusted_proxies"]),
            "warm_from": tuple(raw["warm_from"]),
        }
        return cls(**{**raw, **nested})
