"""What operators write: rules, each with what it matches and what it sets.

These models check one value at a time and hold what was written; what it means together is
compiled by `policies.py`. Each turns into JSON and back without loss.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from cache_policies.durations import parse_duration, render_duration
from cache_policies.limits import PRIORITIES
from cache_policies.message import TOKEN_BYTE
from cache_policies.quantities import parse_bandwidth, parse_rate, render_bandwidth, render_rate

RULES_MAX: Final = 500
LIMITS_MAX: Final = 50
MEMBERS_MAX: Final = 100  # of one list

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_FIELD_NAME = re.compile(TOKEN_BYTE.decode() + "{1,64}")
_METHOD = re.compile(r"[A-Z-]{1,20}")
_PATTERN = re.compile(r"[\x20-\x7e]{1,256}")
_HOST = re.compile(r"[A-Za-z0-9*._\[\]:-]{1,256}")
_TAG = re.compile(r"[\x21-\x7e]{1,256}")
_STATUS = re.compile(r"[1-5]xx|[1-5]\d\d(-[1-5]\d\d)?")
_STARS_MAX: Final = 8


def _word(form: re.Pattern[str], what: str) -> BeforeValidator:
    """Accept text of one form; `what` says which."""

    def read(value: object) -> str:
        if not isinstance(value, str) or form.fullmatch(value) is None:
            raise ValueError(f"want {what}")
        return value

    return BeforeValidator(read)


def _pattern(form: re.Pattern[str], what: str) -> BeforeValidator:
    def read(value: object) -> str:
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str) or form.fullmatch(value) is None:
            raise ValueError(f"want {what}, in which * stands for anything")
        if value.count("*") > _STARS_MAX:
            raise ValueError(f"at most {_STARS_MAX} stars in a pattern")
        return value

    return BeforeValidator(read)


def _several(value: object) -> tuple[object, ...]:
    """One value where several may stand is a list of it."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _path(value: object) -> str:
    if not isinstance(value, str) or not _PATTERN.fullmatch(value) or value[0] not in "/*":
        raise ValueError('want a path that begins with / or *, as "/vod/*" or "*.m3u8"')
    if "?" in value:
        raise ValueError("a path has no query; say what of it counts with `query`")
    if value.count("*") > _STARS_MAX:
        raise ValueError(f"at most {_STARS_MAX} stars in a pattern")
    return value


def _status(value: object) -> str:
    text = str(value)
    if _STATUS.fullmatch(text) is None or isinstance(value, bool):
        raise ValueError("want a status, as 404, 5xx or 400-499")
    first, _, last = text.partition("-")
    if last and last < first:
        raise ValueError(f"no status is in {text}; write the lower one first")
    return text


def _condition(value: object) -> tuple[object, ...]:
    """The patterns of a field's value: true is any, false is none, so the field is absent."""
    if isinstance(value, bool):
        return ("*",) if value else ()
    return _several(value)


def _query(value: object) -> object:
    words: dict[str, dict[str, object]] = {"all": {}, "none": {"keep": ()}}
    if isinstance(value, str) and value in words:
        return words[value]
    if isinstance(value, dict):
        return value
    raise ValueError("want all, none, or a mapping with keep or drop, and sort")


Duration: TypeAlias = Annotated[
    float, BeforeValidator(parse_duration), PlainSerializer(render_duration)
]
Rate: TypeAlias = Annotated[float, BeforeValidator(parse_rate), PlainSerializer(render_rate)]
Bandwidth: TypeAlias = Annotated[
    float, BeforeValidator(parse_bandwidth), PlainSerializer(render_bandwidth)
]
Name: TypeAlias = Annotated[str, _word(_NAME, "letters, digits, dots, dashes or underscores")]
FieldName: TypeAlias = Annotated[str, _word(_FIELD_NAME, "a field name, as cache-control")]
Tag: TypeAlias = Annotated[str, _word(_TAG, "a tag without spaces")]
Pattern: TypeAlias = Annotated[str, _pattern(_PATTERN, "text")]
HostPattern: TypeAlias = Annotated[str, _pattern(_HOST, "a host, as example.com or *.example.com")]
Host: TypeAlias = Annotated[str, _word(_HOST, "a host, as example.com")]
PathPattern: TypeAlias = Annotated[str, BeforeValidator(_path)]
Method: TypeAlias = Annotated[str, _word(_METHOD, "a method, as GET")]
Status: TypeAlias = Annotated[str, BeforeValidator(_status)]

_Some: Any = Field(min_length=1, max_length=MEMBERS_MAX)
_Any: Any = Field(max_length=MEMBERS_MAX)


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


Hosts: TypeAlias = Annotated[tuple[HostPattern, ...], BeforeValidator(_several), _Some]
Aliases: TypeAlias = Annotated[tuple[Host, ...], BeforeValidator(_several), _Some]
Paths: TypeAlias = Annotated[tuple[PathPattern, ...], BeforeValidator(_several), _Some]
Methods: TypeAlias = Annotated[tuple[Method, ...], BeforeValidator(_several), _Some]
Statuses: TypeAlias = Annotated[tuple[Status, ...], BeforeValidator(_several), _Some]
Patterns: TypeAlias = Annotated[tuple[Pattern, ...], BeforeValidator(_several), _Some]
Condition: TypeAlias = Annotated[tuple[Pattern, ...], BeforeValidator(_condition), _Any]
FieldNames: TypeAlias = Annotated[tuple[FieldName, ...], BeforeValidator(_several), _Any]
Tags: TypeAlias = Annotated[tuple[Tag, ...], BeforeValidator(_several), _Any]
Conditions: TypeAlias = Annotated[dict[FieldName, Condition], _Some]
Parameters: TypeAlias = Annotated[tuple[Pattern, ...], BeforeValidator(_several), _Any]
Directive: TypeAlias = Literal[
    "no-store", "no-cache", "private", "must-revalidate", "proxy-revalidate"
]
Directives: TypeAlias = Annotated[tuple[Directive, ...], BeforeValidator(_several), _Any]
Priority: TypeAlias = Literal[PRIORITIES]  # type: ignore[valid-type]
Tiers: TypeAlias = Annotated[tuple[Literal["memory", "disk"], ...], BeforeValidator(_several), _Any]


class Where(_Model):
    """Which requests a limit is about: all that is named must hold."""

    host: Hosts | None = None
    path: Paths | None = None  # decoded, without the query
    method: Methods | None = None


class Match(Where):
    """Which requests and responses a rule is about."""

    request_fields: Conditions | None = None
    status: Statuses | None = None
    content_type: Patterns | None = None
    response_fields: Conditions | None = None


class QueryParts(_Model):
    """Which parameters of the query name the resource."""

    keep: Parameters | None = None
    drop: Parameters | None = None
    sort: bool = False


class Settings(_Model):
    """What a rule sets. What it does not name stays as it was; null makes it neutral again."""

    bypass: bool | None = None
    store: bool | None = None
    refuse_set_cookie: bool | None = None
    request_directives: bool | None = None
    ignore_directives: Directives | None = None
    strip_request: FieldNames | None = None
    strip_response: FieldNames | None = None
    ttl: Duration | None = None
    ttl_default: Duration | None = None
    ttl_min: Duration | None = None
    ttl_max: Duration | None = None
    heuristics: bool | None = None
    heuristic_fraction: Annotated[float, Field(ge=0.0, le=1.0, strict=False)] | None = None
    heuristic_max: Duration | None = None
    stale_while_revalidate: Duration | None = None
    stale_while_revalidate_default: Duration | None = None
    stale_if_error: Duration | None = None
    stale_if_error_default: Duration | None = None
    request_max_stale: Duration | None = None
    tags: Tags | None = None
    query: Annotated[QueryParts, BeforeValidator(_query)] | None = None
    vary_add: FieldNames | None = None
    vary_ignore: FieldNames | None = None
    tiers: Tiers | None = None
    disk_after: Annotated[int, Field(ge=1, le=100)] | None = None
    prewarm: bool | None = None
    slices: bool | None = None
    origin: Name | None = None
    access: Literal["open", "signed"] | None = None
    priority: Priority | None = None


class Rule(_Model):
    """One rule."""

    name: Name
    match: Match = Match()
    settings: Settings = Field(alias="set")


class Limit(_Model):
    """How much anybody may have."""

    name: Name
    per: Literal["client", "prefix"] = "client"
    match: Where = Where()
    hits: bool = True
    rate: Rate | None = None
    burst: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    concurrency: Annotated[int, Field(ge=1, le=100_000)] | None = None
    bandwidth: Bandwidth | None = None


class Document(_Model):
    """A whole policy file."""

    hosts: Annotated[dict[Host, Aliases], Field(max_length=MEMBERS_MAX)] = {}
    rules: Annotated[tuple[Rule, ...], Field(max_length=RULES_MAX)] = ()
    limits: Annotated[tuple[Limit, ...], Field(max_length=LIMITS_MAX)] = ()
