"""What stands side by side on the page: variants, what fails and what passes, what forces it."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.result import StoryPart
from pytest_supercache.report.page_data import page_data
from pytest_supercache.report.player_data import ROWS_MAX
from pytest_supercache.report.verdict_json import finding_row, verdict_document
from tests.unit.report.report_stories import (
    Recorder,
    compared,
    holds,
    stale_set,
    unknown,
    violated,
)

SCHEMA = Path(__file__).parents[3] / "pytest_supercache/report/verdict.schema.json"


def data_of(*findings, **more):
    return page_data(verdict_document([finding_row(finding) for finding in findings], {}) | more)


def conflict_of(finding):
    return data_of(finding)["groups"][0]["variants"][0]["conflict"]


def test_what_passes_has_the_same_lanes_and_marks_the_steps_that_were_turned():
    made = conflict_of(compared())
    fails, passes = made["player"], made["passing"]
    for part in ("lanes", "places", "columns"):
        assert fails[part] == passes[part]
    told = [
        [(row["text"], row["turned"]) for row in player["rows"][-3:]] for player in (fails, passes)
    ]
    deliver = ("deliver invalidation of product:42", False)
    assert told == [
        [("DEL product:42", True), ("SET product:42", True), deliver],
        [("SET product:42", True), ("DEL product:42", True), deliver],
    ]
    assert not any(row["breaks"] for row in passes["rows"])
    assert made["turned"] == [["alice's SET product:42", 4, "bob's DEL product:42", 5]]
    alone = conflict_of(violated())
    assert alone["passing"] is None
    assert not any(row["turned"] for row in alone["player"]["rows"])


def test_orders_that_force_it_name_the_rows_of_their_steps_where_there_are_any():
    made = conflict_of(compared())
    read = ["alice's origin: read product:42", 2]
    assert made["forced"] == [
        [
            [*read, "bob's origin: write product:42", 3],
            ["bob's DEL product:42", 4, "alice's SET product:42", 5],
        ],
        [[*read, "carol's FLUSH", None]],
    ]
    assert made["forced_by_all"] is True
    assert made["player"]["rows"][5]["text"] == "SET product:42"


def test_rows_of_orders_are_counted_among_those_that_are_shown():
    finding = compared()
    found = finding.result.counterexample
    run = Recorder({"existing_cache": {}, "origin": {}})
    for number in range(ROWS_MAX + 9):
        run.step("alice", f"SET {number}", existing_cache=("k", number))
    execution = replace(stale_set(), start={"existing_cache": {}, "origin": {}}, steps=run.steps)
    last, gone = (ROWS_MAX + 8, f"SET {ROWS_MAX + 8}"), (3, "SET 3")
    pair = (("alice", *gone), ("alice", *last))
    cause = replace(found.causes[0], pairs=(pair,))
    found = replace(found, execution=execution, causes=(cause,), passing=None)
    made = conflict_of(replace(finding, result=replace(finding.result, counterexample=found)))
    ((_, nowhere, text, at),) = made["forced"][0]
    assert nowhere is None
    assert made["player"]["rows"][at]["text"] == f"SET {ROWS_MAX + 8} = {ROWS_MAX + 8}"
    assert text == f"alice's SET {ROWS_MAX + 8}"


def test_an_explanation_is_parted_into_named_lines_and_sentences_that_stand_in_for_the_orders():
    made = conflict_of(compared())
    assert made["told"] == [
        ["class", "stale-set (01): A fill stores what an invalidation should have removed"],
    ]
    assert made["advice"] == [["permanent fix", "take a lease"]]
    assert made["other"] == []  # the orders themselves are shown
    finding = compared()
    found = replace(finding.result.counterexample, causes=(), faults=("evict k at 3",))
    made = conflict_of(replace(finding, result=replace(finding.result, counterexample=found)))
    assert made["other"] == ["fails exactly when somebody says so"]
    assert made["told"][0] == ["fault", "evict k at 3"]


def test_variants_are_counted_side_by_side_and_those_that_fail_most_come_first():
    (group,) = data_of(
        holds(), unknown(), compared(), violated(item="PRICE-07[other]", node_id="o")
    )["groups"]
    told = [(v["name"], v["percent"], v["share"]) for v in group["variants"]]
    assert told == [
        ("reference.naive", 5.159, "3 of 11 interleavings fail, 5.16 % of all schedules"),
        ("other", None, "a failing interleaving was found; not all of them were executed"),
        ("PRICE-07", None, "20,000 executions, not all interleavings"),
        ("reference.fixed", 0.0, "none of 10 interleavings fails"),
    ]
    assert [dict(v["counts"]) for v in group["variants"]] == [
        {"schedules": "26 of 504 fail", "it takes": "1 preemption"},
        {"it takes": "1 preemption"}, {}, {"schedules": "0 of 10 fail"},
    ]  # fmt: skip


def test_odds_and_assumptions_stand_beside_the_counts_when_there_are_any():
    row = finding_row(holds())
    assert "odds" not in dict(_counts(row))
    row["odds"] = {"share": "6 of 100 runs fail", "condition": "given that all start at once"}
    row["scope"] = {"assumption": "no operation pauses 500 ms or more"}
    told = dict(_counts(row))
    assert told["odds"] == "6 of 100 runs fail, given that all start at once"
    assert told["while"] == "no operation pauses 500 ms or more"


def _counts(row):
    return page_data(verdict_document([row], {}))["groups"][0]["variants"][0]["counts"]


def test_what_the_gate_said_comes_first_and_is_left_out_when_nobody_asked():
    gate = {
        "verdict": "GO WITH KNOWN WORKAROUND", "exit_status": 0, "until": "2026-03-20",
        "reasons": ["because KI-1 covers it"], "assumptions": ["no operation pauses 500 ms"],
        "limits": ["one node was down"], "today": "2026-03-18",
        "waivers": [{
            "id": "KI-1", "workaround": "set l1=off", "expires": "2026-03-20", "owner": "karim",
            "match": "f", "approved_by": "ann", "permanent_fix": "CACHE-412",
        }],
    }  # fmt: skip
    made = data_of(holds(), gate=gate)
    assert made["gate"] == {
        "verdict": "GO WITH KNOWN WORKAROUND until 2026-03-20",
        "reasons": ["because KI-1 covers it"],
        "waivers": [
            {
                "id": "KI-1",
                "workaround": "set l1=off",
                "left": "until 2026-03-20: 2 days left",
                "facts": [
                    ["approved by", "ann"], ["owner", "karim"], ["permanent fix", "CACHE-412"],
                ],
            }
        ],
        "said": [
            ["What must be true in production", ["no operation pauses 500 ms"]],
            ["What it does not cover", ["one node was down"]],
        ],
    }  # fmt: skip
    assert made["kind"] == "open"
    assert data_of(holds())["gate"] is None


def test_a_conflict_with_a_workaround_in_force_is_told_apart_in_the_headline():
    row = finding_row(violated())
    row["counterexample"]["fingerprint"] = "f"
    waiver = {"match": "f", "workaround": "w", "expires": "2026-03-20"}
    gate = {"verdict": "GO WITH KNOWN WORKAROUND", "exit_status": 0, "reasons": []}
    document = verdict_document([row], {}) | {"gate": {**gate, "waivers": [waiver]}}
    assert page_data(document)["headline"] == (
        "1 of 1 scenario not as expected: 1 conflict with a workaround in force"
    )


def test_what_verdict_json_says_of_it_follows_its_schema():
    document = verdict_document([finding_row(compared())], {})
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.validate(document, schema)
    found = document["scenarios"][0]["counterexample"]
    ((first, second),) = found["passing"]["turned"]
    assert (first["text"], second["text"]) == ("alice's SET product:42", "bob's DEL product:42")
    del found["passing"]["steps"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)


def strip_of(kind, count):
    """Return the texts of a strip whose story has two changes and ``count`` looks after them."""
    run = Recorder({"existing_cache": {}, "origin": {}})
    run.step("alice", "SET k", existing_cache=("k", 1))
    run.step("bob", "SET k", existing_cache=("k", 2))
    run.step("bob", "DEL k", existing_cache=("k", None))
    for _ in range(count):
        run.step("bob", "look")
    look = Footprint(reads=frozenset({"existing_cache:k"}))
    looks = [replace(step, kind=kind, footprint=look) for step in run.steps[3:]]
    execution = replace(
        stale_set(), start={"existing_cache": {}, "origin": {}}, steps=[*run.steps[:3], *looks]
    )
    story = [
        StoryPart(f"{step.label} {at}", number=at + 1, position=at, actor=step.actor)
        for at, step in enumerate(execution.steps)
    ]
    finding = violated()
    found = replace(finding.result.counterexample, execution=execution, story=tuple(story))
    made = conflict_of(replace(finding, result=replace(finding.result, counterexample=found)))
    return [text for text, *_ in made["strip"]]


def test_a_long_strip_leaves_out_the_calls_that_show_no_value_first():
    assert strip_of("watched", 4) == ["SET k 0", "SET k 1", "DEL k 2", "look 6"]


def test_a_long_strip_keeps_looks_that_show_what_they_find():
    assert strip_of("command", 4) == ["DEL k 2", "look 3", "look 4", "look 5", "look 6"]


def test_a_short_strip_keeps_every_part():
    assert strip_of("watched", 2) == ["SET k 0", "SET k 1", "DEL k 2", "look 3", "look 4"]
