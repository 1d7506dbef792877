"""What an origin is told of a file."""

from __future__ import annotations

import os
from pathlib import Path

from amaro.sending import metadata_of


def test_a_name_that_is_no_text_can_be_said() -> None:
    file = Path(os.fsdecode(b"caf\xe9.mp4"))
    said = metadata_of(file, title=file.stem, region="north")
    assert said == {
        "filename": "caf?.mp4",
        "filetype": "video/mp4",
        "title": "caf?",
        "region": "north",
    }
