"""What a page of another's purge log means."""

from typing import Any

import pytest

from edge.missed_purges import FeedError, Missed, Place, missed

LOG = "0123456789abcdef"


def page(*purges: tuple[int, str], floor: int = 0, last: int | None = None) -> dict[str, Any]:
    numbers = [number for number, _ in purges]
    return {
        "log": LOG,
        "floor": floor,
        "last": max(numbers, default=0) if last is None else last,
        "purges": [{"number": number, "tag": tag} for number, tag in purges],
    }


@pytest.mark.parametrize(
    ("before", "said", "tags", "number", "is_last"),
    [
        (Place(LOG, 0), page(), (), 0, True),
        (Place(LOG, 7), page(last=7), (), 7, True),
        (Place(LOG, 0), page((1, "a"), (2, "b"), (3, "a")), (b"a", b"b"), 3, True),
        (Place(LOG, 0), page((1, "a"), (5, "b"), last=9), (b"a", b"b"), 5, False),
        (Place(LOG, 4), page((5, "a"), floor=4), (b"a",), 5, True),
    ],
)
def test_a_page_that_follows(before, said, tags, number, is_last):
    assert missed(before, said) == (Missed(tags, Place(LOG, number)), is_last)


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (None, page((1, "a"))),
        (Place("another", 1), page((2, "a"))),
        (Place(LOG, 3), page((6, "a"), floor=4)),
        (Place(LOG, 9), page(last=8)),
    ],
    ids=["first time", "another log", "too far back", "from the future"],
)
def test_a_page_that_does_not_follow_means_everything(before, said):
    place = Place(LOG, said["last"])
    assert missed(before, said) == (Missed((), place, everything=True), True)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"log": LOG, "floor": "x", "last": 0, "purges": []},
        {"log": LOG, "floor": 0, "last": 0, "purges": 7},
        {"log": LOG, "floor": 0, "last": 1, "purges": [{"tag": "a"}]},
        page((2, "a"), (1, "b")),
        page((1, "a"), (1, "b")),
    ],
    ids=str,
)
def test_anything_else_is_no_page(said):
    with pytest.raises(FeedError):
        missed(Place(LOG, 0), said)
