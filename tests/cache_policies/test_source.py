"""Policy files' text: plain values with their places; whatever is odd is refused at its place."""

import json
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cache_policies.complaints import Place, PolicyFileError
from cache_policies.source import DEPTH_MAX, TEXT_MAX_BYTES, read_source

TOKENS = [b"a: ", b"- ", b"\n", b"  ", b"|\n", b">-\n", b"? ", b": ", b"%YAML 1.1\n", b"--- "]
TOKENS += [b"!<x> ", b"&a ", b"*a", b"<<: ", b"\\ud800", b'"', b"'", b"\xef\xbb\xbf", b"\xc2\x85"]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("abcxyz_", min_size=1, max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)


def refusal(text: str | bytes) -> str:
    with pytest.raises(PolicyFileError) as error:
        read_source(text.encode() if isinstance(text, str) else text, "f.yaml")
    return str(error.value)


def test_values_are_those_of_yaml_and_places_those_of_keys():
    source = read_source(b"a: 1\nb:\n  - x: yes\n  - 'true'\n  - 1.5\n  - ~\n  - true\n", "f.yaml")
    assert source.value == {"a": 1, "b": [{"x": "yes"}, "true", 1.5, None, True]}
    assert source.place(("b", 0, "x")) == Place(3, 5)
    assert source.place(("b", 1)) == Place(4, 5)
    assert source.place(("b", 0, "nowhere", 7)) == Place(3, 5)


def test_an_empty_file_has_no_value():
    assert read_source(b"# nothing\n", "f.yaml").value is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &x 1", "f.yaml:1:4: an anchor (&x); leave it out"),
        ("a: 1\nb: *x", "f.yaml:2:4: an alias (*x); write the value out"),
        ("a: !!python/object:os.system x", "f.yaml:1:4: a tag (tag:yaml.org,2002:python/object:os"),
        ("a: 1\n a: 2", "f.yaml:2:3: not YAML: mapping values are not allowed here"),
        ("a: 1\nb: 2\na: 3", "f.yaml:3:1: `a` a second time; the first is in line 1"),
        ("<<: {a: 1}", "f.yaml:1:1: a merge key (<<); write its values out"),
        ("? [a, b]\n: 1", "f.yaml:1:3: a key is plain text"),
        ("a: 1\n---\nb: 2", "f.yaml:2:1: a second document; write one file for each"),
        ("a: 'x", "f.yaml:1:6: not YAML: found unexpected end of stream"),
        ("a: x\x07", "f.yaml:1:5: a control character, which YAML does not allow"),
        (b"a: 1\nb: \xff", "f.yaml:2:4: this is not UTF-8 text"),
        ("[" * 5_000, f"nested deeper than {DEPTH_MAX} levels"),
        ('"\\ud800\\udc00"', "f.yaml:1:1: half of a character"),
        (b"#" * (TEXT_MAX_BYTES + 1), "f.yaml:1:1: the file is larger than 64 KiB"),
    ],
)
def test_what_is_odd_is_refused_where_it_stands(text, said):
    assert said in refusal(text)


def test_a_bomb_of_aliases_does_not_go_off():
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60))]
    assert "an anchor" in refusal("\n".join(lines))


@given(VALUES)
def test_json_is_yaml(value):
    assert read_source(json.dumps(value, ensure_ascii=False).encode(), "f.yaml").value == value


@given(
    st.binary(max_size=80)
    | st.text("ab:-[]{}&*!|>'\"#%?@`,.0 \n\t~<\\", max_size=80).map(str.encode)
    | st.lists(
        st.sampled_from(TOKENS),
        max_size=20,
    ).map(b"".join)
)
@example(b"%TAG ! x\n---\n!a b")
def test_no_text_breaks_the_reader(text):
    with suppress(PolicyFileError):
        read_source(text, "f.yaml")
