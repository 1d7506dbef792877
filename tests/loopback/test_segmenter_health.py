"""The worker's answers to health probes."""

import httpx
import pytest

from segmenter.health import Health


@pytest.mark.parametrize(
    ("path", "ready", "status"),
    [
        ("/.amaro/live", False, 200),
        ("/.amaro/ready", False, 503),
        ("/.amaro/ready", True, 200),
        ("/", True, 404),
    ],
)
def test_answers(path, ready, status):
    health = Health("127.0.0.1", 0, lambda: ready)
    try:
        host, port = health.address
        assert (
            httpx.get(f"http://{host}:{port}{path}", trust_env=False, timeout=30).status_code
            == status
        )
    finally:
        health.close()
