"""Fixtures of the tests that use real servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.stack import RunningStack, start_stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """One running stack for a file's tests, which leave it as they found it.

    It does not outlast them: a stack that nobody asks anything takes a sixth of a core.
    """
    running = start_stack(tmp_path_factory.mktemp("stack"))
    yield running
    assert running.end() == 0
