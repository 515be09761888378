"""The one door to Allure: called once an item is finished, because a step an execution is too many.

Allure's history is kept per name and parameters, so the token, which changes, is excluded from it.
Scripts do not run in Allure's attachments: the picture is a static SVG.
"""

import json
from collections.abc import Mapping
from types import ModuleType

from pytest_supercache.report.finding import Finding
from pytest_supercache.report.history_text import history_text
from pytest_supercache.report.text import failure_text, line_of_text
from pytest_supercache.report.timeline import Row, Timeline, timeline
from pytest_supercache.report.timeline_svg import timeline_svg
from pytest_supercache.report.verdict_json import finding_row

STEPS_MAX = 60


def attach(finding: Finding) -> None:
    """Describe the running test and attach its evidence; call it only with allure-pytest active."""
    import allure  # optional, and loading the plugin must not import it

    _describe(allure, finding)
    kind = allure.attachment_type
    allure.attach(failure_text(finding), "verdict", kind.TEXT)
    found = finding.result.counterexample
    if found is not None:
        drawn = timeline(found)
        allure.dynamic.parameter("token", found.token, excluded=True)
        allure.attach(timeline_svg(drawn, line_of_text(finding)), "timeline", kind.SVG)
        allure.attach(history_text(found.history), "history", kind.TEXT)
        _emit_steps(allure, drawn)
    row = json.dumps(finding_row(finding), indent=2, ensure_ascii=False)
    allure.attach(row, "verdict.json", kind.JSON)


def _describe(allure: ModuleType, finding: Finding) -> None:
    dynamic = allure.dynamic
    dynamic.title(f"{finding.item}: {finding.title}" if finding.title else finding.item)
    dynamic.description(finding.words or finding.story or finding.result.coverage)
    if finding.severity is not None:
        dynamic.severity(finding.severity)
    if finding.owner is not None:
        dynamic.label("owner", finding.owner)
    if finding.tags:
        dynamic.tag(*finding.tags)
    _link(allure, finding.links)


def _link(allure: ModuleType, links: Mapping[str, str]) -> None:
    for kind, target in links.items():
        if kind == "issue":
            allure.dynamic.issue(target, target)
        elif kind == "tms":
            allure.dynamic.testcase(target, target)
        else:
            allure.dynamic.link(target, name=kind)


def _emit_steps(allure: ModuleType, drawn: Timeline) -> None:
    """Emit the failing interleaving, one Allure step a row."""
    steps = [row for row in drawn.rows if row.number is not None]
    with allure.step(f"the failing interleaving: {len(steps)} steps"):
        for row in steps[:STEPS_MAX]:
            with allure.step(_step_title(drawn, row)):
                pass
        if len(steps) > STEPS_MAX:
            with allure.step(f"{len(steps) - STEPS_MAX} more: see the attachment 'timeline'"):
                pass


def _step_title(drawn: Timeline, row: Row) -> str:
    lane = drawn.lanes[row.lane].title if row.lane is not None else ""
    calls = "".join(f" [{call}]" for call in row.before)
    answers = "".join(f" {answer}" for answer in row.after)
    mark = " (from here on the layers never agree again)" if row.never_agree_again else ""
    return f"{row.number}. {lane}: {row.text}{calls}{answers}{mark}"
