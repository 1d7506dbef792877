"""A slow reader loses old fleeting signals, and never a lasting one."""

from hypothesis import given
from hypothesis import strategies as st

from edge.realtime.outbox import Outbox, Put


@given(st.lists(st.none() | st.booleans(), max_size=60), st.integers(1, 5), st.integers(1, 5))
def test_what_is_taken_is_what_was_put_but_old_fleeting_frames(
    steps: list[bool | None], fleeting_max: int, lasting_max: int
) -> None:
    """A step puts a lasting frame or a fleeting one, or takes the oldest (None)."""
    outbox = Outbox(fleeting_max=fleeting_max, lasting_max=lasting_max)
    model: list[tuple[bytes, bool]] = []
    for number, step in enumerate(steps):
        frame = b"%d" % number
        if step is None:
            taken = next(outbox.take(), None)
            assert taken == (model.pop(0)[0] if model else None)
            continue
        put = outbox.put(frame, lasting=step)
        same = [each for each in model if each[1] is step]
        if step and len(same) == lasting_max:
            assert put is Put.FULL
            continue
        model.append((frame, step))
        if not step and len(same) == fleeting_max:
            assert put is Put.LOST_OLDER
            model.remove(same[0])
        else:
            assert put is Put.KEPT
        assert len(outbox) == len(model)
    assert list(outbox.take()) == [frame for frame, _ in model]
