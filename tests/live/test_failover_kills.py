"""Some of what `python -m tests.failover_kills` does: the controller is killed, all is well."""

import pytest

from tests.support.failover_kills import Run, kills
from tests.support.kill_gate import Point

POINTS = {
    "kept, and not yet told": ("switch", Point("audit moved"), True),
    "changed at the first of two DNS providers": (
        "failover",
        Point("knot-a: update", is_after=True),
        True,
    ),
}


@pytest.fixture(scope="module")
def group(tmp_path_factory):
    with kills(tmp_path_factory.mktemp("kills")) as running:
        yield running


@pytest.mark.parametrize("when", POINTS)
def test_what_a_controller_began_is_brought_to_its_end(group, when):
    kind, point, again = POINTS[when]
    run: Run = group.run(kind, point, again=again)
    if not run.reached:  # on a busy machine another one may have come to lead in between
        run = group.run(kind, point, again=again)
    assert (run.reached, run.complaints) == (True, [])
