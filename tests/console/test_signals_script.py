"""The pages' end of signals, run by itself: no browser, no clock."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent.parent
SCRIPT = TESTS / "support/signals.mjs"
SOURCE = TESTS.parent / "console/static/signals.js"


def test_a_connection_that_comes_back_renews_its_own_token_only(tmp_path: Path) -> None:
    beside = Path(sys.executable).parent  # where it came with npm's wheel
    node = shutil.which("node") or shutil.which("node", path=str(beside))
    assert node is not None
    said = subprocess.run(
        [node, SCRIPT, SOURCE, tmp_path], capture_output=True, text=True, check=True
    )
    assert json.loads(said.stdout) == {"hellos": [1, 1], "timers": 1}
