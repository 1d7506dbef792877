"""Our CMCD against the reference library's (`@svta/cml-cmcd`): what one writes the other reads."""

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

from edge.cmcd import (
    KEYS,
    TOKENS,
    Kind,
    NextObject,
    OfType,
    parse_fields,
    parse_query,
    render_query,
)

SCRIPT = Path(__file__).parent.parent / "support" / "cmcd.mjs"
REPORTS = 2_000
SEED = 20261121
SHORT = {key.name: short for short, key in KEYS.items()}
WORDS = 'abcxyz019 ./-_"\\'


def asked(questions):
    """What the library answers."""
    beside = Path(sys.executable).parent  # where it came with npm's wheel
    node = shutil.which("node") or shutil.which("node", path=str(beside))
    assert node is not None
    lines = "\n".join(map(json.dumps, questions))
    done = subprocess.run([node, SCRIPT], input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def a_value(chance, short, kind):
    """A value that the library does not round."""
    text = "".join(chance.choices(WORDS, k=chance.randrange(1, 12)))
    thing = chance.choice(["", "", "video", "audio"]) if chance.random() < 0.5 else ""
    match kind:
        case Kind.BOOLEAN:
            return True
        case Kind.INTEGER:
            return chance.randrange(10**4) * 100
        case Kind.DECIMAL:
            return chance.choice([0.5, 1.5, 2.25])
        case Kind.STRING:
            return text
        case Kind.TOKEN:
            return chance.choice([*TOKENS[short].values()])
        case Kind.NUMBERS:
            return (OfType(chance.randrange(10**4) * 100, thing),)
        case Kind.NEXT:
            return (NextObject(f"{chance.randrange(99)} a.m4s"),)


def some_reports(version):
    chance = random.Random(SEED + version)
    shorts = [short for short, key in KEYS.items() if key.version <= version and short != "v"]
    for _ in range(REPORTS):
        chosen = chance.sample(shorts, chance.randrange(1, 12))
        report = {KEYS[each].name: a_value(chance, each, KEYS[each].kind) for each in chosen}
        if version == 1:
            for name, value in report.items():
                if isinstance(value, tuple) and isinstance(value[0], OfType):
                    report[name] = (OfType(value[0].value),)
        else:
            report["version"] = 2
        yield report


def as_decoded(report):
    """A report as the library's `decodeCmcd` has it."""
    is_first = report.get("version", 1) == 1
    return {SHORT[name]: _said(SHORT[name], value, is_first) for name, value in report.items()}


def _said(short, value, is_first):
    if short in TOKENS:
        return {word: letter for letter, word in TOKENS[short].items()}[value]
    if isinstance(value, tuple):
        said = [_listed(item, is_first) for item in value]
        return said[0] if is_first else said
    return value


def _listed(item, is_first):
    if isinstance(item, NextObject):
        return item.path.replace(" ", "%20") if is_first else item.path
    letters = {word: letter for letter, word in TOKENS["ot"].items()}
    if not item.object_type:
        return item.value
    return {"value": item.value, "params": {letters[item.object_type]: True}}


def as_data(report):
    """A report as the library's `encodeCmcd` takes it."""
    data = as_decoded(report)
    if "nor" in data and report.get("version", 1) == 1:
        data["nor"] = report["next_objects"][0].path
    return data


@pytest.mark.parametrize("version", [1, 2])
def test_the_library_reads_what_we_write(version):
    reports = [*some_reports(version)]
    texts = [unquote(render_query(report).decode())[len("CMCD=") :] for report in reports]
    answers = asked({"ask": "decode", "text": text} for text in texts)
    for text, report, answer in zip(texts, reports, answers, strict=True):
        assert answer == as_decoded(report), text


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("how", ["encode", "headers"])
def test_we_read_what_the_library_writes(version, how):
    """It leaves keys out that do not go together, so what it wrote is what it reads again."""
    data = [as_data(report) for report in some_reports(version)]
    data = [each for each in data if '"params"' not in json.dumps(each)]  # no plain JSON says them
    assert len(data) > REPORTS / 4
    written = asked({"ask": how, "data": each, "version": version} for each in data)
    texts = [[text] if isinstance(text, str) else [*text.values()] for text in written]
    read = asked({"ask": "decode", "text": ",".join(each)} for each in texts)
    for said, answer in zip(texts, read, strict=True):
        ours = parse_fields(text.encode() for text in said)
        if how == "encode":
            assert ours == parse_query(said[0].encode().replace(b"%", b"%25"))
        assert as_decoded(ours) == answer, said
