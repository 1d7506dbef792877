"""Mutated bytes at everything that reads bytes from outside; for longer, `python -m tests.soak`."""

import random

import pytest

from tests.support.fuzz_targets import TARGETS

ROUNDS = {
    "request_streams": 60,
    "response_streams": 100,
    "decisions": 25,
    "values": 60,
}


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_comes_is_read_or_refused(name: str) -> None:
    for seed in range(ROUNDS.get(name, 20)):
        print(f"{name}, seed {seed}")  # shown when it fails
        TARGETS[name](random.Random(seed))
