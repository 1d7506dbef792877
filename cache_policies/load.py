"""Reads a policy file's text into rules, or says all that is wrong with it and what to do."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import blake2b
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cache_policies.complaints import Complaint, Place, PolicyFileError
from cache_policies.key import named_host
from cache_policies.rules import Document, Limit, Match, QueryParts, Rule, Settings, Where
from cache_policies.source import Path, Source, read_source, short

COMPLAINTS_MAX: Final = 20
EPOCH_BITS: Final = 48  # so that JavaScript and Prometheus, too, read it exactly

_BEFORE_THE_RESPONSE: Final = (
    *("bypass", "query", "request_directives", "request_max_stale", "slices", "strip_request"),
    *("access", "origin", "prewarm", "priority"),
)
"""Settings that are needed when nothing is known yet but the request."""

_NEVER_STRIPPED: Final = {
    "strip_request": {"host", "via", "x-forwarded-for", "x-forwarded-proto"},
    "strip_response": {
        *("age", "cache-status", "connection", "content-length", "content-range", "date"),
        *("transfer-encoding", "via"),
    },
}
"""Fields that frame a message, or that the edge adds to it."""

_OF_A_RESPONSE: Final = ("status", "content_type", "response_fields")
_ENTRIES: Final[tuple[type[BaseModel], type[BaseModel]]] = Rule, Limit
_MODELS: Final[tuple[Mapping[str | int, type[BaseModel]], ...]] = (  # inside of each of them
    {"match": Match, "set": Settings, "query": QueryParts},
    {"match": Where},
)
_WANTED: Final = {
    "bool_type": "want true or false",
    "int_type": "want a whole number",
    "float_type": "want a number",
    "float_parsing": "want a number",
    "string_type": "want text",
    "model_type": "want a mapping of keys and values",
    "dict_type": "want a mapping of keys and values",
    "tuple_type": "want a list",
    "list_type": "want a list",
    "missing": "is missing",
    "too_short": "is empty; leave it out, or give at least one",
}


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """The rules of one file. The same text always has the same epoch, in every process."""

    name: str  # as the operator calls the file
    epoch: int
    document: Document
    lines: tuple[int, ...]  # where each rule begins
    limit_lines: tuple[int, ...] = ()  # and each limit

    def to_mapping(self) -> dict[str, Any]:
        """Return everything, as JSON can carry it to another process."""
        rules = json.loads(self.document.model_dump_json(by_alias=True, exclude_unset=True))
        return {
            "name": self.name,
            "epoch": self.epoch,
            "lines": list(self.lines),
            "limit_lines": list(self.limit_lines),
            "document": rules,
        }

    @classmethod
    def from_mapping(cls, said: Mapping[str, Any]) -> PolicyFile:
        """Return what `to_mapping` was called on."""
        document = Document.model_validate_json(json.dumps(said["document"]))
        lines, limit_lines = tuple(said["lines"]), tuple(said["limit_lines"])
        return cls(said["name"], said["epoch"], document, lines, limit_lines)


def epoch_of(text: bytes) -> int:
    """Return the epoch of a policy text: never 0, which is that of no rules."""
    digest = blake2b(text, digest_size=EPOCH_BITS // 8, person=b"amaro-policy").digest()
    return int.from_bytes(digest, "big") or 1


def load_policies(text: bytes, name: str) -> PolicyFile:
    """Return the rules in `text`. Raises PolicyFileError with everything that is wrong."""
    source = read_source(text, name)
    if source.value is None:
        raise PolicyFileError(name, [Complaint(Place(), "no rules; write `rules:` and a list")])
    try:
        document = Document.model_validate_json(json.dumps(source.value))
    except ValidationError as error:
        raise _refusal(source, [_complaint(source, each) for each in error.errors()]) from None
    complaints = [
        *_about_hosts(document, source),
        *_about_names("rules", [each.name for each in document.rules], source),
        *_about_names("limits", [each.name for each in document.limits], source),
        *(each for no, rule in enumerate(document.rules) for each in _about(rule, no, source)),
        *(each for no, one in enumerate(document.limits) for each in _of_limit(one, no, source)),
    ]
    if complaints:
        raise _refusal(source, complaints)
    lines, limit_lines = (
        tuple(source.place((key, no)).line for no in range(len(all_of_it)))
        for key, all_of_it in (("rules", document.rules), ("limits", document.limits))
    )
    return PolicyFile(name, epoch_of(text), document, lines, limit_lines)


def _refusal(source: Source, complaints: list[Complaint]) -> PolicyFileError:
    ordered = sorted(set(complaints))
    kept = ordered[:COMPLAINTS_MAX]
    if len(ordered) > len(kept):
        more = f"and {len(ordered) - len(kept)} more"
        kept.append(Complaint(kept[-1].place, more))
    return PolicyFileError(source.name, kept)


# one value


def _complaint(source: Source, error: ErrorDetails) -> Complaint:
    path = error["loc"]
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    place = source.place(path)
    match error["type"]:
        case "extra_forbidden":
            return Complaint(place, _unknown(path))
        case "missing":
            return Complaint(place, f"`{key}` is missing")
        case "value_error":
            text = str(error["ctx"]["error"])
        case "literal_error":
            text = f"want {error['ctx']['expected']}"
        case "too_long":
            text = f"more than {error['ctx']['max_length']}; split it"
        case kind:
            text = _WANTED.get(kind) or error["msg"][:1].lower() + error["msg"][1:]
    given = error["input"]
    what = f", not {short(json.dumps(given))}" if isinstance(given, str | int | float) else ""
    return Complaint(place, f"{f'`{short(key)}`: ' if key else ''}{text}{what}")


def _unknown(path: Path) -> str:
    """What to say about a key that means nothing where it stands."""
    key, parent = str(path[-1]), path[-2] if len(path) > 1 else None
    in_limits = path[0] == "limits"
    model = Document if parent is None else _MODELS[in_limits].get(parent, _ENTRIES[in_limits])
    known = [field.alias or name for name, field in model.model_fields.items()]
    for close in get_close_matches(key, known, n=1):
        return f"unknown key `{short(key)}`; did you mean `{close}`?"
    for name, other in _MODELS[in_limits].items():
        if name != "query" and key in other.model_fields:
            return f"`{key}` belongs under `{name}`"
    return f"unknown key `{short(key)}`; known are {', '.join(known)}"


# what values mean together


def _about_hosts(document: Document, source: Source) -> Iterator[Complaint]:
    owner: dict[str, str] = {}
    names = set(map(named_host, document.hosts))
    for name, aliases in document.hosts.items():
        for no, alias in enumerate(aliases):
            place = source.place(("hosts", name, no))
            known = owner.setdefault(named_host(alias), name)
            if named_host(alias) in names:
                yield Complaint(place, f"`{alias}` has aliases itself; it cannot be one")
            elif known != name:
                yield Complaint(place, f"`{alias}` is an alias of `{known}` already")
            if "*" in alias:
                yield Complaint(place, f"`{alias}`: an alias is one host, without stars")
        if "*" in name:
            yield Complaint(source.place(("hosts", name)), f"`{name}`: want one host, no stars")


def _about_names(key: str, names: Iterable[str], source: Source) -> Iterator[Complaint]:
    first: dict[str, int] = {}
    for no, name in enumerate(names):
        if first.setdefault(name, no) != no:
            line = source.place((key, first[name])).line
            text = f"a second {key[:-1]} `{name}`; the first is in line {line}"
            yield Complaint(source.place((key, no, "name")), text)


def _of_limit(limit: Limit, no: int, source: Source) -> Iterator[Complaint]:
    if limit.rate is None and limit.concurrency is None and limit.bandwidth is None:
        text = "limits nothing; name rate, concurrency or bandwidth"
        yield Complaint(source.place(("limits", no)), text)
    if limit.burst is not None and limit.rate is None:
        yield Complaint(source.place(("limits", no, "burst")), "`burst` is a rate's; name `rate`")


def unknown_origins(file: PolicyFile, groups: Collection[str]) -> list[Complaint]:
    """Return what to say about rules whose group of origins an edge does not have."""
    known = ", ".join(filter(None, groups)) or "none"
    return [
        Complaint(
            Place(line), f"`origin`: no group `{rule.settings.origin}`; this edge has {known}"
        )
        for rule, line in zip(file.document.rules, file.lines, strict=True)
        if rule.settings.origin is not None and rule.settings.origin not in groups
    ]


def _about(rule: Rule, no: int, source: Source) -> Iterator[Complaint]:
    settings, named = rule.settings, rule.settings.model_fields_set

    def complaint(key: str, text: str) -> Complaint:
        return Complaint(source.place(("rules", no, "set", key)), text)

    if not named:
        yield Complaint(source.place(("rules", no, "set")), "sets nothing; name a setting")
    matched = rule.match.model_fields_set
    late = sorted(matched.intersection(_OF_A_RESPONSE))
    if late:
        for key in sorted(named.intersection(_BEFORE_THE_RESPONSE)):
            yield complaint(
                key, f"`{key}` is decided before there is a response: do not match on `{late[0]}`"
            )
    asked = sorted(matched.intersection(("method", "request_fields")))
    if asked:
        for key in sorted(named.intersection(("access", "query"))):
            yield complaint(key, f"`{key}` may depend on host and path only, not on `{asked[0]}`")
    if asked and "bypass" in named and not settings.bypass:
        yield complaint(
            "bypass", f"only `bypass: true` may depend on `{asked[0]}`: match on what to bypass"
        )
    written_here = {
        *((name, "strip_response") for name in settings.strip_response or ()),
        *((name, "strip_request") for name in settings.strip_request or ()),
    }
    for name, key in sorted(written_here):
        if name.lower() in _NEVER_STRIPPED[key]:
            yield complaint(key, f"`{name}` cannot be stripped: the edge itself writes it")
    if settings.query is not None and None not in (settings.query.keep, settings.query.drop):
        yield complaint("query", "`query` takes either keep or drop")
    if (
        settings.ttl_min is not None
        and settings.ttl_max is not None
        and settings.ttl_min > settings.ttl_max
    ):
        yield complaint("ttl_min", "`ttl_min` is longer than `ttl_max`")


def known_settings() -> tuple[str, ...]:
    """Return the names of all settings, in the order in which they are documented."""
    return tuple(Settings.model_fields)


def written(setting: str, value: Any) -> Any:
    """Return a setting's value as a policy file would have it."""
    settings = Settings.model_construct({setting}, **{setting: value})
    return settings.model_dump(mode="json", include={setting}, exclude_unset=True)[setting]
