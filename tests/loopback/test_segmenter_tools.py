"""Child processes: their limits, their priority, their output, their end."""

import os
import sys
import time
from pathlib import Path

import pytest

from segmenter.tools import CancelledWorkError, Limits, ToolError, ToolLimitError, run

PYTHON = (sys.executable, "-I", "-S", "-c")


def python(code: str, *, limits: Limits | None = None, **options):
    return run([*PYTHON, code], limits or Limits(), **options)


def test_output_and_lines():
    lines = []
    output = python(
        "import sys; print('one'); print('two', flush=True); sys.stderr.write('said')",
        on_line=lines.append,
    )
    assert output.out == "one\ntwo\n"
    assert output.errors == "said"
    assert lines == ["one", "two"]


def test_priority_and_a_group_of_its_own():
    code = "import os; print(os.nice(0), os.getpgid(0) == os.getpid())"
    wanted = min(19, os.nice(0) + 7)
    assert python(code, limits=Limits(nice=7)).out.split() == [str(wanted), "True"]


def test_a_session_yields_to_others_as_its_processes_do():
    code = """
import os, pathlib
file = pathlib.Path("/proc/self/autogroup")
print(os.getsid(0) == os.getpid(), file.read_text() if file.exists() else "")
"""
    own, *group = python(code, limits=Limits(nice=7)).out.split()
    assert own == "True"
    wanted = min(19, os.nice(0) + 7)  # an administrator may have added to it meanwhile
    assert not group or int(group[-1]) >= wanted  # none where the kernel has no such groups


def test_a_failure_says_what_the_tool_said():
    with pytest.raises(ToolError, match="no such codec"):
        python("import sys; sys.exit('no such codec')")
    with pytest.raises(ToolError, match="status 3"):
        python("raise SystemExit(3)")


@pytest.mark.parametrize(
    ("code", "limits"),
    [
        ("bytearray(1 << 30)", Limits(memory_bytes=256 << 20)),
        ("while True: pass", Limits(cpu_s=1)),
        ("import time; time.sleep(60)", Limits(wall_s=0.5)),
    ],
    ids=["memory", "cpu", "wall"],
)
def test_a_limit_ends_the_tool(code, limits):
    if limits.memory_bytes < 1 << 30:
        code = f"import sys\ntry:\n {code}\nexcept MemoryError: sys.exit('out of memory')"
    with pytest.raises(ToolLimitError):
        python(code, limits=limits)


def test_a_file_that_grows_too_large_is_an_error(tmp_path):
    code = f"open({str(tmp_path / 'out')!r}, 'wb').write(bytes(1 << 20))"
    with pytest.raises(ToolError):
        python(code, limits=Limits(output_bytes=1 << 16))
    assert (tmp_path / "out").stat().st_size <= 1 << 16


def test_cancellation_ends_the_tool_and_its_children(tmp_path):
    note = tmp_path / "pid"
    child = f"[{PYTHON[0]!r}, '-c', 'import time; time.sleep(60)']"
    code = (
        f"import subprocess; c = subprocess.Popen({child});"
        f"open({str(note)!r}, 'w').write(str(c.pid)); c.wait()"
    )
    with pytest.raises(CancelledWorkError):
        run([sys.executable, "-c", code], Limits(), is_cancelled=lambda: bool(read(note)))
    deadline = time.monotonic() + 60
    while is_running(int(read(note))):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def read(path) -> str:
    return path.read_text() if path.exists() else ""


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # the latter where it ends just now
        return False
