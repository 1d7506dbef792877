"""Submitting a job: durable, idempotent, and possible before any worker ever ran."""

import sqlite3

import pytest

from segmenter.jobs import JobQueue, submit


def rows(path):
    with sqlite3.connect(path) as connection:
        found = connection.execute(
            "SELECT workflow_uuid, status, queue_name FROM workflow_status ORDER BY 1"
        ).fetchall()
    connection.close()
    return found


@pytest.fixture
def jobs(tmp_path):
    path = tmp_path / "deep" / "jobs.sqlite"
    return path, f"sqlite:///{path}"


def test_submitting_twice_is_one_job(jobs):
    path, url = jobs
    submit(url, "abcd")
    with JobQueue(url) as queue:
        queue.submit("abcd")
        queue.submit("efgh")
    assert rows(path) == [("abcd", "ENQUEUED", "segmenter"), ("efgh", "ENQUEUED", "segmenter")]


def test_the_jobs_database_is_in_wal_mode(jobs):
    path, url = jobs
    submit(url, "abcd")
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
