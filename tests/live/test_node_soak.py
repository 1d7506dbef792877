"""A short soak of a real node; `python -m tests.node_soak` goes on for as long as you like."""

from __future__ import annotations

from pathlib import Path

from tests.node_soak import soak

SECONDS = 3.0  # of play; a busy machine does less in it


async def test_whatever_happens_to_a_node_answers_are_right(tmp_path: Path) -> None:
    outcome = await soak(tmp_path, SECONDS, seed=1)
    assert not outcome.complaints, "\n".join(outcome.complaints[:5])
    assert outcome.judged
