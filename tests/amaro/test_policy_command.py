"""`amaro policy` as an operator types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from amaro.cli import app
from amaro.shipped import shipped

GOOD = """
rules:
- name: vod
  match: {path: /vod/*}
  set: {ttl: 1h, query: none}
"""


def amaro(*argv: str) -> Result:
    return CliRunner().invoke(app, ["policy", *argv], env={"COLUMNS": "200"})


@pytest.fixture
def good(tmp_path: Path) -> str:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    return str(path)


@pytest.fixture
def bad(tmp_path: Path) -> str:
    path = tmp_path / "bad.yaml"
    path.write_text(GOOD.replace("ttl", "tlt").replace("none", "nune"))
    return str(path)


def test_a_good_file_is_0_and_a_bad_one_1_with_every_place(good: str, bad: str) -> None:
    assert amaro("check", good).exit_code == 0
    done = amaro("check", bad)
    assert done.exit_code == 1
    assert f"{bad}:5:9: unknown key `tlt`; did you mean `ttl`?" in done.stderr
    assert f"{bad}:5:18: `query`: want all, none, or a mapping" in done.stderr


def test_scripts_read_one_object(good: str, bad: str) -> None:
    said = json.loads(amaro("check", good, "--json").stdout)
    assert said["ok"]
    assert (said["rules"], said["errors"]) == (1, [])
    said = json.loads(amaro("check", bad, "--json").stdout)
    assert not said["ok"]
    assert [(each["line"], each["column"]) for each in said["errors"]] == [(5, 9), (5, 18)]


def test_a_file_that_is_not_there_is_2() -> None:
    done = amaro("check", "/nowhere.yaml")
    assert done.exit_code == 2
    assert "cannot read /nowhere.yaml: No such file or directory" in done.stderr


def test_the_shipped_rules_are_good() -> None:
    assert amaro("check", str(shipped("policies/amaro.yaml"))).exit_code == 0


def test_an_explanation_names_rules_key_and_decision(good: str) -> None:
    ask = ("explain", "http://H/vod/a?b=1", "--policies", good)
    done = amaro(*ask, "--response-header", "Cache-Control: max-age=5")
    assert done.exit_code == 0
    for said in (
        f"{good}:3",
        "vod",
        "http://h/vod/a",
        "yes, in memory and disk",
        "fresh for",
        "1h",
    ):
        assert said in done.stdout
    refused = amaro(*ask, "--response-header", "Cache-Control: no-store", "--json")
    said = json.loads(refused.stdout)
    assert (said["stored"], said["why"], said["key"]) == (False, "no-store", "http://h/vod/a")
    assert said["settings"]["ttl"] == {"value": "1h", "rules": ["vod"]}


@pytest.mark.parametrize(
    ("argv", "status", "complaint"),
    [
        (("/vod/a",), 2, "'/vod/a' is not a URL; write http://HOST/PATH"),
        (("http://h/a", "--header", "x"), 2, "--header 'x': write 'Name: value'"),
        (("http://h/a", "--status", "99"), 2, "--status"),
    ],
)
def test_a_question_that_is_none_is_2(
    good: str, argv: tuple[str, ...], status: int, complaint: str
) -> None:
    done = amaro("explain", *argv, "--policies", good)
    assert done.exit_code == status
    assert complaint in done.stderr


def test_without_a_stack_or_a_file_there_is_nothing_to_explain_by(tmp_path: Path) -> None:
    done = amaro("explain", "http://h/a", "--data", str(tmp_path))
    assert done.exit_code == 1
    assert "No stack runs on" in done.stderr


def test_a_bad_file_explains_nothing(bad: str) -> None:
    assert amaro("explain", "http://h/a", "--policies", bad).exit_code == 1
