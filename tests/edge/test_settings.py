"""What the supervisor hands to a worker is what the operator said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_policies.contest import Objective
from edge.settings import MIB, Address, EdgeSettings, Limits

addresses = st.builds(Address, st.sampled_from(["127.0.0.1", "::1", ""]), st.integers(0, 65_535))


@given(
    settings=st.builds(
        EdgeSettings,
        listen=addresses,
        origin=st.text(),
        admin=st.none() | addresses,
        objective=st.sampled_from(Objective),
        token=st.text(),
        region=st.text(),
        workers=st.integers(1, 64),
        limits=st.builds(Limits, keep_alive_s=st.floats(0, 1e6)),
    )
)
def test_settings_survive_the_pipe(settings: EdgeSettings) -> None:
    assert EdgeSettings.from_json(settings.to_json()) == settings


def test_the_token_is_never_shown() -> None:
    settings = EdgeSettings(listen=Address("127.0.0.1", 1), origin="http://o", token="hush")
    assert "hush" not in repr(settings)


def test_memory_is_the_nodes() -> None:
    settings = EdgeSettings(
        listen=Address("127.0.0.1", 1), origin="http://o", memory_bytes=512 * MIB, workers=4
    )
    assert settings.worker_memory_bytes == 128 * MIB


@given(workers=st.integers(1, 64), fills_max=st.integers(1, 10_000))
def test_workers_share_the_limits_of_the_node(workers: int, fills_max: int) -> None:
    share = Limits(fills_max=fills_max, idle_s=3.0).share(workers)
    assert 0 <= share.fills_max * workers - fills_max < workers
    assert share.idle_s == 3.0


@pytest.mark.parametrize(
    ("address", "text"),
    [(Address("127.0.0.1", 80), "127.0.0.1:80"), (Address("::1", 80), "[::1]:80")],
)
def test_an_address_reads_as_in_a_url(address: Address, text: str) -> None:
    assert str(address) == text
