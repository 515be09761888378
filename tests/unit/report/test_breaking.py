"""The event that breaks a guarantee: which step, answer or wait is marked, and what it says."""

from dataclasses import replace
from typing import Any

import pytest

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.footprint import NOTHING
from pytest_supercache.core.operation import Operation
from pytest_supercache.core.result import StoryPart
from pytest_supercache.core.trace import Pending
from pytest_supercache.core.verdict import Violation
from pytest_supercache.report.breaking import (
    NOT_REPLACED,
    STAY_INCONSISTENT,
    STAYS,
    BreakingEvent,
    breaking_event,
)
from pytest_supercache.report.timeline import Timeline, timeline, timelines
from pytest_supercache.report.verdict_json import counterexample_to_json
from tests.unit.report.report_stories import compared, counterexample_of, held, stale_set


def marked(execution: Execution, violation: Violation) -> tuple[str, str]:
    """Return the text of the only marked row, and what stands beside it."""
    drawn = laid_out(execution, violation)
    (row,) = [row for row in drawn.rows if row.breaks]
    return "".join(row.text), drawn.breaks


def laid_out(execution: Execution, violation: Violation) -> Timeline:
    found = replace(counterexample_of(execution), violation=violation, violations=(violation,))
    return timeline(counterexample_to_json(found))


def broken(guarantee: str, **more: Any) -> Violation:
    return Violation(guarantee=guarantee, summary="it is broken", **more)


@pytest.mark.parametrize(
    ("violation", "text", "says"),
    [
        (
            broken("max_loads", at=2),
            "origin: read product:42",
            "this step violates max_loads",
        ),
        (
            broken("read_your_writes", at=5, user="alice", node="a"),
            "SET product:42",
            "this answer violates read_your_writes",
        ),
        (
            broken("expect", at=4, user="bob", node="b"),
            "DEL product:42",
            "this answer is not what the scenario expects",
        ),
        (
            broken("answers", at=5, user="alice", node="a"),
            "SET product:42",
            "nobody expects this error",
        ),
        (
            broken("coherent_when_settled", node="a", key="product:42"),
            "SET product:42",
            "from this step on the layers stay inconsistent",
        ),
    ],
)
def test_the_step_that_breaks_it_is_marked_and_says_what(
    violation: Violation, text: str, says: str
) -> None:
    assert marked(stale_set(), violation) == (text, says)


def test_an_answer_without_a_step_is_marked_itself_and_not_somebody_else_s_step() -> None:
    execution = stale_set()
    hit = Operation(
        user="bob", node="b", kind="read", key="product:42", answer=100, called_at=2, returned_at=2
    )
    history = execution.history
    execution.history = replace(history, operations=(*history.operations, hit))
    violation = broken("monotonic_reads", at=2, user="bob", node="b")
    text, says = marked(execution, violation)
    assert text == "read product:42 -> 100 (without a step)"
    assert says == "this answer violates monotonic_reads"


def test_a_final_read_is_marked_where_no_step_left_the_layers_apart() -> None:
    execution = held()
    execution.settled.probes = {("a", "product:42"): 100, ("b", "product:42"): 120}
    violation = broken("coherent_when_settled", node="a", key="product:42")
    text, says = marked(execution, violation)
    assert text == "node a: read product:42 -> 100"
    assert says == "this answer violates coherent_when_settled"


def coherent(**more: Any) -> Violation:
    return broken("coherent_when_settled", node="a", key="product:42", **more)


def test_what_is_wrong_at_the_end_is_marked_where_it_was_stored_last() -> None:
    violation = coherent(evidence={"value": 100, "origin": 120})
    assert marked(stale_set(), violation) == ("SET product:42", STAYS)


def test_a_step_that_failed_to_delete_it_has_not_stored_it() -> None:
    execution = stale_set()
    execution.steps.pop(4)  # nobody stores; the cache has held the old value all the time
    for step in execution.steps:
        step.layers = {**(step.layers or {}), "existing_cache": {"product:42": 100}}
    execution.start["existing_cache"] = {"product:42": 100}
    execution.steps[3].label += ", no effect, ConnectionError"
    violation = coherent(evidence={"value": 100, "origin": 120})
    told = (StoryPart("bob writes 120", position=2), StoryPart("its delete fails", position=3))
    found = breaking_event(execution, violation, told)
    assert found == BreakingEvent(kind="step", at=3, says=NOT_REPLACED)
    before = breaking_event(execution, violation, told[:0])
    assert before is not None
    assert (before.at, before.says) == (2, STAY_INCONSISTENT)


def test_a_story_that_ends_before_the_layers_differ_marks_nothing() -> None:
    told = (StoryPart("alice reads 100", position=1),)
    found = breaking_event(stale_set(), coherent(), told)
    assert found == BreakingEvent(kind="step", at=4, says=STAY_INCONSISTENT)


def test_a_final_answer_that_is_not_expected_is_marked_where_its_value_was_stored() -> None:
    execution = stale_set()
    asked = Operation(
        user="alone", node="a", kind="read", key="product:42", answer=100, called_at=6,
        returned_at=7, phase="finally",
    )  # fmt: skip
    history = execution.history
    execution.history = replace(history, operations=(*history.operations, asked))
    violation = broken(
        "expect", at=7, user="alone", node="a", key="product:42", evidence={"answer": 100}
    )
    assert marked(execution, violation) == ("SET product:42", STAYS)
    race = replace(violation, user="alice", at=5)
    assert marked(execution, race)[1] == "this answer is not what the scenario expects"


def test_a_wait_that_nobody_ends_is_marked() -> None:
    execution = stale_set()
    execution.blocked = (Pending("alice", "acquire shop.py:12", NOTHING, enabled=False),)
    violation = broken("answers", user="alice", evidence={"blocked": [("alice", "acquire")]})
    assert marked(execution, violation) == (
        "waits for: acquire shop.py:12",
        "nobody ends this wait",
    )


@pytest.mark.parametrize("guarantee", ["test body", "no_resurrection"])
def test_what_no_single_event_breaks_marks_none(guarantee: str) -> None:
    execution = stale_set()
    assert breaking_event(execution, broken(guarantee)) is None
    drawn = laid_out(execution, broken(guarantee))
    assert not any(row.breaks for row in drawn.rows)
    assert drawn.breaks == ""


def test_a_document_of_an_older_version_marks_from_where_the_layers_never_agree() -> None:
    found = counterexample_to_json(counterexample_of(stale_set()))
    old = {name: value for name, value in found.items() if name != "breaks"}
    assert [row.breaks for row in timeline(old).rows].index(True) == 5
    new = timeline({**found, "breaks": None})
    assert not any(row.breaks for row in new.rows)


def test_what_passes_breaks_nothing_even_if_its_layers_stay_apart() -> None:
    finding = compared()
    assert finding.result.counterexample is not None
    found = counterexample_to_json(finding.result.counterexample)
    assert isinstance(found["passing"], dict)
    passing = {**found["passing"], "never_agree_from": 4}
    fails, passes = timelines({**found, "passing": passing})
    assert passes is not None
    assert any(row.breaks for row in fails.rows)
    assert not any(row.breaks for row in passes.rows)
    assert passes.breaks == ""


def test_an_event_is_known_by_its_kind_and_place() -> None:
    violation = broken("read_your_writes", at=5, user="alice", node="a")
    assert breaking_event(stale_set(), violation) == BreakingEvent(
        kind="answer", at=0, says="this answer violates read_your_writes"
    )
