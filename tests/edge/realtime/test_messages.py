"""What pages may say, what the origin may publish, and what becomes of anything else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.realtime import messages
from edge.realtime.marks import Mark
from edge.realtime.messages import (
    KINDS,
    VALUE_BYTES_MAX,
    Hello,
    Join,
    Lasting,
    Leave,
    Refusal,
    Say,
    parse,
    parse_lasting,
)
from tests.support.pages import said_in

TABLE = [
    ('{"t":"hello","v":1,"token":"x"}', Hello("x")),
    ('{"t":"hello","v":1,"token":"x","later":true}', Hello("x")),
    ('{"t":"hello","v":2,"token":"x"}', Refusal.VERSION),
    ('{"t":"hello","token":"x"}', Refusal.SYNTAX),
    ('{"t":"join","topic":"story:a"}', Join("story:a", None)),
    ('{"t":"join","topic":"story:a","after":null}', Join("story:a", None)),
    ('{"t":"join","topic":"story:a","after":"7-1"}', Join("story:a", Mark(7, 1))),
    ('{"t":"join","topic":"story:a","after":"7"}', Refusal.SYNTAX),
    ('{"t":"join","topic":"story","after":"7-1"}', Refusal.TOPIC),
    ('{"t":"join","topic":"story:*"}', Refusal.TOPIC),
    ('{"t":"join"}', Refusal.SYNTAX),
    ('{"t":"leave","topic":"story:a"}', Leave("story:a")),
    ('{"t":"say","topic":"story:a","kind":"typing"}', Say("story:a", "typing", "")),
    ('{"t":"say","topic":"story:a","kind":"typing","value":"x"}', Refusal.VALUE),
    (
        '{"t":"say","topic":"story:a","kind":"reaction","value":"👨‍👩‍👧"}',
        Say("story:a", "reaction", "👨‍👩‍👧"),
    ),
    ('{"t":"say","topic":"story:a","kind":"reaction","value":"\\ud800"}', Refusal.VALUE),
    ('{"t":"say","topic":"story:a","kind":"reaction","value":"\\u202e"}', Refusal.VALUE),
    ('{"t":"say","topic":"story:a","kind":"reaction","value":1}', Refusal.VALUE),
    ('{"t":"say","topic":"story:a","kind":"reaction","value":"' + "x" * 17 + '"}', Refusal.VALUE),
    (
        '{"t":"say","topic":"story:a","kind":"line","value":"<b> & 🔥"}',
        Say("story:a", "line", "<b> & 🔥"),
    ),
    (
        '{"t":"say","topic":"story:a","kind":"line","value":"' + "🔥" * 200 + '"}',
        Say("story:a", "line", "🔥" * 200),
    ),
    ('{"t":"say","topic":"story:a","kind":"line","value":"' + "x" * 201 + '"}', Refusal.VALUE),
    ('{"t":"say","topic":"story:a","kind":"line","value":"two\\nlines"}', Refusal.VALUE),
    ('{"t":"say","topic":"story:a","kind":"line","value":" \u3000"}', Refusal.VALUE),
    ('{"t":"say","topic":"story:a","kind":"line"}', Refusal.VALUE),
    ('{"t":"say","topic":"story:a","kind":"watchable","value":""}', Refusal.KIND),
    ('{"t":"say","topic":"story:a","kind":"gossip"}', Refusal.KIND),
    ("[]", Refusal.SYNTAX),
    ("{", Refusal.SYNTAX),
    ("", Refusal.SYNTAX),
    ("\xff", Refusal.SYNTAX),
    ("[" * 4000, Refusal.SYNTAX),
]


@pytest.mark.parametrize(("text", "found"), TABLE, ids=[text[:50] for text, _ in TABLE])
def test_what_pages_say(text: str, found: object) -> None:
    assert parse(text.encode("latin-1" if text == "\xff" else "utf-8")) == found


@given(
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["t", "v", "topic", "kind", "value", "x"]), inner)
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_nothing_breaks_the_reader(text: bytes) -> None:
    parse(text)


GOOD = {"topic": "story:a", "kind": "watchable", "key": "a-1", "value": {"title": "Ă"}}


def test_what_the_origin_publishes() -> None:
    assert parse_lasting(GOOD) == Lasting("story:a", "watchable", "a-1", {"title": "Ă"})


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"topic": "story"}, "topic 'story' is none"),
        ({"kind": "typing"}, "write one of: watchable"),
        ({"key": ""}, "1 to 128 characters"),
        ({"value": "text"}, "a signal is"),
        ({"value": {"x": "x" * VALUE_BYTES_MAX}}, "at most 2048 bytes"),
        ({"value": {"x": "\ud800"}}, "surrogates"),
        ({"key": "\ud800"}, "surrogates"),
    ],
)
def test_what_the_origin_may_not_publish(change: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_lasting(GOOD | change)


def test_what_pages_hear() -> None:
    signal = parse_lasting(GOOD)
    heard = [
        messages.welcome("ada"),
        messages.joined("story:a", here=2, since=Mark(1, 2), gap=False),
        messages.presence("story:a", 3),
        messages.fleeting(Say("story:a", "reaction", "❤"), "ada"),
        messages.lasting(signal, Mark(3, 4)),
        messages.refused(Refusal.RATE),
    ]
    assert [said_in(frame) for frame in heard] == [
        {"t": "welcome", "v": 1, "subject": "ada"},
        {"t": "joined", "topic": "story:a", "here": 2, "since": "1-2", "gap": False},
        {"t": "presence", "topic": "story:a", "here": 3},
        {"t": "signal", "topic": "story:a", "kind": "reaction", "from": "ada", "value": "❤"},
        {"t": "signal", "mark": "3-4", **GOOD},
        {"t": "refused", "why": "rate"},
    ]
    assert all(isinstance(frame, bytes) and not frame[1] & 0x80 for frame in heard)  # no mask


def test_each_kind_has_one_who_says_it() -> None:
    assert all(kind.by_pages is not kind.lasting for kind in KINDS.values())
