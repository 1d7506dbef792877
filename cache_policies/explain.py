"""What an edge would do with a request and its response, and which rules say so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from cache_policies.key import split_token
from cache_policies.load import written
from cache_policies.message import RequestHead, ResponseHead, end_to_end
from cache_policies.policies import Choice, CompiledRule, Policies
from cache_policies.stored import Times
from cache_policies.storing import NoStore, judge_storing


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A decision with its grounds."""

    key: bytes  # "" where the cache has no part in it
    asked: bytes  # the target of which an origin is asked
    rules: tuple[CompiledRule, ...]  # those that match, in the order of the file
    choices: dict[str, Choice]  # what they set; rules by their number in the file
    forwarded: str | None  # why it goes to the origin whatever is stored
    why_not_stored: str | None  # the named reason; None when it is stored
    lifetime_s: float = 0.0
    stale_while_revalidate_s: float = 0.0
    stale_if_error_s: float = 0.0
    tiers: tuple[str, ...] = ()
    tags: tuple[bytes, ...] = ()
    vary: tuple[bytes, ...] = ()
    origin: str = ""
    limits: tuple[str, ...] = ()  # names of those that it counts in

    def to_mapping(self, policies: Policies) -> dict[str, Any]:
        """Return what `--json` prints; scripts depend on its shape."""
        return {
            "key": self.key.decode("latin-1"),
            "asked": self.asked.decode("latin-1"),
            "rules": [
                {"name": rule.name, "file": policies.name, "line": rule.line} for rule in self.rules
            ],
            "settings": {
                setting: {
                    "value": written(setting, each.value),
                    "rules": [policies.rules[no].name for no in each.rules],
                }
                for setting, each in self.choices.items()
            },
            "forwarded": self.forwarded,
            "stored": self.why_not_stored is None,
            "why": self.why_not_stored,
            "lifetime_s": self.lifetime_s,
            "stale_while_revalidate_s": self.stale_while_revalidate_s,
            "stale_if_error_s": self.stale_if_error_s,
            "tiers": list(self.tiers),
            "tags": [tag.decode("latin-1") for tag in self.tags],
            "vary": [name.decode("latin-1") for name in self.vary],
            "origin": self.origin,
            "limits": list(self.limits),
        }


def explain(
    policies: Policies, request: RequestHead, response: ResponseHead, now_wall: float
) -> Explanation:
    """Say what happens to a request that is answered with `response` at `now_wall`."""
    request = replace(request, target=split_token(request.target)[1])
    matched = policies.matched(request, response)
    governing = policies.for_request(request)
    policy = policies.for_response(request, response)
    key, asked = policies.key(request.scheme, request.host, request.target)
    forwarded = None
    if governing.bypass:
        forwarded = "ambiguous-path" if policies.is_ambiguous(request) else "bypass"
    elif request.method not in (b"GET", b"HEAD"):
        forwarded = "method"
    if forwarded is not None:
        asked = request.target
    stripped = governing.stripped_request
    judged = judge_storing(
        RequestHead(
            request.method,
            request.scheme,
            request.host,
            asked,
            tuple(line for line in end_to_end(request.fields) if line[0] not in stripped),
        ),
        ResponseHead(response.status, end_to_end(response.fields)),
        Times(response_wall=now_wall, response_mono=0.0),
        policy,
    )
    keyed = forwarded is None or not isinstance(judged, NoStore)
    said: dict[str, Any] = {
        "key": key if keyed else b"",
        "asked": asked,
        "rules": tuple(policies.rules[no] for no in matched),
        "choices": policies.choices(matched),
        "forwarded": forwarded,
        "origin": governing.origin,
        "limits": tuple(
            limit.name
            for limit in policies.limits
            if limit.holds_of(
                request.method, policies.host(request.scheme, request.host), request.target
            )
        ),
    }
    if isinstance(judged, NoStore):
        return Explanation(**said, why_not_stored=judged.why.value)
    stored = judged.stored
    return Explanation(
        **said,
        why_not_stored=None,
        lifetime_s=stored.lifetime_s,
        stale_while_revalidate_s=0.0 if stored.must_revalidate else stored.swr_s,
        stale_if_error_s=0.0 if stored.must_revalidate else stored.sie_s,
        tiers=tuple(name for name in ("memory", "disk") if getattr(policy, name)),
        tags=stored.tags,
        vary=stored.vary,
    )
