"""What eviction tells operators: which policy runs, and how each would have done."""

from typing import Any, Final

from cache_policies.shadow import POLICIES
from cache_policies.tournament import Tournament

_SHADOWS: Final = {  # of a score: (metric, help)
    "hits": ("amaro_edge_shadow_hits", "Recent sampled requests that a policy would have hit"),
    "hit_bytes": ("amaro_edge_shadow_hit_bytes", "Bytes of those"),
}

EVICTION_GAUGES: Final[dict[str, tuple[str, dict[str, str], str]]] = {
    "shadow_requests": ("amaro_edge_shadow_requests", {}, "Recent sampled requests, fading"),
    "shadow_request_bytes": ("amaro_edge_shadow_request_bytes", {}, "Bytes of those"),
    **{
        f"runs_{policy}": (
            "amaro_edge_eviction_workers",
            {"policy": policy},
            "Workers by the policy that evicts",
        )
        for policy in POLICIES
    },
    **{
        f"shadow_{which}_{policy}": (metric, {"policy": policy}, text)
        for which, (metric, text) in _SHADOWS.items()
        for policy in POLICIES
    },
}


def eviction_values(tournament: Tournament[Any]) -> dict[str, int]:
    """The values of `EVICTION_GAUGES` for one worker."""
    contest = tournament.contest
    values = {f"runs_{policy}": int(policy == tournament.running) for policy in POLICIES}
    values |= {
        f"shadow_{which}_{policy}": round(getattr(score, which))
        for which in _SHADOWS
        for policy, score in contest.scores.items()
    }
    return values | {
        "shadow_requests": round(contest.requests),
        "shadow_request_bytes": round(contest.request_bytes),
    }
