"""What a wrong use of `amaro failover` is told: one sentence, what and where, and what to do."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from amaro.cli import app
from amaro.failover_members import Members
from amaro.stack import Stack, data_dir

EXAMPLE = Path(__file__).parents[2] / "configs/services"
NOBODY = "--admin http://127.0.0.1:1"  # nobody listens there
UNREACHABLE = "No member answers (http://127.0.0.1:1: nobody listens there). See that they run"

CASES = {  # what is typed: (the exit status, what is said of it)
    "status": (1, "No stack runs on DATA. Start one with amaro up"),
    "plan": (1, "Members elsewhere: --admin URL."),
    f"status {NOBODY}": (1, UNREACHABLE),
    f"plan {NOBODY}": (1, UNREACHABLE),
    f"history {NOBODY}": (1, UNREACHABLE),
    f"verify {NOBODY}": (1, UNREACHABLE),
    f"switch media a --why x {NOBODY}": (1, UNREACHABLE),
    f"freeze --why x {NOBODY}": (1, UNREACHABLE),
    f"drill media/a --why x --yes {NOBODY}": (1, UNREACHABLE),
    f"drill --stop {NOBODY}": (1, UNREACHABLE),
    "status --admin nowhere": (2, "--admin: 'nowhere' is not a server's URL; write http://"),
    f"status --token-file /none {NOBODY}": (2, "Cannot read --token-file /none: No such file"),
    "status --token-file /none": (2, "Cannot read --token-file /none: No such file"),
    f"switch media a {NOBODY}": (2, "Missing option '--why'"),
    f"switch media a --why ' ' {NOBODY}": (2, "--why is empty: say why, for the audit log"),
    f"plan media {NOBODY}": (2, "'media' is not SERVICE/TARGET, as media/cloudflare"),
    f"drill {NOBODY}": (2, "name what is taken to fail: SERVICE/TARGET, as media/cloudflare"),
    f"drill media/a {NOBODY}": (2, "a drill needs --why, for the audit log"),
    "drill media/none --dry-run --services EXAMPLE": (1, "no target media/none; known are feed/"),
    "drill a/none --dry-run --services EXAMPLE": (1, "(in EXAMPLE; others: --services DIR)"),
    "check --services /none": (2, "/none: no such directory; name another with --services DIR"),
    "check --services DATA": (1, "DATA: no *.yaml here; name another with --services DIR"),
    "check --services EXAMPLE --resolver quad": (2, "write an address, as 9.9.9.9"),
    "check --services EXAMPLE --resolver 9.9.9.9:0": (2, "--resolver: '9.9.9.9:0' is not HOST:"),
    "run --name m --services EXAMPLE --zone a=b": (2, "need --dns HOST:PORT, where to answer"),
    "run --name m --services EXAMPLE --listen m": (2, "--listen: 'm' is not HOST:PORT, as"),
}


def typed(line: str, tmp_path: Path, **variables: str) -> tuple[int, str]:
    """Return the exit status and all that is said of a command line, on one line."""
    words = line.replace("DATA", str(tmp_path)).replace("EXAMPLE", str(EXAMPLE))
    command = ["failover", *shlex.split(words)]
    if command[1] not in {"check", "run"} and "--admin" not in command:
        command += ["--data", str(tmp_path)]
    secret = {"DESEC_KEY": "x", "AMARO_ADMIN_TOKEN": "a-token", **variables}
    found = CliRunner().invoke(app, command, env=secret | {"COLUMNS": "4000"})
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found.exit_code, " ".join(found.output.split())


@pytest.mark.parametrize("line", CASES)
def test_a_wrong_use_is_told_in_a_sentence(line: str, tmp_path: Path) -> None:
    status, said = CASES[line]
    code, output = typed(line, tmp_path)
    assert said.replace("DATA", str(tmp_path)).replace("EXAMPLE", str(EXAMPLE)) in output
    assert code == status


def test_who_has_no_token_is_told_where_it_comes_from(tmp_path: Path) -> None:
    code, output = typed(f"status {NOBODY}", tmp_path, AMARO_ADMIN_TOKEN="")
    assert (code, "set AMARO_ADMIN_TOKEN or give --token-file" in output) == (2, True), output


def test_a_script_gets_json_and_the_same_status(tmp_path: Path) -> None:
    for command in ("status", "history", "verify"):
        code, output = typed(f"{command} --json {NOBODY}", tmp_path)
        assert (code, json.loads(output)["silent"]) == (1, ["http://127.0.0.1:1"])


def test_the_running_stack_is_rehearsed_where_there_is_one(tmp_path: Path) -> None:
    """It was the example, of which the stack has nothing."""
    data = data_dir(tmp_path)
    data.prepare()
    files = tmp_path / "files"
    command = f"drill media/none --dry-run --data {tmp_path}"
    assert "(in configs/services; others: --services DIR)" in typed(command, tmp_path)[1]
    data.write_stack(Stack(pid=os.getpid(), token="t", services=(), watched=str(files)))
    assert f"{files}: no such directory" in typed(command, tmp_path)[1]
    shutil.copytree(EXAMPLE, files)
    assert f"(in {files}; others" in typed(command, tmp_path)[1]
    assert f"(in {EXAMPLE}; others" in typed(f"{command} --services EXAMPLE", tmp_path)[1]


@pytest.mark.parametrize("path", ["/status", "/plan", "/history", "/verify"])
def test_what_answers_otherwise_is_no_member(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An edge's admin listener has a `/status`, too: the command ended in a traceback."""
    client = httpx.AsyncClient

    def edges(**options: object) -> httpx.AsyncClient:
        answer = httpx.MockTransport(lambda _: httpx.Response(200, json={"instance": "edge"}))
        return client(transport=answer, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(httpx, "AsyncClient", edges)
    (said,) = Members(urls=("http://edge",), token="t").ask(path)
    assert (said.answer, said.why_not) == (None, "what answers there is no member of failover")
