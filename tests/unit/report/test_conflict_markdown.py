"""A conflict as Markdown: its story, a Mermaid diagram that nothing can break, its replay."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_supercache.core.result import StoryPart
from pytest_supercache.core.trace import SourceLine
from pytest_supercache.report.conflict_markdown import ROWS_MAX, conflict_markdown
from pytest_supercache.report.finding import Finding
from pytest_supercache.report.verdict_json import finding_row
from tests.unit.report.report_stories import Recorder, compared, stale_set, violated

DIAGRAM = """\
sequenceDiagram
  participant A0 as alice @a
  participant A1 as bob @b
  participant L0 as super cache @a
  participant L1 as existing cache
  participant L2 as origin
  A0->>L1: 1. GET product:42
  Note over A0: 2. origin: read product:42
  A1->>L2: 3. origin: write product:42 = 120
  A1->>L1: 4. DEL product:42
  A0->>L0: 5. SET product:42
  Note over A0: from this step on the layers stay inconsistent
"""


def markdown(finding: Finding) -> str:
    row = finding_row(finding)
    return conflict_markdown(row, row["counterexample"])


def diagram(text: str) -> str:
    return text.partition("```mermaid\n")[2].partition("```")[0]


def test_it_tells_the_story_draws_the_order_and_says_how_to_replay_it() -> None:
    finding = compared()
    assert finding.result.counterexample is not None
    told = (StoryPart("alice reads 100", number=2, position=1), StoryPart("it stays"))
    found = replace(finding.result.counterexample, story=told)
    text = markdown(replace(finding, result=replace(finding.result, counterexample=found)))
    assert "- step 2: alice reads 100\n- it stays\n" in text
    assert diagram(text) == DIAGRAM
    assert text.endswith(f"Replay:\n\n    {finding.replay_command}\n")
    assert "Replay" not in markdown(violated(replay_command=""))


def test_a_step_of_the_story_names_the_line_of_the_project_that_takes_it() -> None:
    execution = stale_set()
    library = SourceLine("/env/lib/site-packages/near/cache.py", 7, "Cache.get")
    execution.steps[1].sources = (library, SourceLine("/shop/views_of_*.py", 3, "show"))
    finding = violated(execution)
    assert finding.result.counterexample is not None
    told = (StoryPart("alice reads 100", number=2, position=1), StoryPart("it stays"))
    found = replace(finding.result.counterexample, story=told)
    text = markdown(
        replace(finding, root=Path("/shop"), result=replace(finding.result, counterexample=found))
    )
    assert r"- step 2: alice reads 100 (views\_of\_\*.py:3)" "\n- it stays\n" in text


@pytest.mark.parametrize("hostile", ["a; end", "x\ny", "```", "end", "<script>", "%%{init}%%", "#"])
def test_names_and_values_add_no_line_and_no_statement(hostile: str) -> None:
    shown = diagram(markdown(violated(stale_set(old=hostile, users=(hostile, f"{hostile}2")))))
    usual = diagram(markdown(violated()))
    assert len(shown.splitlines()) == len(usual.splitlines())
    for line in shown.splitlines()[1:]:
        assert re.match(r"  (participant [AL]\d+ as |A\d+->>[AL]\d+: |Note over A\d+: )", line)
        assert not re.search(r"[;#<`%]|\bend\b", line.partition(": ")[2])


def test_a_long_order_is_cut_and_says_so() -> None:
    run = Recorder({"existing_cache": {}, "origin": {"k": 0}})
    for number in range(ROWS_MAX + 9):
        run.step("alice", f"SET {number}", existing_cache=("k", number))
    execution = replace(
        stale_set(), start={"existing_cache": {}, "origin": {"k": 0}}, steps=run.steps
    )
    assert "Note over A0: 9 more steps" in markdown(violated(execution))
