"""Server-Timing says what was asked and how long, to those who carry the token only."""

import pytest

from edge.outcome import Outcome
from edge.server_timing import Trace, asks_for_trace, server_timing


def test_what_it_says() -> None:
    trace = Trace(key=b"http://e/a", rules=("segments", 'odd "ünes"'))
    trace.steps += [("disk", 0.0002), ("origin", 0.0379)]
    outcome = Outcome("miss", "compulsory", "origin", 60)
    assert server_timing(trace, outcome, 3, 0.0384) == (
        b'edge;dur=38.400;desc="miss compulsory", disk;dur=0.200, origin;dur=37.900, '
        b'worker;desc="3", key;desc="9d841cbf171251c6", rule;desc="segments", '
        b'rule;desc="odd ??nes?"'
    )


@pytest.mark.parametrize(
    ("fields", "token", "asks"),
    [
        (((b"amaro-debug", b"secret"),), "secret", True),
        (((b"amaro-debug", b"other"),), "secret", False),
        (((b"amaro-debug", b""),), "", False),
        (((b"amaro-debug", b"secret"),), "", False),
        (((b"amaro-debug", b"secret"), (b"amaro-debug", b"secret")), "secret", False),
        ((), "secret", False),
    ],
)
def test_who_is_told(fields, token: str, asks: bool) -> None:
    assert asks_for_trace(fields, token) is asks
