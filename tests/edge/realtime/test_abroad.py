"""What edges say to each other is read as it was written, and what is none of it is left out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.realtime.abroad import Here, Said, read_abroad, written_abroad
from edge.realtime.messages import Say

topics = st.sampled_from(["story:a", "story:b", "feed:north"])
names = st.text("abc_-", min_size=1, max_size=9)
kinds = st.sampled_from(["reaction", "line"])
said = st.builds(Said, st.builds(Say, topics, kinds, st.sampled_from("❤xy")), names)
here = st.builds(Here, st.dictionaries(topics, st.integers(0, 9)))


@given(names, st.lists(said | here, max_size=9))
def test_what_is_written_is_read(edge: str, what: list[Said | Here]) -> None:
    assert read_abroad(written_abroad(edge, what).encode()) == (edge, what)


@pytest.mark.parametrize(
    "item",
    [
        '["story:a", "watchable", "", "ada"]',  # that lasts, and comes another way
        '["story", "typing", "", "ada"]',
        '["story:a", "typing", ""]',
        '["story:a", "line", " ", "ada"]',
        '{"story:a": -1}',
        '{"story:a": true}',
        '{"story": 1}',
        "7",
    ],
)
def test_items_that_mean_nothing(item: str) -> None:
    text = f'{{"edge": "e", "said": [{item}, {{"story:a": 1}}], "later": 1}}'
    assert read_abroad(text.encode()) == ("e", [Here({"story:a": 1})])


@pytest.mark.parametrize(
    "text", [b"", b"[]", b'{"edge": 1, "said": []}', b"\xff", b'{"edge": "e"}']
)
def test_what_is_no_batch(text: bytes) -> None:
    with pytest.raises(ValueError):
        read_abroad(text)
