"""What a model answers about itself."""

import pytest

from failover.model import Dependency
from tests.support.failover import model, service


def test_what_is_reached_through_somebody_falls_with_them_too() -> None:
    needs = Dependency(provider="one", reached_through=("two", "three"))
    assert needs.providers == {"one", "two", "three"}


def test_a_target_has_its_name_within_a_service() -> None:
    media = service("a b")
    assert media.target("b") is media.targets[1]
    with pytest.raises(KeyError):
        media.target("c")


def test_a_region_of_several_vantages_is_one_region() -> None:
    assert model(regions="south north south").regions == ("north", "south")
