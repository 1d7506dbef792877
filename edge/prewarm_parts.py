"""Parts of objects that are fetched ahead: slices, by names of their own, KEY#NUMBER.

Keys have no fragments (RFC 9110 §7.1), so no object is named so.
"""

from collections.abc import Iterator
from typing import Final

from cache_policies.key import without_tokens
from edge.arena import SLICE_BYTES
from edge.cmcd import NextObject
from edge.playlists import resolve

PARTS_MAX: Final = 4  # slices of one range; what follows comes while those are read


def meant(key: str, said: NextObject) -> list[str]:
    """The names of what a player that asks for `key` says it asks for next."""
    path = without_tokens(said.path.encode()).decode()
    wanted = resolve(key, path) if path else key
    if wanted is None or "?" in wanted or not (path or said.byte_range):
        return []
    return list(names(wanted, said.byte_range))


def names(key: str, byte_range: str) -> Iterator[str]:
    """The slices of an object that a range touches ("0-99", "100-"), or the object without one.

    Where a range from the end ("-100") begins is not known.
    """
    first, _, last = byte_range.partition("-")
    if not byte_range:
        yield key
    elif first and (not last or int(first) <= int(last)):
        begin = int(first) // SLICE_BYTES
        end = int(last) // SLICE_BYTES if last else begin + PARTS_MAX
        for number in range(begin, min(end + 1, begin + PARTS_MAX)):
            yield f"{key}#{number}"


def part_of(name: str) -> tuple[str, int | None]:
    """The key of an object, and the number of the slice that is meant; None for all of it."""
    key, mark, number = name.partition("#")
    return key, int(number) if mark else None
