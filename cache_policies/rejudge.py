"""Judging a stored response anew from its raw fields: another epoch's, or another tier's."""

from dataclasses import replace

from cache_policies.message import RequestHead, ResponseHead
from cache_policies.policies import Policies
from cache_policies.stored import Stored, Times
from cache_policies.storing import NoStore, Store, judge_storing
from cache_policies.vary import governed_vary
from cache_policies.why import Why


def judge_anew(
    request: RequestHead,
    response: ResponseHead,
    times: Times,
    policies: Policies,
    *,
    purge_sequence: int = 0,
) -> Store | NoStore:
    """Return what `policies` make of a stored response that `request` has selected.

    It is judged by the fields that select it, not by what else this request says: it was stored
    for all.
    """
    neutral = RequestHead(b"GET", request.scheme, request.host, request.target)
    policy = policies.for_response(neutral, response)
    vary = governed_vary(response.fields, policy)
    selecting = tuple(line for line in request.fields if line[0] in vary)
    asked = replace(neutral, fields=selecting) if selecting else neutral
    return judge_storing(asked, response, times, policy, purge_sequence=purge_sequence)


def rejudge(stored: Stored, request: RequestHead, policies: Policies) -> Store | NoStore:
    """Return what `policies` make of what is stored.

    Where they name other variants than those it was stored under, nobody knows whose this one is.
    """
    judged = judge_anew(
        request,
        ResponseHead(stored.status, stored.fields),
        Times(
            response_wall=stored.response_wall,
            response_mono=stored.response_mono,
            response_delay_s=stored.response_delay_s,
        ),
        policies,
        purge_sequence=stored.purge_sequence,
    )
    if isinstance(judged, NoStore) or judged.stored.vary == stored.vary:
        return judged
    return NoStore(Why.VARY_ANY)
