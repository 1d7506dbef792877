"""The file of members, providers and secrets in `configs/services`, and what it means."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from amaro.service_document import Needs, Probes
from amaro.service_words import (
    LIST_MAX,
    HostName,
    HttpUrl,
    LeaseUrl,
    Name,
    Network,
    ServerAddress,
    ServerAddresses,
    Strict,
    Variable,
)
from failover import model


class Member(Needs):
    """A process that probes, beside an edge."""

    name: Name
    region: Name
    url: HttpUrl
    edge_admin: HttpUrl = ""
    controls: Probes = ()

    def vantage(self) -> model.Vantage:
        """What the model calls it."""
        return model.Vantage(
            name=self.name,
            region=self.region,
            url=self.url.rstrip("/"),
            needs=self.dependency(),
            edge_admin=self.edge_admin.rstrip("/"),
            controls=tuple(each.probe() for each in self.controls),
        )


class DnsProvider(Needs):
    """Who answers for zones."""

    name: Name
    kind: Literal["rfc2136", "route53", "cloudflare", "powerdns", "own"]
    server: ServerAddress = ""
    api: HttpUrl = ""
    zone_id: str = ""
    credential: Name = ""
    name_servers: Annotated[ServerAddresses, Field(min_length=1)]

    @field_validator("name_servers")
    @classmethod
    def each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Raise ValueError for one that is named twice."""
        if len(set(value)) != len(value):
            raise ValueError("names one twice")
        return value

    def dns_provider(self) -> model.DnsProvider:
        """What the model calls it."""
        return model.DnsProvider(
            name=self.name,
            kind=model.DnsKind(self.kind),
            needs=self.dependency(),
            server=self.server,
            api=self.api.rstrip("/"),
            zone_id=self.zone_id,
            credential=self.credential,
            name_servers=self.name_servers,
        )


class Credential(Needs):
    """A secret, by where it is."""

    name: Name
    file: str = ""
    variable: Variable = ""

    @model_validator(mode="after")
    def is_in_one_place(self) -> Credential:
        """Raise ValueError unless it is either in a file or in the environment."""
        if bool(self.file) == bool(self.variable):
            raise ValueError("want either `file` or `variable`: a secret does not belong in here")
        return self

    def credential(self) -> model.Credential:
        """What the model calls it."""
        return model.Credential(
            name=self.name, needs=self.dependency(), file=self.file, variable=self.variable
        )


class Channel(Needs):
    """Whom to tell."""

    name: Name
    credential: Name

    def channel(self) -> model.Channel:
        """What the model calls it."""
        return model.Channel(name=self.name, needs=self.dependency(), credential=self.credential)


class Host(Needs):
    """What must stay reachable beside all that."""

    name: Name
    url: HttpUrl

    def host(self) -> model.Host:
        """What the model calls it."""
        return model.Host(name=self.name, url=self.url, needs=self.dependency())


class Provider(Strict):
    """Who runs things, and by what they are recognised."""

    name: Name
    ours: bool = False
    domains: Annotated[tuple[HostName, ...], Field(max_length=LIST_MAX)] = ()
    networks: Annotated[tuple[Network, ...], Field(max_length=LIST_MAX)] = ()

    def provider(self) -> model.Provider:
        """What the model calls it."""
        return model.Provider(
            name=self.name, ours=self.ours, domains=self.domains, networks=self.networks
        )


class Accepted(Strict):
    """A dependency that somebody answers for."""

    what: Annotated[str, Field(min_length=1, max_length=130)]
    on: Name
    why: Annotated[str, Field(min_length=8, max_length=500)]

    def acceptance(self) -> model.Accepted:
        """What the model calls it."""
        return model.Accepted(what=self.what, on=self.on, why=self.why)


class MembersDocument(Strict):
    """The file of everything that is not one service's."""

    members: Annotated[tuple[Member, ...], Field(min_length=1, max_length=LIST_MAX)]
    providers: Annotated[tuple[Provider, ...], Field(min_length=1, max_length=LIST_MAX)]
    dns_providers: Annotated[tuple[DnsProvider, ...], Field(max_length=LIST_MAX)] = ()
    credentials: Annotated[tuple[Credential, ...], Field(max_length=LIST_MAX)] = ()
    channels: Annotated[tuple[Channel, ...], Field(max_length=LIST_MAX)] = ()
    hosts: Annotated[tuple[Host, ...], Field(max_length=LIST_MAX)] = ()
    accepted: Annotated[tuple[Accepted, ...], Field(max_length=LIST_MAX)] = ()
    lease: LeaseUrl = ""
