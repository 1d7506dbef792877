"""Workers die at any point and nothing is lost; jobs are cancelled; hopeless ones are given up."""

import os
import signal
import subprocess
import sys
import time

import pytest

from segmenter.jobs import QUEUE, WORKFLOW, JobQueue
from segmenter.outcome import GAVE_UP, NOT_KEPT
from tests.support import clips
from tests.support.edge_node import await_end
from tests.support.encoders import encoders, encoders_of, halted
from tests.support.playing import assert_plays
from tests.support.publisher import DirectoryPublisher
from tests.support.segmenter_worker import jobs_url

WAIT_S = 250.0
WORKER = (sys.executable, "-m", "tests.support.segmenter_worker")


class Bench:
    """A queue, a directory that is published to, and the workers a test starts."""

    def __init__(self, root):
        self.root = root
        self.publisher = DirectoryPublisher(root)
        self.queue = JobQueue(jobs_url(root))
        self.workers = []
        (root / "uploads").mkdir()

    def worker(self, attempts=3, version="1"):
        process = subprocess.Popen(
            [*WORKER, str(self.root), str(attempts), version],
            stdout=subprocess.PIPE,
        )
        self.workers.append(process)
        assert process.stdout.readline() == b"ready\n"
        return process

    def submit(self, asset_id, source):
        (self.root / "uploads" / asset_id).symlink_to(source)
        self.queue.submit(asset_id)

    def state(self, asset_id):
        return self.publisher.said(asset_id).get("state")

    def close(self):
        for process in self.workers:
            process.kill()
            process.wait()
            process.stdout.close()
        self.queue.close()


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    bench.close()


@pytest.fixture(scope="module")
def heavy(tmp_path_factory):
    """Draw a clip that must be encoded: its keyframes are too far apart."""
    path = tmp_path_factory.mktemp("heavy") / "clip.mp4"
    clips.ffmpeg(
        *clips.moving("640x360", 25, 9), *clips.tone(9), *clips.H264, "-g", 600, *clips.AAC, path
    )
    return path


def until(claim, what):
    deadline = time.monotonic() + WAIT_S
    while not (found := claim()):
        assert time.monotonic() < deadline, what
        time.sleep(0.01)
    return found


@pytest.mark.parametrize("rendition", ["360p", "240p"])
def test_a_killed_workers_job_goes_on(bench, heavy, rendition):
    first = bench.worker()
    bench.submit("clip", heavy)
    running = until(lambda: halted(first.pid, rendition), f"no encoder at {rendition}")
    seen = bench.publisher.said("clip").get("history", [])
    first.kill()
    first.wait()
    await_end(running)
    assert rendition not in (seen[-1] if seen else [])
    bench.worker()
    until(lambda: bench.state("clip") == "complete", "the job did not go on")
    history = bench.publisher.said("clip")["history"]
    assert history[-1] == ["360p", "240p"]
    assert [made for made in history if made[:1] != ["360p"]] == []
    assert_plays(bench.publisher.folder("clip"))
    assert [p for p in (bench.root / "work").glob("*/*") if p.name == "clip"] == []


def test_another_worker_takes_over_while_it_runs(bench, heavy):
    first, second = bench.worker(), bench.worker()
    bench.submit("clip", heavy)
    at, other = until(
        lambda: next(
            ((a, b) for a, b in [(first, second), (second, first)] if encoders(a.pid)), None
        ),
        "nobody took the job",
    )
    at.kill()
    at.wait()
    until(lambda: bench.state("clip") == "complete", "the other worker did not take over")
    assert other.poll() is None


def test_a_job_of_an_older_release_starts_again(bench, heavy):
    old = bench.worker(version="0")
    bench.submit("clip", heavy)
    until(lambda: encoders_of(old.pid, "240p"), "no encoder")
    old.kill()
    old.wait()
    bench.worker()
    until(lambda: bench.state("clip") == "complete", "the job did not start again")


def test_a_cancellation_ends_the_encoder(bench, heavy):
    worker = bench.worker()
    bench.submit("clip", heavy)
    running = until(lambda: halted(worker.pid, "360p"), "no encoder")
    (bench.root / "clip.cancel").touch()
    until(lambda: bench.state("clip") == "cancelled", "not cancelled")
    await_end(running)
    assert not encoders(worker.pid)
    assert not (bench.publisher.folder("clip") / "main.m3u8").exists()


def test_a_job_that_can_never_be_stored_is_given_up_with_a_sentence(bench, heavy):
    bench.worker(attempts=2)
    (bench.root / "v").mkdir()
    (bench.root / "v" / "clip").write_text("a file where the objects' directory should be")
    bench.submit("clip", heavy)
    until(lambda: bench.state("clip") == "failed", "not given up")
    assert bench.publisher.said("clip")["error"] == NOT_KEPT


def test_a_job_that_ends_in_an_error_of_ours_is_given_up(bench):
    bench.worker()
    job = {"queue_name": QUEUE, "workflow_name": WORKFLOW, "workflow_id": "odd"}
    bench.queue._client.enqueue(job)  # without the argument that every job has
    until(lambda: bench.state("odd") == "failed", "not given up")
    assert bench.publisher.said("odd")["error"] == GAVE_UP


def test_a_stopped_worker_hands_its_job_back_at_once(bench, heavy):
    first = bench.worker()
    bench.submit("clip", heavy)
    until(lambda: encoders(first.pid), "no encoder")
    os.kill(first.pid, signal.SIGTERM)
    assert first.wait(WAIT_S) == 0
    bench.worker()
    until(lambda: bench.state("clip") == "complete", "the job did not go on")
