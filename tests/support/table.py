"""Text tables as test cases: columns lie two spaces apart, the last one names the source."""

import re

SHORT = {
    "cc:": "cache-control:",
    "cdn-cc:": "cdn-cache-control:",
    "sc:": "surrogate-control:",
    "at:": "content-location:",
    "swr=": "stale-while-revalidate=",
    "sie=": "stale-if-error=",
}
"""What tables may write for long names."""


class Case(dict[str, str]):
    """One row; its id is what stands in it, and `-` stands for an empty cell."""

    def __str__(self) -> str:
        return " | ".join(self.values())


def table(text: str) -> list[Case]:
    """Return the rows under the first line's column names."""
    head, *rows = [re.split(r"\s{2,}", line.strip()) for line in text.strip().splitlines() if line]
    for row in rows:
        assert len(row) == len(head), f"{len(row)} cells under {len(head)} columns: {row}"
    return [
        Case(zip(head, ("" if cell == "-" else cell for cell in row), strict=True)) for row in rows
    ]


def fields(text: str) -> tuple[tuple[bytes, bytes], ...]:
    """Return the fields written as `name: value | name: value`."""
    for short, full in SHORT.items():
        text = re.sub(rf"(?<![\w-]){short}", full, text)
    lines = [line.partition(":") for line in text.split("|") if line.strip()]
    return tuple(
        (name.strip().lower().encode(), value.strip().encode()) for name, _, value in lines
    )
