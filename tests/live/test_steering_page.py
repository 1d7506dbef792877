"""A provider fails in each way there is, and who watches sees nothing of it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest

from tests.support.packaged_clip import package
from tests.support.steered_page import CUT, EVERY_FAULT, HOSTS, Stage, Viewer, plays, stage

pytestmark = [
    pytest.mark.timeout(480),
    pytest.mark.filterwarnings("default:[0-9]+ replays of:UserWarning"),
]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("clip")
    package(folder, CUT)
    with stage(folder, tmp_path_factory.mktemp("cdns")) as there:
        yield there
        if there.replays:  # told of a run that went well, too
            first = f"{len(there.replays)} replays of {there.scenes} scenes"
            warnings.warn("\n  ".join([first, *there.replays]), stacklevel=1)


@pytest.mark.parametrize("fault", EVERY_FAULT)
def test_nobody_sees_it(running: Stage, fault: str) -> None:
    def scene(viewer: Viewer) -> None:
        end = viewer.plays_from("one")["end"]
        running.strike(fault)
        viewer.until(
            lambda now: now["on"] == "two" and now["end"] > end + 1.0, what="playing from two"
        )
        running.recover(viewer)
        viewer.until(lambda now: now["on"] == "one", what="the way back")
        viewer.check()

    running.shows(scene)


@pytest.mark.parametrize("fault", ["refused", "black-hole"])
def test_nor_who_comes_while_it_lasts(running: Stage, fault: str) -> None:
    def scene(viewer: Viewer) -> None:
        viewer.until(plays, what="the first frame")
        viewer.until(lambda now: now["on"] == "two" and now["end"] > 8.0, what="playing from two")
        viewer.left_calmly()  # with enough to find out that the next host is silent

    running.shows(scene, struck=fault)


@pytest.mark.parametrize("fault", ["black-hole", "stalled-answers"])
def test_nor_who_comes_through_it(running: Stage, fault: str) -> None:
    def scene(viewer: Viewer) -> None:
        viewer.until(plays, what="the first frame")
        viewer.asked_once(HOSTS["one"])

    running.shows(scene, struck=fault, pages=running.pages_behind(fault))
