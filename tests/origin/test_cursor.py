"""The feed's cursor: a law and what it refuses."""

import math
import struct
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.cursor import Position, parse, render

ASSET_IDS = st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=16, max_size=16)
INSTANTS = st.floats(allow_nan=False, allow_infinity=False)


@given(INSTANTS, ASSET_IDS)
def test_parse_undoes_render(published: float, asset_id: str) -> None:
    place = Position(published=published, asset_id=asset_id)
    text = render(place)
    assert parse(text) == place
    assert text.isascii()
    assert len(text) == 24


@given(st.text(max_size=40))
def test_what_parses_was_rendered(text: str) -> None:
    place = parse(text)
    assert place is None or render(place) == text


@pytest.mark.parametrize("instant", [math.inf, -math.inf, math.nan])
def test_no_position_outside_of_time(instant: float) -> None:
    assert parse(urlsafe_b64encode(struct.pack(">d", instant) + bytes(10)).decode()) is None
