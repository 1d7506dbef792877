"""The life of an asset, every pair of it."""

import pytest

from origin.states import ENDED, TRANSITIONS, Signal, State, after, may_publish


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("signal", Signal)
def test_every_pair_leads_somewhere_and_only_forwards(state: State, signal: Signal) -> None:
    order = list(State)
    reached = after(state, signal)
    assert reached is TRANSITIONS.get((state, signal), state)
    assert order.index(reached) >= order.index(state)
    assert after(reached, signal) is reached  # a repeated signal changes nothing


@pytest.mark.parametrize("state", sorted(ENDED))
@pytest.mark.parametrize("signal", Signal)
def test_what_has_ended_stays_so(state: State, signal: Signal) -> None:
    assert after(state, signal) is state


def test_only_what_lives_is_published() -> None:
    refused = {State.UPLOADING, State.FAILED, State.CANCELLED}
    assert {state for state in State if not may_publish(state, complete=True)} == refused
    refused |= {State.COMPLETE}  # which only another complete publication replaces
    assert {state for state in State if not may_publish(state, complete=False)} == refused
