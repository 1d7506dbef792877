"""A real S3 server: SeaweedFS from its wheel, on free ports, in a directory of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.support.edge_node import NO_TLS
from tests.support.ports import own_ports

DEADLINE_S = 180.0
BUCKET = "videos"
LISTENERS = ("master", "volume", "filer", "s3")


@contextmanager
def seaweed(folder: Path) -> Iterator[str]:
    """Yield the endpoint of a running server that has one empty bucket."""
    weed = shutil.which("weed", path=str(Path(sys.executable).parent))
    assert weed is not None
    folder.mkdir(parents=True)
    ports = own_ports()
    argv = [weed, "server", "-dir", str(folder), "-ip", "127.0.0.1", "-ip.bind", "127.0.0.1"]
    argv += ["-filer", "-s3", "-s3.port.iceberg", "0", "-s3.port.lance", "0", "-volume.max", "20"]
    argv += ["-master.volumeSizeLimitMB", "64", "-master.telemetry=false"]
    for number, name in enumerate(LISTENERS):
        argv += [f"-{name}.port", str(ports[2 * number])]
        argv += [f"-{name}.port.grpc", str(ports[2 * number + 1])]
    with (folder.parent / "seaweed.log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=subprocess.STDOUT)
    endpoint = f"http://127.0.0.1:{ports[2 * LISTENERS.index('s3')]}"
    try:
        await_writable(endpoint)
        yield endpoint
    finally:
        process.kill()  # a graceful end takes it 25 s, and its data is scratch
        process.wait(DEADLINE_S)


def await_writable(endpoint: str) -> None:
    """Make the bucket and wait until it takes objects: volumes come up after the listener."""
    deadline = time.monotonic() + DEADLINE_S
    with httpx.Client(
        base_url=endpoint, trust_env=False, timeout=DEADLINE_S, verify=NO_TLS
    ) as client:
        for path, body in ((f"/{BUCKET}", b""), (f"/{BUCKET}/first", b"x")):
            while True:
                try:
                    if client.put(path, content=body).status_code == 200:
                        break
                except httpx.TransportError:
                    pass
                assert time.monotonic() < deadline, "SeaweedFS does not start"
                time.sleep(0.1)
