"""What is stored, as the answer to one more request that was about it."""

from dataclasses import dataclass, replace

from cache_policies.message import RequestHead, ResponseHead
from cache_policies.policies import Policies
from cache_policies.stored import Stored, Times
from cache_policies.storing import NoStore, Store, judge_storing
from cache_policies.validation import freshen
from cache_policies.vary import variant_key
from cache_policies.why import Why


@dataclass(frozen=True, slots=True)
class Renewed:
    """A stored response under a new head; `why` keeps that from all later requests."""

    stored: Stored
    why: Why | None

    @property
    def is_shared(self) -> bool:
        """Whether it also answers requests that came while the origin was asked."""
        return self.why is None and Store(self.stored).collapsible


def renew(
    stored: Stored, request: RequestHead, news: ResponseHead, times: Times, policies: Policies
) -> Renewed | None:
    """Return what the answer `news` to `request` makes of a stored response that it is about.

    That is a 304, which may have chosen it for other selecting fields (RFC 9111 §4.3.4), or the 200
    of which a further part has come (§3.4). None when it is about another, or its fields forbid to
    go on with what is stored, or make other fields select.
    """
    policy = policies.for_response(request, ResponseHead(stored.status, stored.fields))
    fresh = freshen(stored, news, times, policy)
    if fresh is None:
        return None
    head = ResponseHead(fresh.status, fresh.fields)
    policy = policies.for_response(request, head)
    judged = judge_storing(request, head, times, policy)
    if isinstance(judged, NoStore):
        variant = variant_key(fresh.vary, request.fields)
        return Renewed(replace(fresh, variant=variant), judged.why)
    return Renewed(judged.stored, None) if judged.stored.vary == stored.vary else None
