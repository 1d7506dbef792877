"""The document of failover names every key that a file may have, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from amaro.members_document import MembersDocument
from amaro.service_document import ServiceDocument

DOCUMENT = Path(__file__).parents[2] / "docs" / "failover.md"


def keys_of(kind: type[BaseModel]) -> Iterator[str]:
    for name, field in kind.model_fields.items():
        yield name
        for inside in models_in(field.annotation):
            yield from keys_of(inside)


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inside in getattr(annotation, "__args__", ()):
        yield from models_in(inside)


def test_every_key_is_told_of() -> None:
    rows = re.findall(r"^\| (`[^|]+) \|", DOCUMENT.read_text(), re.MULTILINE)
    told = {key for row in rows for key in re.findall(r"`([a-z_0-9]+)`", row)}
    assert told == {*keys_of(ServiceDocument), *keys_of(MembersDocument)}


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([a-z/-]+\.md)\)", DOCUMENT.read_text())
    assert links
    assert [each for each in links if not (DOCUMENT.parent / each).is_file()] == []
