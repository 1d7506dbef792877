"""Reads `configs/services`: one file a service, `members.yaml` for the rest, and one model."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from amaro.members_document import MembersDocument
from amaro.service_document import ServiceDocument
from cache_policies.complaints import Complaint, Place, PolicyFileError
from cache_policies.source import Source, read_source, short
from failover.model import DnsKind, Model, Service

FILES_MAX: Final = 64
ELSEWHERE: Final = "name another with --services DIR (an example: configs/services)"
MEMBERS_KEY: Final = "members"

_CREDENTIALS: Final = {  # what an interface cannot do without: an updating key, or an API's token
    DnsKind.RFC2136: True,
    DnsKind.ROUTE53: True,
    DnsKind.CLOUDFLARE: True,
    DnsKind.POWERDNS: True,
    DnsKind.OWN: False,
}
_WANTED: Final = {
    "bool_type": "want true or false",
    "int_type": "want a whole number",
    "float_type": "want a number",
    "string_type": "want text",
    "model_type": "want a mapping of keys and values",
    "model_attributes_type": "want a mapping of keys and values",
    "dict_type": "want a mapping of keys and values",
    "tuple_type": "want a list",
    "missing": "is missing",
}

Document = TypeVar("Document", ServiceDocument, MembersDocument)


class ServiceFilesError(Exception):
    """Files that cannot be used; `lines` is one `file:line:column: what` for each mistake."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = tuple(lines)
        super().__init__("\n".join(self.lines))


@dataclass(frozen=True, slots=True)
class _Read:
    """A file, its values with their places, and what it means."""

    source: Source
    document: ServiceDocument | MembersDocument

    def complaint(self, path: tuple[str | int, ...], text: str) -> tuple[str, Complaint]:
        return self.source.name, Complaint(self.source.place(path), text)


def read_directory(directory: Path) -> Model:
    """Return the model of a directory's `*.yaml`.

    Raises ServiceFilesError with everything that is wrong, OSError if it cannot be read.
    """
    if not directory.is_dir():
        raise NotADirectoryError(0, f"no such directory; {ELSEWHERE}", str(directory))
    paths = sorted(directory.glob("*.yaml"))
    if not paths:
        raise ServiceFilesError([f"{directory}: no *.yaml here; {ELSEWHERE}"])
    if len(paths) > FILES_MAX:
        raise ServiceFilesError([f"{directory}: more than {FILES_MAX} files"])
    return load_model([(str(path), path.read_bytes()) for path in paths])


def load_model(texts: Sequence[tuple[str, bytes]]) -> Model:
    """Return the model of (name, text) of all files; raise ServiceFilesError."""
    read, wrong = [], []
    for name, text in texts:
        try:
            read.append(_read(text, name))
        except PolicyFileError as error:
            wrong += error.lines()
    if wrong:
        raise ServiceFilesError(wrong)
    complaints = sorted(_together(read))
    if complaints:
        raise ServiceFilesError(
            [f"{name}:{c.place.line}:{c.place.column}: {c.text}" for name, c in complaints]
        )
    members = next(each.document for each in read if isinstance(each.document, MembersDocument))
    services = [e.document.service_of() for e in read if isinstance(e.document, ServiceDocument)]
    return Model(
        services=tuple(services),
        vantages=tuple(each.vantage() for each in members.members),
        providers=tuple(each.provider() for each in members.providers),
        dns_providers=tuple(each.dns_provider() for each in members.dns_providers),
        channels=tuple(each.channel() for each in members.channels),
        credentials=tuple(each.credential() for each in members.credentials),
        hosts=tuple(each.host() for each in members.hosts),
        accepted=tuple(each.acceptance() for each in members.accepted),
        lease_url=members.lease,
    )


def _read(text: bytes, name: str) -> _Read:
    source = read_source(text, name)
    if not isinstance(source.value, dict) or not {"service", MEMBERS_KEY} & source.value.keys():
        raise PolicyFileError(name, [Complaint(Place(), "want `service:` or `members:` in here")])
    if MEMBERS_KEY in source.value:
        return _Read(source, _document(MembersDocument, source))
    return _Read(source, _document(ServiceDocument, source))


def _document(kind: type[Document], source: Source) -> Document:
    try:
        return kind.model_validate_json(json.dumps(source.value))
    except ValidationError as error:
        complaints = sorted({_complaint(kind, source, each) for each in error.errors()})
        raise PolicyFileError(source.name, complaints) from None


def _complaint(kind: type[BaseModel], source: Source, error: Any) -> Complaint:
    path = error["loc"]
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    if error["type"] == "extra_forbidden":
        known = _keys_at(kind, path[:-1])
        close = get_close_matches(str(path[-1]), known, n=1)
        hint = f"did you mean `{close[0]}`?" if close else f"known are {', '.join(known)}"
        return Complaint(source.place(path), f"unknown key `{short(path[-1])}`; {hint}")
    if error["type"] == "value_error":
        text = str(error["ctx"]["error"])
    elif error["type"] == "literal_error":
        text = f"want {error['ctx']['expected']}"
    elif error["type"] == "too_short":
        least = error["ctx"]["min_length"]
        text = f"want {least} or more entries" if least > 1 else "want one entry or more"
    else:
        text = _WANTED.get(error["type"]) or error["msg"][:1].lower() + error["msg"][1:]
    given = error["input"]
    what = ""
    if isinstance(given, str | int | float):
        shown = re.sub("//[^/]*@", "//-@", json.dumps(given))  # what stands there may be a password
        what = f", not {short(shown)}"
    return Complaint(source.place(path), f"{f'`{short(key)}`: ' if key else ''}{text}{what}")


def _keys_at(kind: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    """The keys of the mapping to which a path of keys and indices leads."""
    for part in path:
        if isinstance(part, str):
            kind = next(_models_in(kind.model_fields[part].annotation))
    return list(kind.model_fields)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inside in getattr(annotation, "__args__", ()):
        yield from _models_in(inside)


# what files mean together


def _together(read: Sequence[_Read]) -> Iterator[tuple[str, Complaint]]:
    members = [each for each in read if isinstance(each.document, MembersDocument)]
    services = [each for each in read if isinstance(each.document, ServiceDocument)]
    if len(members) != 1:
        where = members[1] if members else read[0]
        text = "no file has `members:`; write one, members.yaml, beside this one"
        if members:
            text = f"a second file with `members:`; {members[0].source.name} has them"
        yield where.complaint((MEMBERS_KEY,) if members else (), text)
        return
    if not services:
        yield members[0].complaint((), "no service; write a file with `service:` beside this one")
    yield from _names_once(members[0], services)
    yield from _references(members[0], services)
    yield from _decided_once(services)
    yield from _enough_members(members[0], services)


def _names_once(members: _Read, services: Sequence[_Read]) -> Iterator[tuple[str, Complaint]]:
    yield from _once([(each, ("service",), each.document.service) for each in services])  # type: ignore[union-attr]
    for key in ("members", "providers", "dns_providers", "credentials", "channels", "hosts"):
        named = enumerate(getattr(members.document, key))
        yield from _once([(members, (key, no, "name"), each.name) for no, each in named])
    for one in services:
        assert isinstance(one.document, ServiceDocument)
        targets = one.document.targets
        yield from _once([(one, ("targets", no, "name"), t.name) for no, t in enumerate(targets)])
        for no, target in enumerate(targets):
            at = ("targets", no, "probes")
            yield from _once(
                [(one, (*at, n, "name"), probe.name) for n, probe in enumerate(target.probes)]
            )


def _once(
    named: Sequence[tuple[_Read, tuple[str | int, ...], str]],
) -> Iterator[tuple[str, Complaint]]:
    seen: set[str] = set()
    for read, path, name in named:
        if name in seen:
            yield read.complaint(path, f"a second `{name}`")
        seen.add(name)


def _decided_once(services: Sequence[_Read]) -> Iterator[tuple[str, Complaint]]:
    """Complain of groups of edges' origins that two services would set in turns."""
    decides: dict[str, str] = {}
    for one in services:
        assert isinstance(one.document, ServiceDocument)
        group = one.document.routes
        if group is None:
            continue
        first = decides.setdefault(group or "default", one.document.service)
        if first != one.document.service:
            text = f"service `{first}` decides the routes of `{short(group or 'default')}` already"
            yield one.complaint(("routes",), text)


def _enough_members(members: _Read, services: Sequence[_Read]) -> Iterator[tuple[str, Complaint]]:
    """Complain of services of which nothing would ever move: too few could agree."""
    assert isinstance(members.document, MembersDocument)
    have = len(members.document.members)
    for one in services:
        assert isinstance(one.document, ServiceDocument)
        wanted = one.document.detection.vantages_min
        if have < wanted:
            text = (
                f"`vantages_min` is {wanted}, but the members' file has {have}: nothing would "
                "ever move by itself; add members, or say `detection: {vantages_min: "
                f"{max(1, have)}}}`"
            )
            is_said = "vantages_min" in one.document.detection.model_fields_set
            yield one.complaint(("detection", "vantages_min") if is_said else (), text)


def _references(members: _Read, services: Sequence[_Read]) -> Iterator[tuple[str, Complaint]]:
    document = members.document
    assert isinstance(document, MembersDocument)
    providers = {each.name for each in document.providers}
    credentials = {each.name for each in document.credentials}
    dns_providers = {each.name for each in document.dns_providers}
    for key in ("members", "dns_providers", "credentials", "channels", "hosts"):
        for no, each in enumerate(getattr(document, key)):
            yield from _providers_known(members, (key, no), each, providers)
    for no, channel in enumerate(document.channels):
        if channel.credential not in credentials:
            text = _unknown("credential", channel.credential, credentials)
            yield members.complaint(("channels", no, "credential"), text)
    for no, dns in enumerate(document.dns_providers):
        needed = _CREDENTIALS[DnsKind(dns.kind)]
        if needed and not dns.credential:
            text = f"a {dns.kind} provider needs `credential`"
            yield members.complaint(("dns_providers", no), text)
        elif dns.credential and dns.credential not in credentials:
            text = _unknown("credential", dns.credential, credentials)
            yield members.complaint(("dns_providers", no, "credential"), text)
    for no, accepted in enumerate(document.accepted):
        if accepted.on not in providers:
            yield members.complaint(
                ("accepted", no, "on"), _unknown("provider", accepted.on, providers)
            )
    for one in services:
        yield from _of_service(one, providers, dns_providers)


def _of_service(
    one: _Read, providers: set[str], dns_providers: set[str]
) -> Iterator[tuple[str, Complaint]]:
    document = one.document
    assert isinstance(document, ServiceDocument)
    for no, target in enumerate(document.targets):
        yield from _providers_known(one, ("targets", no), target, providers)
        if document.steering is not None and not target.pathway:
            text = f"`{target.name}` needs `pathway`, the host of players: there is `steering`"
            yield one.complaint(("targets", no), text)
        if document.dns is not None and not target.records:
            text = f"`{target.name}` needs `records`: the service has `dns`"
            yield one.complaint(("targets", no), text)
        if document.routes is not None and not target.route:
            text = f"`{target.name}` needs `route`, a base URL: the service has `routes`"
            yield one.complaint(("targets", no), text)
    for no, name in enumerate(document.dns.providers if document.dns else ()):
        if name not in dns_providers:
            text = _unknown("DNS provider", name, dns_providers)
            yield one.complaint(("dns", "providers", no), text)


def _providers_known(
    read: _Read, path: tuple[str | int, ...], each: Any, providers: set[str]
) -> Iterator[tuple[str, Complaint]]:
    if each.provider not in providers:
        yield read.complaint((*path, "provider"), _unknown("provider", each.provider, providers))
    for no, name in enumerate(each.reached_through):
        if name not in providers:
            yield read.complaint(
                (*path, "reached_through", no), _unknown("provider", name, providers)
            )


def _unknown(kind: str, name: str, known: set[str]) -> str:
    close = get_close_matches(name, sorted(known), n=1)
    hint = (
        f"did you mean `{close[0]}`?"
        if close
        else f"known are {', '.join(sorted(known)) or 'none'}"
    )
    return f"no {kind} `{short(name)}` in the members' file; {hint}"


def service_named(model: Model, name: str) -> Service:
    """Return the service of that name; raise ServiceFilesError with what there is."""
    for service in model.services:
        if service.name == name:
            return service
    known = {each.name for each in model.services}
    raise ServiceFilesError([f"no service {name!r}; known are {', '.join(sorted(known))}"])
