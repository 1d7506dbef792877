"""Servers that many of these tests need, and none of them changes for the next."""

from collections.abc import Iterator

import pytest

from tests.support.valkeys import RunningValkey, valkey


@pytest.fixture(scope="session")
def one_valkey() -> Iterator[RunningValkey]:
    with valkey() as running:
        yield running


@pytest.fixture
def valkey_server(one_valkey: RunningValkey) -> RunningValkey:
    """A real Valkey with nothing in it."""
    one_valkey.ask("FLUSHALL")
    return one_valkey
