"""Fixtures of the tests that use real servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.stack import RunningStack, start_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """One running stack for every test that leaves it as it found it."""
    running = start_stack(tmp_path_factory.mktemp("stack"))
    yield running
    assert running.end() == 0
