"""Generated requests for parts of one body: ranges near its slices' ends, and conditions."""

from hypothesis import strategies as st

from edge.arena import SLICE_BYTES

LENGTH = 3 * SLICE_BYTES + 5  # of the body: four slices, the last one short
BODY = bytes(range(251)) * (LENGTH // 251 + 1)
BODY = BODY[:LENGTH]  # no two places of a slice's size apart are alike

MODIFIED = "Wed, 18 Nov 2020 10:00:00 GMT"

_EDGES = [at + by for at in (0, SLICE_BYTES, 2 * SLICE_BYTES, LENGTH) for by in (-1, 0, 1)]
_offset = st.one_of(st.sampled_from([at for at in _EDGES if at >= 0]), st.integers(0, LENGTH + 9))
_size = st.one_of(st.integers(1, 9), st.sampled_from([32_768, 70_000, SLICE_BYTES, LENGTH]))
_closed = st.tuples(_offset, _size).map(lambda at: f"{at[0]}-{at[0] + at[1] - 1}")
_open = _offset.map(lambda at: f"{at}-")
_suffix = st.one_of(_size, st.sampled_from([0, 5, 6, LENGTH + 1])).map(lambda size: f"-{size}")
_beyond = st.sampled_from([f"{LENGTH}-", f"{LENGTH + 5}-{LENGTH + 9}", f"{'9' * 30}-", "-0"])
_wrong = st.sampled_from(["5-2", "-", "a-b", ""])
_one = st.one_of(_closed, _closed, _closed, _open, _suffix, _beyond)
_small = st.tuples(_offset, st.integers(1, 9)).map(lambda at: f"{at[0]}-{at[0] + at[1] - 1}")


def _several(count: int) -> st.SearchStrategy[str]:
    member = _one if count < 5 else _small
    return st.lists(member, min_size=count, max_size=count).map(",".join)


_set = st.one_of(_one, st.sampled_from([2, 3, 16, 17]).flatmap(_several), _wrong)
_unit = st.sampled_from(["bytes"] * 8 + ["BYTES", "lines"])

range_line = st.tuples(_unit, _set).map(lambda said: f"Range: {said[0]}={said[1]}")

condition_line = st.sampled_from(
    [
        'If-Range: "v1"',
        'If-Range: "v2"',
        'If-Range: W/"v1"',
        f"If-Range: {MODIFIED}",
        "If-Range: Tue, 17 Nov 2020 10:00:00 GMT",
        "If-Range: junk",
        'If-None-Match: "v1"',
        'If-None-Match: W/"v1"',
        'If-None-Match: "v2"',
        "If-None-Match: *",
        f"If-Modified-Since: {MODIFIED}",
        "If-Modified-Since: Tue, 17 Nov 2020 10:00:00 GMT",
    ]
)

_range_lines = st.sampled_from([1] * 9 + [2]).flatmap(
    lambda count: st.lists(range_line, min_size=count, max_size=count)
)
part_lines = st.tuples(_range_lines, st.lists(condition_line, max_size=2, unique=True)).map(
    lambda both: [*both[0], *both[1]]
)
"""The field lines of a request for a part, seldom with two Range lines."""
