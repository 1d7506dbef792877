"""Tests of the rig run as root: where they do not, each runs in a user namespace of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.rig.namespaces import RefusedError, as_root


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Have a test that needs root run as what passes for it.

    What it needs and has not makes it fail; only a machine without namespaces makes it skip.
    """
    here = [sys.executable, "-m", "pytest", "-n", "0", pyfuncitem.nodeid]
    try:
        argv = as_root(here)
    except RefusedError as error:
        pytest.skip(f"network namespaces are absent here: {error}")
    if argv == here:
        return None
    root = pyfuncitem.config.rootpath
    done = subprocess.run(argv, check=False, cwd=root, capture_output=True, text=True)
    if done.returncode:
        pytest.fail(done.stdout + done.stderr, pytrace=False)
    return True
