"""The map of requirements names functions, knobs and tests that exist."""

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

from cache_policies.policy import CachePolicy

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "rfc-map.md").read_text()
FUNCTIONS = sorted(set(re.findall(r"`((?:cache_policies|edge)\.[A-Za-z_.]+)`", TEXT)))
TESTS = sorted(set(re.findall(r"`(test_\w+)::(test_\w+)`", TEXT)))
ROWS = [line for line in TEXT.splitlines() if re.match(r"\| [^-|]", line)]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_of_the_map_exists(name):
    package, module, *path = name.split(".")
    found = import_module(f"{package}.{module}")
    for part in path:
        found = getattr(found, part)
    assert callable(found)


@pytest.mark.parametrize(("basename", "name"), TESTS)
def test_every_test_of_the_map_exists(basename, name):
    (path,) = (ROOT / "tests").rglob(f"{basename}.py")
    tree = ast.parse(path.read_text())
    assert name in {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_requirement_of_the_map_has_a_place_and_a_proof():
    requirements = [row for row in ROWS if len(row.split(" | ")) == 4 and "| where |" not in row]
    assert len(requirements) > 60
    for row in requirements:
        _, _, where, proof = row.split(" | ")
        assert re.search(r"`(cache_policies|edge)\.", where), row
        assert "::test_" in proof, row


def test_every_knob_of_the_map_exists():
    table = TEXT.partition("## What an operator may bend")[2]
    knobs = re.findall(r"`([a-z_]+)`", table)
    assert knobs
    assert set(knobs) <= set(CachePolicy.__dataclass_fields__)
