"""What a person reads of one item."""

from dataclasses import replace

import pytest

from pytest_supercache.core.verdict import Label, Violation
from pytest_supercache.report.terminal import paint_of
from pytest_supercache.report.text import failure_text, line_of_text
from pytest_supercache.report.values import wrap
from tests.unit.report.report_stories import counterexample_of, holds, stale_set, unknown, violated


def test_failure_begins_with_the_verdict_and_its_evidence():
    lines = failure_text(violated()).splitlines()
    assert lines[:4] == [
        "PRICE-07[reference.naive]: VIOLATED coherent_when_settled",
        "  After a price change nobody is charged the old price",
        "  conflict: it passes in every one-at-a-time order, fails only when users overlap",
        "  node a answers 100 for product:42, the origin has 120",
    ]


def test_failure_ends_with_the_replay_command_alone_on_its_line():
    finding = violated()
    assert failure_text(finding).splitlines()[-1] == f"replay: {finding.replay_command}"


def test_failure_says_how_sure_and_how_small_the_counterexample_is():
    text = failure_text(violated())
    assert "  replays 10/10 in one process; needs 1 preemption, the minimum" in text
    assert "  7 schedules were executed, 1 of them fails (2 users, 1 key)" in text


def test_failure_names_every_other_broken_guarantee_once():
    found = counterexample_of(stale_set())
    other = Violation(guarantee="read_your_writes", summary="bob wrote 120 and then read 100")
    found = replace(found, violations=(found.violation, other))
    finding = violated()
    finding = replace(finding, result=replace(finding.result, counterexample=found))
    text = failure_text(finding)
    assert text.count("also violated") == 1
    assert "  also violated: read_your_writes: bob wrote 120 and then read 100" in text


@pytest.mark.parametrize("label", list(Label))
def test_every_label_is_explained(label):
    finding = violated()
    finding = replace(finding, result=replace(finding.result, label=label))
    assert f"  {label.value}: " in failure_text(finding)


def test_one_user_alone_never_takes_concurrency():
    finding = violated()
    found = finding.result.counterexample
    mine = [step for step in found.execution.race if step.actor in {"alice", "@clock"}]
    alone = replace(found, execution=replace(found.execution, steps=mine))
    text = failure_text(replace(finding, result=replace(finding.result, counterexample=alone)))
    assert "one slow user is enough, and no overlap is needed" in text


def test_unknown_lists_its_reasons_and_never_reads_as_a_pass():
    text = failure_text(unknown())
    assert text.startswith("PRICE-07: UNKNOWN\n")
    assert "  - the budget of 20,000 executions ran out\n  - alice never arrived\n" in text
    assert "UNKNOWN is not a pass" in text
    assert "20,000 schedules were executed, not all" in text


def test_holds_says_what_was_covered():
    assert failure_text(holds()) == (
        "PRICE-07[reference.fixed]: HOLDS\n"
        "  exhaustive: all 10 schedules were executed (2 users, 1 key)"
    )


@pytest.mark.parametrize(
    ("finding", "line"),
    [
        (violated(stated="holds"), "expected to hold, but VIOLATED coherent_when_settled"),
        (
            violated(stated="violated", as_stated=True),
            "VIOLATED coherent_when_settled, as expected",
        ),
        (holds(stated="violated", as_stated=False), "expected to be violated, but HOLDS"),
        (holds(stated="holds"), "HOLDS, as expected"),
        (
            violated(stated="violated"),
            "VIOLATED coherent_when_settled, but not as expected",
        ),
        (
            violated(stated="violated", stated_class="stale-set"),
            "VIOLATED coherent_when_settled, but not as expected: expected stale-set, found a "
            "conflict without a class",
        ),
    ],
)
def test_first_line_compares_the_verdict_with_what_was_stated(finding, line):
    assert line_of_text(finding) == f"{finding.item}: {line}"


def test_newlines_in_user_texts_cannot_forge_a_replay_line():
    text = failure_text(violated(title="x\nreplay: rm -rf"))
    assert [line for line in text.splitlines() if line.startswith("replay:")] == [
        text.splitlines()[-1]
    ]


def test_sentences_keep_to_a_width_when_asked_and_what_is_pasted_does_not():
    usual, narrow = (failure_text(violated(), 60, is_wrapped=wrapped) for wrapped in (False, True))
    assert max(map(len, usual.splitlines()[:-1])) > 60
    first, *middle, replay = narrow.splitlines()
    assert max(map(len, middle)) <= 60
    assert first == usual.splitlines()[0]
    assert replay == usual.splitlines()[-1]
    assert " ".join(narrow.split()) == " ".join(usual.split()), "no word is lost"


def test_a_sign_stays_on_the_line_of_its_value_where_both_fit():
    assert wrap("GET product:42 -> nothing", 20) == ["GET product:42", "-> nothing"]
    assert wrap("write product:42 = 120 now", 20) == ["write product:42", "= 120 now"]
    assert wrap("a ->", 20) == ["a ->"]
    assert wrap("GET k -> 12345678", 8) == ["GET k ->", "12345678"], "they do not fit together"


@pytest.mark.parametrize(
    ("line", "colours"),
    [
        ("S-1: VIOLATED coherent_when_settled", ("red",)),
        ("S-1: expected to hold, but VIOLATED coherent_when_settled", ("red",)),
        ("S-1: VIOLATED coherent_when_settled, as expected", ("yellow",)),
        ("S-1: VIOLATED coherent_when_settled, but not as expected", ("red",)),
        ("  S-1: VIOLATED is quoted", ()),
    ],
)
def test_a_headline_is_red_unless_the_conflict_is_documented(line, colours):
    assert paint_of(line) == colours
