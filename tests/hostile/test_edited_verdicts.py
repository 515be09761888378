"""A file of verdicts that somebody has edited: a message, and exit status 1 is NO-GO's alone."""

import copy
import json
from contextlib import suppress

import pytest
from click.testing import CliRunner

from pytest_supercache.cli import gating, main
from pytest_supercache.report.verdict_schema import mismatch
from tests.unit.report.run_of_all_kinds import GATE, document

WHOLE = json.loads(json.dumps(document(gate=GATE)))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SUPERCACHE_RUN_ID", raising=False)
    (tmp_path / "pyproject.toml").write_text("")
    return tmp_path


def edited(*path, value):
    made = copy.deepcopy(WHOLE)
    part = made
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    return made


def run(*arguments):
    return CliRunner().invoke(main, arguments)


EDITS = {
    "scenarios[0].id is 5, expected a text": edited("scenarios", 0, "id", value=5),
    "scenarios[0].counterexample.steps[0].actor is ['x'], expected a text": edited(
        "scenarios", 0, "counterexample", "steps", 0, "actor", value=["x"]
    ),
    "scenarios[0].counterexample.violation.summary is {}": edited(
        "scenarios", 0, "counterexample", "violation", "summary", value={}
    ),
    "scenarios[0].exhausted is 1, expected true or false": edited(
        "scenarios", 0, "exhausted", value=1
    ),
    "scenarios[0].executions is True, expected a whole number": edited(
        "scenarios", 0, "executions", value=True
    ),
    "scenarios[1] is None, expected an object": edited("scenarios", 1, value=None),
    "run is [], expected an object or null": edited("run", value=[]),
    "gate.reasons is 'x', expected a list": edited("gate", "reasons", value="x"),
    "is not a verdict.json of version 1 or 2": edited("version", value=3),
}


@pytest.mark.parametrize("said", EDITS)
def test_a_value_of_another_type_is_named_and_gives_no_verdict(said, folder):
    (folder / "verdict.json").write_text(json.dumps(EDITS[said]))
    result = run("verdict", "verdict.json")
    assert result.exit_code == 6
    assert result.output.startswith("NO VERDICT\n  because verdict.json cannot be read: ")
    assert said in result.output
    for command in (["report", "--to", "page"], ["report", "--to", "folder"]):
        result = run(*command, "verdict.json")
        assert result.exit_code == 2
        assert said in result.output


@pytest.mark.parametrize(
    ("key", "where"),
    [
        ("run", lambda part: part),
        ("verdict", lambda part: part["scenarios"][0]),
        ("a\x1bb", lambda part: part["run"]),
    ],
)
def test_a_key_that_stands_twice_is_named_and_gives_no_verdict(key, where, folder):
    """As a union of two files has it: which of both is meant, nobody knows."""
    made = copy.deepcopy(WHOLE)
    where(made)["FIRST"] = where(made).setdefault(key, 1)
    twice = json.dumps(made).replace('"FIRST"', json.dumps(key))
    (folder / "verdict.json").write_text(twice)
    result = run("verdict", "verdict.json")
    assert result.exit_code == 6
    assert f"cannot be read: an object has the key {key!r} twice" in result.output
    for command in (["message"], ["report", "--to", "page"]):
        assert run(*command, "verdict.json").exit_code != 0
    (folder / "verdict.json").write_text(json.dumps(WHOLE))
    assert run("verdict", "verdict.json").exit_code == 1, "the twin has each key once: a NO-GO"


def test_what_a_run_writes_keeps_to_the_schema_and_so_does_what_others_add():
    assert mismatch(WHOLE) is None
    assert mismatch({**WHOLE, "more": [1]}) is None
    assert mismatch({"version": 1, "scenarios": [{}]}) is None


@pytest.mark.parametrize("name", ["counterexample", "id", "verdict", "scope", "replay"])
def test_what_is_missing_gives_a_message_wherever_it_is_needed(name, folder):
    made = copy.deepcopy(WHOLE)
    for row in made["scenarios"]:
        row.pop(name, None)
    (folder / "verdict.json").write_text(json.dumps(made))
    for arguments in (
        ["verdict", "--details"], ["message"], ["postmortem"], ["report", "--to", "summary"],
        ["report", "--to", "junit"], ["report", "--to", "page"], ["report", "--to", "folder"],
    ):  # fmt: skip
        result = run(*arguments, "verdict.json")
        assert isinstance(result.exception, SystemExit | None), arguments
        if arguments[0] == "verdict":
            is_no_go = result.output.startswith("NO-GO")
            assert (result.exit_code == 1) == is_no_go
            assert result.exit_code != 0


@pytest.mark.parametrize(
    "error", [ValueError("x"), AssertionError("x"), BrokenPipeError(32, "x"), KeyboardInterrupt()]
)
def test_whatever_goes_wrong_while_it_is_said_the_status_is_not_that_of_no_go(
    error, folder, monkeypatch
):
    def fail(*_):
        raise error

    (folder / "verdict.json").write_text(json.dumps(WHOLE))
    assert run("verdict", "verdict.json").exit_code == 1, "it is a NO-GO"
    monkeypatch.setattr(gating, "screen", fail)
    result = run("verdict", "verdict.json")
    assert result.exit_code in {2, 6}
    assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("kind", ["page", "folder", "summary", "junit", "sarif", "github"])
def test_a_file_of_another_name_is_as_good(kind, folder):
    (folder / "of-monday.json").write_text(json.dumps(WHOLE))
    result = run("report", "--to", kind, "of-monday.json")
    assert result.exit_code == 0, result.output
    if kind == "folder":
        assert {"index.html", "job-summary.md"} <= {path.name for path in folder.iterdir()}


FLOWS = {
    "is not the name of a test": {"file": "t.py", "test": "x\nimport os; os.system('x')"},
    "'../evil.py' is not a Python file of this project": {"file": "../evil.py", "test": "test_x"},
    "'/etc/evil.py' is not a Python file": {"file": "/etc/evil.py", "test": "test_x"},
    "'t.sh' is not a Python file": {"file": "t.sh", "test": "test_x"},
    "'../../conftest.py' is not": {"scenario": "x", "conftests": ["../../conftest.py"]},
}


@pytest.mark.parametrize("said", FLOWS)
def test_no_reproducer_is_written_that_would_run_something_else(said, folder):
    (folder / "verdict.json").write_text(
        json.dumps(edited("scenarios", 0, "flow", value=FLOWS[said]))
    )
    result = run("report", "--to", "folder", "verdict.json")
    assert result.exit_code == 2
    assert said in result.output
    with suppress(StopIteration):
        pytest.fail(str(next(folder.glob("repro_*"))))


def test_a_reproducer_of_a_test_of_this_project_is_written(folder):
    flow = {"file": "tests/t.py", "test": "TestShop.test_x", "conftests": ["conftest.py"]}
    (folder / "verdict.json").write_text(json.dumps(edited("scenarios", 0, "flow", value=flow)))
    assert run("report", "--to", "folder", "verdict.json").exit_code == 0
    written = [path.read_text() for path in folder.glob("repro_*")]
    assert any("\ntest_x = sc.reproduce(" in text for text in written)


def test_a_type_that_is_a_list_is_a_mistake_in_its_line(folder):
    (folder / "h.jsonl").write_text('{"process": 1, "type": ["invoke"], "f": "read", "value": 1}\n')
    result = run("check-history", "--model", "register", "--format", "jsonl", "h.jsonl")
    assert result.exit_code == 2
    assert "h.jsonl:1: expected an object with process, type (invoke" in result.output
