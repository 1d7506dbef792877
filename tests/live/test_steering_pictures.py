"""What a film of a viewer says of itself, and how it is drawn."""

from __future__ import annotations

import io
from xml.etree import ElementTree

from PIL import Image

from tests.support.steering_film import FRAME_HEIGHT, FRAME_WIDTH, Film, Picture
from tests.support.steering_pictures import plot, strip


def made() -> Film:
    """Ten seconds: one fails at 2 s and is left at 5 s; the return is ordered at 8 s."""
    told = io.BytesIO()
    Image.new("RGB", (FRAME_WIDTH, FRAME_HEIGHT), "#48c").save(told, "JPEG")
    on = {second: "one" if second < 5 or second > 8 else "two" for second in range(11)}
    ahead = {second: 12.0 - second if second < 5 else 11.0 for second in range(11)}
    return Film(
        fault="black-hole",
        struck_s=2.0, ordered_s=6.0, recovered_s=7.0, returned_s=8.0, end_s=10.0,
        samples=[(float(at), at + 3.0, ahead[at], on[at]) for at in range(11)],
        asked=[(0.5, "one"), (5.1, "two"), (5.2, "two")],
        errors=[5.0],
        pictures=[Picture(float(at), at + 3.0, on[at], told.getvalue()) for at in range(11)],
        stalls=[], first_frame_s=0.8, first_frame_behind_s=4.7,
    )  # fmt: skip


def test_figures() -> None:
    film = made()
    assert (film.ahead_s, film.left_s, film.least_s, film.back_s) == (10.0, 3.0, 8.0, 1.0)
    assert film.shows_it
    film.first_frame_behind_s = 6.1
    assert not film.shows_it


def test_curves_and_strip() -> None:
    film = made()
    drawn = ElementTree.fromstring(plot([film, film]))
    said = [each.text for each in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert said.count("black-hole") == 2
    lines = list(drawn.iter("{http://www.w3.org/2000/svg}polyline"))
    assert len(lines) == 4
    sheet = strip([film])
    assert sheet.width > 4 * FRAME_WIDTH
    assert sheet.height > FRAME_HEIGHT
