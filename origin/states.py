"""The life of an asset: one table that the catalog, the API and the tests read."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where an asset is, as `/api/assets/{asset_id}` says it."""

    UPLOADING = "uploading"
    QUEUED = "queued"
    PROCESSING = "processing"
    PLAYABLE = "playable"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Signal(StrEnum):
    """What can happen to an asset."""

    UPLOADED = "uploaded"
    STARTED = "started"
    PUBLISHED = "published"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


# (state, signal): next state. An absent pair changes nothing: signals come from jobs that are
# retried after crashes, so late and repeated ones are ordinary.
TRANSITIONS: dict[tuple[State, Signal], State] = {
    (State.UPLOADING, Signal.UPLOADED): State.QUEUED,
    (State.UPLOADING, Signal.CANCELLED): State.CANCELLED,
    (State.QUEUED, Signal.STARTED): State.PROCESSING,
    (State.QUEUED, Signal.PUBLISHED): State.PLAYABLE,
    (State.QUEUED, Signal.FINISHED): State.COMPLETE,
    (State.QUEUED, Signal.FAILED): State.FAILED,
    (State.QUEUED, Signal.CANCELLED): State.CANCELLED,
    (State.PROCESSING, Signal.PUBLISHED): State.PLAYABLE,
    (State.PROCESSING, Signal.FINISHED): State.COMPLETE,
    (State.PROCESSING, Signal.FAILED): State.FAILED,
    (State.PROCESSING, Signal.CANCELLED): State.CANCELLED,
    (State.PLAYABLE, Signal.FINISHED): State.COMPLETE,
    (State.PLAYABLE, Signal.CANCELLED): State.CANCELLED,
}
WATCHABLE = frozenset({State.PLAYABLE, State.COMPLETE})
ENDED = frozenset({State.COMPLETE, State.FAILED, State.CANCELLED})


def after(state: State, signal: Signal) -> State:
    """Return the state that `signal` leads to, the same one when it means nothing there."""
    return TRANSITIONS.get((state, signal), state)


def may_publish(state: State, *, complete: bool) -> bool:
    """Say whether a publication may change what is served of an asset in `state`.

    A step of a job that is repeated after a crash takes nothing back from a complete asset.
    """
    if state is State.COMPLETE:
        return complete
    return state is State.PLAYABLE or (state, Signal.PUBLISHED) in TRANSITIONS
