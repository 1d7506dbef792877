"""What would fail together with a target that it must survive: refused, unless somebody accepts it.

The switch must not live at the provider that it is for. Everything that takes part in a failover
names who runs it and through whom one gets there; what the network says of that is added by
`resolving.py`, in the same form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final
from urllib.parse import urlsplit

from failover.model import DnsProvider, Model, Service

NOTHING_SEEN: Final[Mapping[str, Mapping[str, str]]] = {}


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A dependency that must not be: of what, on which provider, and why that is one."""

    what: str  # kind/name, e.g. dns-provider/registrar; service/NAME for a service's targets
    on: str  # the provider
    why: str


def findings(
    model: Model, seen: Mapping[str, Mapping[str, str]] = NOTHING_SEEN
) -> tuple[Finding, ...]:
    """Everything that is refused and nobody has accepted, in order.

    `seen` is what resolving has shown: {kind/name: {provider: by what it was recognised}}.
    """
    accepted = {(each.what, each.on) for each in model.accepted}
    found = {
        *_of_things(model, seen),
        *_of_votes(model, seen),
        *(each for service in model.services for each in _of_service(model, service, seen)),
    }
    return tuple(sorted(each for each in found if (each.what, each.on) not in accepted))


def unused_acceptances(
    model: Model, seen: Mapping[str, Mapping[str, str]] = NOTHING_SEEN
) -> tuple[str, ...]:
    """What was accepted and is not the case: `kind/name on provider`."""
    bare = {(each.what, each.on) for each in (*_of_things(model, seen), *_of_votes(model, seen))}
    for service in model.services:
        bare |= {(each.what, each.on) for each in _of_service(model, service, seen)}
    return tuple(f"{a.what} on {a.on}" for a in model.accepted if (a.what, a.on) not in bare)


def things(model: Model) -> dict[str, frozenset[str]]:
    """Everything that must survive the targets: {kind/name: the providers it says it needs}."""
    return {
        **{f"dns-provider/{each.name}": each.needs.providers for each in model.dns_providers},
        **{f"channel/{each.name}": each.needs.providers for each in model.channels},
        **{f"credential/{each.name}": each.needs.providers for each in model.credentials},
        **{f"host/{each.name}": each.needs.providers for each in model.hosts},
        **{f"steering/{each.name}": _who_fronts(each) for each in model.services if each.steering},
    }


def survived(model: Model) -> dict[str, str]:
    """The providers whose failure must be survived: {provider: a target that it takes away}."""
    ours = {each.name for each in model.providers if each.ours}
    lost: dict[str, str] = {}
    for service in model.services:
        for target in service.targets:
            for provider in sorted(target.needs.providers - ours):
                lost.setdefault(provider, f"{service.name}/{target.name}")
    return lost


def _who_fronts(service: Service) -> frozenset[str]:
    """The providers whose own host the steering server would be."""
    host = urlsplit(service.steering.server_uri).hostname if service.steering else None
    fronting = [each for each in service.targets if each.pathway_host.lower() == host]
    return frozenset(each.needs.provider for each in fronting)


def _of_things(model: Model, seen: Mapping[str, Mapping[str, str]]) -> Iterator[Finding]:
    lost = survived(model)
    for what, providers in things(model).items():
        for provider, how in _needs(what, providers, seen).items():
            if provider in lost:
                yield Finding(what, provider, f"{how}, and so is {lost[provider]}")


def _of_votes(model: Model, seen: Mapping[str, Mapping[str, str]]) -> Iterator[Finding]:
    """Where a provider takes so many vantages with it that no majority is left to say so."""
    for provider, target in survived(model).items():
        lost = [
            each.name
            for each in model.vantages
            if provider in _needs(f"vantage/{each.name}", each.needs.providers, seen)
        ]
        if 2 * (len(model.vantages) - len(lost)) <= len(model.vantages) and lost:
            why = f"{', '.join(lost)} go with it, and with {target}; the others are no majority"
            yield Finding("vantages", provider, why)


def _of_service(
    model: Model, service: Service, seen: Mapping[str, Mapping[str, str]]
) -> Iterator[Finding]:
    """What takes all targets of a service, or all who answer for its name."""
    targets = [each.needs.providers for each in service.targets]
    for provider in sorted(frozenset.intersection(*targets)) if len(targets) > 1 else ():
        yield Finding(f"service/{service.name}", provider, "every target of it depends on that")
    if service.dns is None:
        return
    answering = [each for each in model.dns_providers if each.name in service.dns.providers]
    for one, other in combinations(answering, 2):
        for provider in sorted(_whom(one, seen) & _whom(other, seen)):
            why = f"{one.name} and {other.name}, which answer for {service.dns.name}, both do"
            yield Finding(f"service/{service.name}", provider, why)


def _whom(provider: DnsProvider, seen: Mapping[str, Mapping[str, str]]) -> frozenset[str]:
    what = f"dns-provider/{provider.name}"
    return frozenset(_needs(what, provider.needs.providers, seen))


def _needs(
    what: str, said: frozenset[str], seen: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    """Whom a thing needs, and how that is known: what was resolved is added to what is said."""
    return {**dict.fromkeys(sorted(said), "declared so"), **seen.get(what, {})}
