"""Reads an operator's table of networks, once for all workers of a node.

The whole Internet takes 200 MB while it is read, so that is done by a process of its own.
"""

from __future__ import annotations

import gzip
import mmap
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from socket import AF_INET, AF_INET6, inet_pton
from typing import Final

from edge.network_table import NUMBER_MAX, NetworkTable, Range, TableError, compiled

_NUMBER: Final = re.compile(r"(?:AS)?([0-9]{1,10})", re.IGNORECASE)
_SPLIT: Final = re.compile(r"\s*[\t,]\s*")
_GZIP: Final = b"\x1f\x8b"


def read_networks(name: str) -> int:
    """The descriptor of a compiled table, in memory. Raises TableError with what is wrong."""
    fd = os.memfd_create("networks")
    command = (sys.executable, "-m", "edge.network_file", name)
    done = subprocess.run(command, stdout=fd, stderr=subprocess.PIPE, check=False)  # noqa: S603
    if done.returncode:
        os.close(fd)
        said = done.stderr.decode(errors="replace").strip() or f"exit status {done.returncode}"
        raise TableError(said.splitlines()[-1])
    return fd


def compile_file(name: str) -> bytes:
    """What a file says, which may be compressed (gzip), as `NetworkTable` reads it."""
    path = Path(name)
    try:
        with path.open("rb") as file:
            is_packed = file.read(2) == _GZIP
        opened = gzip.open if is_packed else open
        with opened(path, "rt", errors="replace") as lines:
            return compiled(ranges(lines))
    except (OSError, EOFError, zlib.error) as error:
        raise TableError(getattr(error, "strerror", None) or str(error)) from error


def open_networks(fd: int | None) -> NetworkTable | None:
    """The table of a descriptor, if there is one; its pages are the same in all processes."""
    if fd is None:
        return None
    return NetworkTable(memoryview(mmap.mmap(fd, 0, prot=mmap.PROT_READ)))


def ranges(lines: Iterable[str]) -> Iterator[Range]:
    """What a table says, by lines: `first, last, number, …` or `network, …, number, …`.

    Commas or tabs, with or without quotes; a title and comments are passed over. Raises TableError
    where a line says something else.
    """
    has_any = False
    for line_no, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text[0] in "#;":
            continue
        cells = _SPLIT.split(text.replace('"', ""))
        try:
            read = _range(cells)
        except (OSError, ValueError, IndexError) as error:
            if not has_any and line_no <= 2 and not text[0].isdigit():
                continue  # the names of the columns
            raise TableError(
                f"line {line_no}: not `network, number` or `first, last, number`"
            ) from error
        has_any = True
        if read is not None:
            yield read
    if not has_any:
        raise TableError("it names no networks")


def _range(cells: list[str]) -> Range | None:
    """What a line says; None of what has no number, or is smaller than what is told apart."""
    written, slash, bits_text = cells[0].partition("/")
    is_v6, first = _address(written)
    width = 128 if is_v6 else 32
    if slash:
        bits = int(bits_text)
        if not 0 <= bits <= width:
            raise ValueError(cells[0])
        last, rest = first | ((1 << (width - bits)) - 1), cells[1:]
    else:
        (is_v6_too, last), rest = _address(cells[1]), cells[2:]
        if is_v6_too is not is_v6 or last < first:
            raise ValueError(cells[1])
    found = next(chain(filter(None, map(_NUMBER.fullmatch, rest)), [None]))
    number = 0 if found is None else int(found[1])
    if number == 0 or number > NUMBER_MAX:
        return None
    return (
        Range(True, first >> 64, last >> 64, number) if is_v6 else Range(False, first, last, number)
    )


def _address(text: str) -> tuple[bool, int]:
    is_v6 = ":" in text
    return is_v6, int.from_bytes(inet_pton(AF_INET6 if is_v6 else AF_INET, text))


if __name__ == "__main__":
    try:
        sys.stdout.buffer.write(compile_file(sys.argv[1]))
    except TableError as wrong:
        sys.exit(str(wrong))
