"""What has changed since the last run of a folder of reports, and which run that is."""

import json
from dataclasses import replace

import pytest

from pytest_supercache.report.last_run import last_run, since_last_run
from pytest_supercache.report.page_data import page_data
from pytest_supercache.report.run_folders import RUNS, VERDICT
from pytest_supercache.report.verdict_json import finding_row, verdict_document
from tests.unit.report.report_stories import holds, violated


def known_as(finding, fingerprint):
    found = replace(finding.result.counterexample, fingerprint=fingerprint)
    return replace(finding, result=replace(finding.result, counterexample=found))


def conflict(item, fingerprint="f"):
    return known_as(violated(item=item, node_id=item), fingerprint)


def document(*findings, **scope):
    return verdict_document([finding_row(finding) for finding in findings], scope)


def run_of(top, name, *findings, **scope):
    folder = top / RUNS / name
    folder.mkdir(parents=True)
    (folder / VERDICT).write_text(json.dumps(document(*findings, **scope)), encoding="utf-8")
    return folder


@pytest.fixture
def top(tmp_path):
    before = [
        conflict("STAYS"), conflict("OTHER", "old"), conflict("GOES"), holds(item="HELD"),
        holds(item="BREAKS"), conflict("NOT-RUN-NOW"), conflict("RENAMED", "old"),
    ]  # fmt: skip
    run_of(tmp_path, "1", conflict("LONG-AGO"), when="long ago")
    run_of(tmp_path, "2", *before, when="yesterday", build="7")
    return tmp_path


def now(top, *findings):
    last = last_run(top / RUNS / "4")
    return since_last_run(document(*findings, last_run=last))


def test_each_scenario_is_compared_with_the_last_run(top):
    renamed = conflict("RENAMED")
    found = replace(renamed.result.counterexample, former_fingerprints=("old",))
    renamed = replace(renamed, result=replace(renamed.result, counterexample=found))
    since = now(
        top, conflict("STAYS"), conflict("OTHER"), holds(item="GOES"), holds(item="HELD"),
        conflict("BREAKS"), conflict("NEVER-RUN"), renamed,
    )  # fmt: skip
    assert since.rows == {
        "STAYS": "", "OTHER": "another conflict", "GOES": "conflict gone", "HELD": "",
        "BREAKS": "new conflict", "NEVER-RUN": "not in the last run", "RENAMED": "",
    }  # fmt: skip
    assert since.sentence == (
        "Since the last run (yesterday, build 7): 1 new conflict (BREAKS); 1 other conflict than "
        "before (OTHER); 1 conflict gone (GOES); 3 as before; 1 not run then; 1 of the last run "
        "not run now."
    )


def test_replays_and_what_is_no_verdict_are_no_last_run(top):
    run_of(top, "3", conflict("STAYS"), looks_again=True)
    (top / RUNS / "31").mkdir()
    (top / RUNS / "32").mkdir()
    (top / RUNS / "32" / VERDICT).write_text("[]")
    run_of(top, "5", conflict("LATER"), when="at the same time")
    assert last_run(top / RUNS / "4")["when"] == "yesterday"
    assert last_run(top / RUNS / "1") is None
    assert last_run(top / "elsewhere" / "4") is None


def test_a_verdict_with_missing_fields_is_compared_as_far_as_it_goes(top):
    whole = json.loads((top / RUNS / "2" / VERDICT).read_text())
    whole["scenarios"] = [{"id": "STAYS", "verdict": "holds"}, {"id": "GOES"}, {}]
    (top / RUNS / "2" / VERDICT).write_text(json.dumps(whole))
    assert now(top, conflict("STAYS"), conflict("GOES")).rows == {
        "STAYS": "new conflict", "GOES": "not in the last run",
    }  # fmt: skip
    made = document(conflict("STAYS"), last_run={"scenarios": [{"verdict": "holds"}, {}]})
    assert since_last_run(made).rows == {"STAYS": "not in the last run"}


def test_a_first_run_says_nothing_of_a_last_one(tmp_path):
    made = document(conflict("STAYS"), last_run=last_run(tmp_path / RUNS / "1"))
    assert "last_run" not in made
    shown = page_data(made)
    assert shown["since"] is None
    assert [one["since"] for group in shown["groups"] for one in group["variants"]] == [""]


def test_the_page_has_the_sentence_and_the_words_of_each_scenario(top):
    made = document(conflict("STAYS"), conflict("BREAKS"), last_run=last_run(top / RUNS / "4"))
    shown = page_data(made)
    assert shown["since"].startswith("Since the last run (yesterday, build 7): 1 new conflict")
    assert {one["id"]: one["since"] for group in shown["groups"] for one in group["variants"]} == {
        "BREAKS": "new conflict",
        "STAYS": "",
    }


def test_many_new_conflicts_are_counted_and_a_few_named(top):
    since = now(top, *(conflict(f"N-{at}") for at in range(5)))
    assert since.sentence.endswith("5 not run then; 7 of the last run not run now.")
    run_of(top, "3", *(holds(item=f"N-{at}") for at in range(5)))
    since = now(top, *(conflict(f"N-{at}") for at in range(5)))
    assert since.sentence == ("Since the last run: 5 new conflicts (N-0, N-1, N-2 and 2 more).")
