"""A file of one service in `configs/services` as it is written, and what the model makes of it."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, model_validator

from amaro.service_words import (
    LIST_MAX,
    Count,
    DnsName,
    Duration,
    HostName,
    HttpUrl,
    Mbps,
    Name,
    Names,
    PathPattern,
    PlayersHost,
    ProbeUrl,
    ServerAddress,
    ServerAddresses,
    Sha256,
    Strict,
)
from failover import model

DETECTION: Final = model.Detection()
URL_KINDS: Final = {
    "tcp": ("tcp", "http", "https", "tls"),
    "tls": ("tls", "https"),
    "http": ("http", "https"),
    "segment": ("http", "https"),
}


class Needs(Strict):
    """Who runs it, and through whom one gets there."""

    provider: Name
    reached_through: Names = ()

    def dependency(self) -> model.Dependency:
        """What the model calls it."""
        return model.Dependency(provider=self.provider, reached_through=self.reached_through)


class Probe(Strict):
    """One question to a target."""

    name: Name
    kind: Literal["dns", "tcp", "tls", "http", "segment"]
    url: ProbeUrl = ""
    host: HostName = ""
    status: Annotated[int, Field(strict=True, ge=100, le=599)] = 200
    sha256: Sha256 = ""
    resolvers: ServerAddresses = ()
    answers: Annotated[tuple[ServerAddress, ...], Field(max_length=LIST_MAX)] = ()
    expires: Duration = 7 * 86_400.0
    ca_file: str = ""
    timeout: Duration = 1.0

    @model_validator(mode="after")
    def fits_its_kind(self) -> Probe:
        """Raise ValueError where a key says nothing to this kind of probe, or one is missing."""
        if self.kind == "dns":
            if not self.host:
                raise ValueError("a dns probe needs `host`, the name to resolve")
        elif self.url.partition("://")[0] not in URL_KINDS[self.kind]:
            schemes = " or ".join(f"{each}://" for each in URL_KINDS[self.kind])
            raise ValueError(f"a {self.kind} probe needs `url` with {schemes}")
        if self.sha256 and self.kind != "http":
            raise ValueError("`sha256` belongs to an http probe")
        return self

    def probe(self) -> model.Probe:
        """What the model calls it."""
        return model.Probe(
            name=self.name,
            kind=model.ProbeKind(self.kind),
            url=self.url,
            host_header=self.host,
            status=self.status,
            sha256=self.sha256,
            resolvers=self.resolvers,
            answers=self.answers,
            expires_s=self.expires,
            ca_file=self.ca_file,
            timeout_s=self.timeout,
        )


Probes: TypeAlias = Annotated[tuple[Probe, ...], Field(max_length=LIST_MAX)]


class Record(Strict):
    """What a target's name resolves to."""

    type: Literal["A", "AAAA", "CNAME"]
    values: Annotated[tuple[str, ...], Field(min_length=1, max_length=16)]

    @model_validator(mode="after")
    def values_fit(self) -> Record:
        """Raise ValueError for a value that is none of its type."""
        version = {"A": 4, "AAAA": 6}.get(self.type)
        for value in self.values:
            if version is None:
                if not value.endswith(".") or len(self.values) != 1:
                    raise ValueError("a CNAME has one value, an absolute name with its dot")
            elif not _is_address(value, version):
                raise ValueError(f"`{value}` is no IPv{version} address")
        return self


def _is_address(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False


class Target(Needs):
    """One way to reach a service."""

    name: Name
    probes: Annotated[Probes, Field(min_length=1)]
    pathway: PlayersHost = ""
    pathway_params: dict[Name, str] = Field(default_factory=dict)
    route: HttpUrl = ""
    records: Annotated[tuple[Record, ...], Field(max_length=3)] = ()
    capacity: Mbps = float("inf")
    cost_per_tb: Annotated[float, Field(ge=0.0)] = 0.0
    weight: Annotated[float, Field(ge=0.0, le=1e6)] = 0.0

    def target(self) -> model.Target:
        """What the model calls it."""
        return model.Target(
            name=self.name,
            needs=self.dependency(),
            probes=tuple(each.probe() for each in self.probes),
            pathway_host=self.pathway,
            pathway_params=tuple(sorted(self.pathway_params.items())),
            route_url=self.route.rstrip("/"),
            records=tuple(model.Record(type=r.type, values=r.values) for r in self.records),
            capacity_mbps=self.capacity,
            cost_per_tb=self.cost_per_tb,
            weight=self.weight,
        )


class Detection(Strict):
    """When a target counts as down, and as up again."""

    interval: Duration = DETECTION.interval_s
    interval_failing: Duration | None = None  # half an interval
    fall: Count = DETECTION.fall
    window: Count = DETECTION.window
    window_failed: Count = DETECTION.window_failed
    rise: Count = DETECTION.rise
    fresh: Duration = DETECTION.fresh_s
    vantages_min: Count = DETECTION.vantages_min
    hold_off: Duration = DETECTION.hold_off_s
    hold_off_growth: Annotated[float, Field(ge=1.0, le=10.0)] = DETECTION.hold_off_growth
    hold_off_max: Duration = DETECTION.hold_off_max_s
    forget: Duration = DETECTION.forget_s
    dwell: Duration = DETECTION.dwell_s
    step_share: Annotated[float, Field(gt=0.0, le=1.0)] = DETECTION.step_share
    step: Duration = DETECTION.step_s

    @model_validator(mode="after")
    def agrees_with_itself(self) -> Detection:
        """Raise ValueError for limits that can never be reached."""
        if self.window_failed > self.window:
            raise ValueError("`window_failed` is more than `window`")
        if (self.interval_failing or 0.0) > self.interval:
            raise ValueError("`interval_failing` is longer than `interval`")
        if self.hold_off > self.hold_off_max:
            raise ValueError("`hold_off` is longer than `hold_off_max`")
        if self.fresh < 2 * self.interval:
            raise ValueError("`fresh` is shorter than two intervals: votes would come and go")
        return self

    def detection(self) -> model.Detection:
        """What the model calls it."""
        return model.Detection(
            interval_s=self.interval,
            interval_failing_s=self.interval_failing or self.interval / 2,
            fall=self.fall,
            window=self.window,
            window_failed=self.window_failed,
            rise=self.rise,
            fresh_s=self.fresh,
            vantages_min=self.vantages_min,
            hold_off_s=self.hold_off,
            hold_off_growth=self.hold_off_growth,
            hold_off_max_s=self.hold_off_max,
            forget_s=self.forget,
            dwell_s=self.dwell,
            step_share=self.step_share,
            step_s=self.step,
        )


class Steering(Strict):
    """HLS Content Steering of a service."""

    server_uri: HttpUrl
    playlists: Annotated[tuple[PathPattern, ...], Field(min_length=1, max_length=LIST_MAX)]
    ttl: Duration = 60.0
    ttl_suspect: Duration = 5.0

    def settings(self) -> model.SteeringSettings:
        """What the model calls it."""
        return model.SteeringSettings(
            server_uri=self.server_uri,
            playlists=self.playlists,
            ttl_s=self.ttl,
            ttl_suspect_s=self.ttl_suspect,
        )


class Dns(Strict):
    """A service's name in DNS, at two providers at least."""

    name: DnsName
    zone: DnsName
    providers: Annotated[Names, Field(min_length=2)]
    ttl: Duration = 60.0
    ttl_suspect: Duration = 20.0
    resolvers: ServerAddresses = ()

    @model_validator(mode="after")
    def name_is_in_zone(self) -> Dns:
        """Raise ValueError where the name is not below its zone, or the providers are the same."""
        if not f".{self.name}".endswith(f".{self.zone}"):
            raise ValueError(f"`{self.name}` is not in the zone `{self.zone}`")
        if len(set(self.providers)) != len(self.providers):
            raise ValueError("`providers` names one twice")
        return self

    def settings(self) -> model.DnsSettings:
        """What the model calls it."""
        return model.DnsSettings(
            name=self.name,
            zone=self.zone,
            providers=self.providers,
            ttl_s=max(1, round(self.ttl)),
            ttl_suspect_s=max(1, round(self.ttl_suspect)),
            resolvers=self.resolvers,
        )


class ServiceDocument(Strict):
    """A file of one service."""

    service: Name
    demand: Mbps = 0.0
    targets: Annotated[tuple[Target, ...], Field(min_length=1, max_length=LIST_MAX)]
    detection: Detection = Detection()
    steering: Steering | None = None
    dns: Dns | None = None
    routes: str | None = None  # the edges' group of origins; "default" is the one without a name

    def service_of(self) -> model.Service:
        """What the model calls it."""
        return model.Service(
            name=self.service,
            targets=tuple(each.target() for each in self.targets),
            demand_mbps=self.demand,
            detection=self.detection.detection(),
            steering=None if self.steering is None else self.steering.settings(),
            dns=None if self.dns is None else self.dns.settings(),
            route_group="" if self.routes == "default" else self.routes,
        )
