"""The rules of a node, compiled: which policy governs a request, a response, a key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from cache_policies.glob import parse_glob
from cache_policies.key import cache_key, named_host, normalise, plain_authority
from cache_policies.limits import Limit, compile_limits
from cache_policies.match import (
    Conditions,
    compile_match,
    is_plain,
    literal_path,
    plain_host,
    plain_path,
    widest_path,
)
from cache_policies.message import Fields, RequestHead, ResponseHead
from cache_policies.policy import CachePolicy
from cache_policies.query import Query

if TYPE_CHECKING:
    from cache_policies.load import PolicyFile
    from cache_policies.rules import QueryParts, Settings

UNSYNCED: Final = 1 << 48  # in the epoch of rules while purges may be missed, beyond their own bits
FLYWEIGHTS_MAX: Final = 4_096  # combinations of rules whose policy is remembered

_KNOBS: Final = {  # setting: knob of CachePolicy
    "bypass": "bypass",
    "store": "store",
    "refuse_set_cookie": "refuse_set_cookie",
    "request_directives": "request_directives",
    "ttl": "ttl_s",
    "ttl_default": "ttl_default_s",
    "ttl_min": "ttl_min_s",
    "ttl_max": "ttl_max_s",
    "heuristic_fraction": "heuristic_fraction",
    "heuristic_max": "heuristic_max_s",
    "stale_while_revalidate": "stale_while_revalidate_s",
    "stale_while_revalidate_default": "stale_while_revalidate_default_s",
    "stale_if_error": "stale_if_error_s",
    "stale_if_error_default": "stale_if_error_default_s",
    "request_max_stale": "request_max_stale_s",
    "disk_after": "disk_after",
    "prewarm": "prewarm",
    "slices": "slices",
    "origin": "origin",
    "priority": "priority",
}
_SETS: Final = {  # setting with names in it: knob
    "ignore_directives": "ignored_directives",
    "strip_request": "stripped_request",
    "strip_response": "stripped_response",
    "vary_add": "vary_added",
    "vary_ignore": "vary_ignored",
}
ADDING: Final = frozenset({*_SETS, "tags"})
"""Settings to which a later rule adds; of all others the last rule's value counts."""


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """One rule; `changes` is what it sets, as written."""

    name: str
    line: int
    conditions: Conditions
    changes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Choice:
    """What a setting comes to, and the rules (by number) that say so."""

    value: Any
    rules: tuple[int, ...]


class Policies:
    """All rules of a node at one epoch: immutable but for a memory of what was compiled."""

    def __init__(
        self,
        epoch: int,
        rules: Iterable[CompiledRule] = (),
        aliases: Mapping[bytes, bytes] | None = None,
        name: str = "",
        limits: tuple[Limit, ...] = (),
    ) -> None:
        self.epoch = epoch  # with UNSYNCED in it, what is not immutable is always validated
        self.limits = limits
        self.name = name
        self.rules = tuple(rules)
        self.aliases = dict(aliases or {})
        self._flyweights: dict[tuple[int, ...], CachePolicy] = {}
        self._of_request = [
            no for no, rule in enumerate(self.rules) if not rule.conditions.needs_response
        ]
        self._queries = [
            (rule.conditions, compile_query(rule.changes["query"]))
            for rule in reversed(self.rules)
            if "query" in rule.changes
        ]
        self.reduces = bool(self._queries)  # some rule says what of a query counts
        self._gates: list[tuple[Conditions, bool]] = [
            (rule.conditions, rule.changes["access"] == "signed")
            for rule in reversed(self.rules)
            if "access" in rule.changes
        ]
        self.guards = any(is_shut for _, is_shut in self._gates)  # some rule demands tokens
        self._slow = [
            rule.conditions
            for rule in self.rules
            if not rule.conditions.needs_response
            and not rule.conditions.is_by_place
            and (rule.changes.get("bypass") or "strip_request" in rule.changes)
        ]

    def unsynced(self, *, is_unsynced: bool) -> Policies:
        """Return the same rules for a time when purges may be missed, or for all other times."""
        if bool(self.epoch & UNSYNCED) is is_unsynced:
            return self
        epoch = self.epoch ^ UNSYNCED
        return Policies(epoch, self.rules, self.aliases, self.name, self.limits)

    @property
    def has_slow(self) -> bool:
        """Whether `is_slow` may ever be true."""
        return bool(self._slow)

    @classmethod
    def bare(cls) -> Policies:
        """No rules: a plain, correct shared cache."""
        return cls(0)

    # which policy

    def for_request(self, request: RequestHead) -> CachePolicy:
        """Return what governs a request before there is a response."""
        return self._governs(request, self.matched(request)) if self.rules else self._fold(())

    def for_response(self, request: RequestHead, response: ResponseHead) -> CachePolicy:
        """Return what governs a response to a request."""
        if not self.rules:
            return self._fold(())
        return self._governs(request, self.matched(request, response))

    def is_ambiguous(self, request: RequestHead) -> bool:
        """Whether it depends on how an origin reads the path which rules are about it.

        The cache has no part in that: what `/account%2F..%2Fstatic/x` shows may be somebody's own.
        """
        if is_plain(request.target):
            return False
        path, other = plain_path(request.target), literal_path(request.target)
        if path == other:
            return False
        host = plain_host(self.host(request.scheme, request.host))
        places = (rule.conditions for rule in self.rules)
        return any(each.hold_at(host, path) != each.hold_at(host, other) for each in places)

    def is_guarded(self, scheme: bytes, host: bytes, target: bytes) -> bool:
        """Whether a target, without its token, needs one: as some reader of its path might see it.

        Who decodes twice, or drops what follows a semicolon, opens no way around.
        """
        if not self.guards:
            return False
        name = plain_host(self.host(scheme, host))
        wide = widest_path(target), widest_path(target, to_its_end=True)
        readings = {plain_path(target), literal_path(target), *wide}
        return any(self._is_shut(name, path) for path in readings)

    def _is_shut(self, host: bytes, path: bytes) -> bool:
        decided = (is_shut for conditions, is_shut in self._gates if conditions.hold_at(host, path))
        return next(decided, False)

    def matched(
        self, request: RequestHead, response: ResponseHead | None = None
    ) -> tuple[int, ...]:
        """Return the numbers of the rules that are about this request, and response if given."""
        host, path = plain_host(self.host(request.scheme, request.host)), plain_path(request.target)
        candidates = self._of_request if response is None else range(len(self.rules))
        return tuple(
            no
            for no in candidates
            if self.rules[no].conditions.hold_of_request(request, host, path)
            and (response is None or self.rules[no].conditions.hold_of_response(response))
        )

    def choices(self, matched: Iterable[int]) -> dict[str, Choice]:
        """Return what the settings come to under these rules, in the order of the file."""
        made: dict[str, Choice] = {}
        for no in matched:
            for setting, value in self.rules[no].changes.items():
                if value is None:
                    made.pop(setting, None)
                elif setting in ADDING and setting in made:
                    before = made[setting]
                    both = tuple(dict.fromkeys((*before.value, *value)))
                    made[setting] = Choice(both, (*before.rules, no))
                else:
                    made[setting] = Choice(value, (no,))
        return made

    def _governs(self, request: RequestHead, matched: tuple[int, ...]) -> CachePolicy:
        policy = self._fold(matched)
        if self.is_ambiguous(request):
            policy = replace(policy, bypass=True, store=False)
        if self.guards and not policy.signed:
            guarded = self.is_guarded(request.scheme, request.host, request.target)
            return replace(policy, signed=True) if guarded else policy
        return policy

    def _fold(self, matched: tuple[int, ...]) -> CachePolicy:
        policy = self._flyweights.get(matched)
        if policy is None:
            if len(self._flyweights) >= FLYWEIGHTS_MAX:
                self._flyweights.clear()
            made = {setting: each.value for setting, each in self.choices(matched).items()}
            policy = self._flyweights[matched] = cache_policy(made, self.epoch)
        return policy

    # which key

    def host(self, scheme: bytes, host: bytes) -> bytes:
        """Return the host under which a resource is stored."""
        host = plain_authority(scheme.lower(), host)
        return self.aliases.get(host) or self.aliases.get(host.removesuffix(b"."), host)

    def key(self, scheme: bytes, host: bytes, target: bytes) -> tuple[bytes, bytes]:
        """Return (cache key, target of which an origin is asked) of a resource.

        The key of what the second one asks for is the same key: a hit path may look for the bytes
        that it was sent before it asks here.
        """
        host = self.host(scheme, host)
        target = self.reduced(host, normalise(target)[1])
        return cache_key(scheme, host, target), target

    def keeps_key(self, key: bytes) -> bool:
        """Whether something may still be stored under this key of other policies."""
        if not self.aliases and not self.reduces:
            return True
        scheme, _, rest = key.partition(b"://")
        host, _, path = rest.partition(b"/")
        return self.key(scheme, host, b"/" + path)[0] == key

    def reduced(self, host: bytes, target: bytes) -> bytes:
        """Return a normalised target with what rules leave of its query."""
        if not self._queries or b"?" not in target:
            return target
        host, path = plain_host(host), plain_path(target)
        for conditions, query in self._queries:
            if conditions.hold_at(host, path):
                return target if query is None else query.reduce(target)
        return target

    def reductions(self, target: bytes) -> tuple[bytes, ...]:
        """Return what a target may be reduced to, whatever the host."""
        target, path = normalise(target)[1], plain_path(target)
        return tuple(
            query.reduce(target)
            for conditions, query in self._queries
            if query is not None and replace(conditions, hosts=None).hold_at(b"", path)
        )

    def is_slow(self, method: bytes, fields: Fields) -> bool:
        """Whether fields or method of a request may change how it is answered from the cache."""
        return any(conditions.hold_of_fields(method, fields) for conditions in self._slow)


def compile_policies(file: PolicyFile) -> Policies:
    """Return what a policy file means."""
    document = file.document
    aliases = {
        named_host(alias).encode(): named_host(name).encode()
        for name, each in document.hosts.items()
        for alias in each
    }
    rules = [
        CompiledRule(rule.name, line, compile_match(rule.match), changes(rule.settings))
        for rule, line in zip(document.rules, file.lines, strict=True)
    ]
    limits = compile_limits(document.limits, file.limit_lines)
    return Policies(file.epoch, rules, aliases, file.name, limits)


def changes(settings: Settings) -> dict[str, Any]:
    """Return what a rule sets; None is a setting that it makes neutral again."""
    named = settings.model_fields_set
    return {name: getattr(settings, name) for name in type(settings).model_fields if name in named}


def compile_query(parts: QueryParts | None) -> Query | None:
    """Return how a query is reduced; None leaves it as it is."""
    if parts is None or (parts.keep is None and parts.drop is None and not parts.sort):
        return None
    keep, drop = (
        None if names is None else tuple(parse_glob(each.encode()) for each in names)
        for names in (parts.keep, parts.drop)
    )
    return Query(keep, drop, parts.sort)


def cache_policy(made: Mapping[str, Any], epoch: int) -> CachePolicy:
    """Return the policy that settings come to."""
    knobs = {knob: made[setting] for setting, knob in _KNOBS.items() if setting in made}
    for setting, knob in _SETS.items():
        if setting in made:
            knobs[knob] = frozenset(each.lower().encode() for each in made[setting])
    if "tags" in made:
        knobs["tags"] = tuple(each.encode() for each in made["tags"])
    if "tiers" in made:
        knobs["memory"], knobs["disk"] = ("memory" in made["tiers"], "disk" in made["tiers"])
    if made.get("access") == "signed":
        knobs["signed"] = True
    if made.get("heuristics") is False:
        knobs["heuristic_fraction"] = 0.0
    return CachePolicy(epoch=epoch, unsynced=bool(epoch & UNSYNCED), **knobs)
