"""A verdict that says of itself that it is no GO, though its contents are one."""

from datetime import date
from typing import Any

import pytest

from pytest_supercache.gate.mixed_runs import worse_than_contents
from pytest_supercache.gate.rules import Rules
from tests.unit.gate.runs import CONFLICT, TODAY, document, row, waiver

HELD = document(row("S[shop]"))
WAIVED = document(row("S[shop]", "violated", fingerprint=CONFLICT), row("W[off]"))


def told(made: dict[str, Any], *, issues: tuple[Any, ...] = ()) -> list[str]:
    return list(worse_than_contents(made, Rules(today=TODAY, issues=issues)))


@pytest.mark.parametrize("own", ["NO-GO", "NO VERDICT", "exit status 1", "?"])
def test_a_run_that_came_to_no_go_by_itself_is_named(own: str) -> None:
    made = {**HELD, "run": {**HELD["run"], "own_verdict": own}}
    assert told(made) == [
        f"verdict.json contradicts itself: run.own_verdict is {own}, and its contents are GO"
    ]
    assert told({**HELD, "run": {**HELD["run"], "own_verdict": "GO"}}) == []


@pytest.mark.parametrize(("own", "count"), [("GO", 0), ("NO VERDICT", 3), (None, 2)])
def test_another_run_that_was_in_the_way_may_have_said_go_since(own: str, count: int) -> None:
    gate = {"verdict": "NO VERDICT", "exit_status": 6}
    made = {**HELD, "gate": gate, "run": {**HELD["run"], "own_verdict": own}}
    assert len(told(made)) == count


@pytest.mark.parametrize(("opened", "count"), [(TODAY, 0), (date(2026, 3, 9), 3)])
def test_a_waiver_may_have_been_opened_since(opened: date, count: int) -> None:
    gate = {"verdict": "NO-GO", "exit_status": 1, "today": "2026-03-09"}
    made = {**WAIVED, "gate": gate, "run": {**WAIVED["run"], "own_verdict": "NO-GO"}}
    issue = waiver(opened=opened)
    assert len(told(made, issues=(issue,))) == count


@pytest.mark.parametrize(("is_gate", "count"), [(False, 0), (True, 1)])
def test_a_run_without_the_gate_knows_no_waivers(is_gate: bool, count: int) -> None:
    run = {**WAIVED["run"], "own_verdict": "NO-GO", "is_gate": is_gate}
    assert len(told({**WAIVED, "run": run}, issues=(waiver(),))) == count
