"""Reads after settling that no guarantee judges say so: a passing run may end with wrong ones."""

import inspect
import sys
from dataclasses import replace

import pytest

from pytest_supercache.core.execution import Settled
from pytest_supercache.oracle.guarantee import Guarantee
from pytest_supercache.oracle.judge import NAMED
from pytest_supercache.report.picture import picture
from pytest_supercache.report.timeline import UNJUDGED, timelines
from pytest_supercache.report.verdict_json import finding_row
from tests.unit.report.report_stories import compared


def drawn(*, end_is_judged):
    finding = compared()
    found = finding.result.counterexample
    for execution in (found.execution, found.passing.execution):
        execution.settled = Settled(probes={("a", "product:42"): "hers"})
    found = replace(found, end_is_judged=end_is_judged)
    row = finding_row(replace(finding, result=replace(finding.result, counterexample=found)))
    return timelines(row["counterexample"])


@pytest.mark.parametrize("end_is_judged", [True, False])
def test_the_rows_of_both_runs_say_whether_their_end_is_judged(end_is_judged):
    for one in drawn(end_is_judged=end_is_judged):
        said = "after settling" if end_is_judged else UNJUDGED
        assert one.rows[-1].group == said
        assert "hers" in "".join(one.rows[-1].text)
        assert f"-- {said} --" in picture(one, 150)


@pytest.mark.parametrize("name", NAMED)
def test_a_guarantee_asks_nodes_exactly_if_its_module_looks_at_their_answers(name):
    one = NAMED[name]
    module = inspect.getmodule(_function(one.find_violation)) or sys.modules[__name__]
    looks = ".probes" in inspect.getsource(module) and name != "answers"  # it looks for errors only
    assert one.asks_nodes is looks


def _function(found):
    """Return the function that looks at the execution: the argument of `decided_by`, if any."""
    given = [one for one in getattr(found, "args", ()) if inspect.isfunction(one)]
    return given[0] if given else found


def test_a_guarantee_of_a_project_may_look_at_anything():
    assert Guarantee("own", lambda execution: None).asks_nodes
