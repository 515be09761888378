"""Describes a running test to Allure: once per item, because a step per execution is too much.

Only this module imports Allure. Allure's history is kept per name and parameters, so values that
vary are excluded from it. Scripts do not run in Allure's attachments: the picture is a static SVG.
"""

from collections.abc import Collection, Iterable, Mapping
from types import ModuleType
from typing import Any

from pytest_supercache.report.allure_result import (
    address_of,
    description_of,
    labels_of,
    steps_shown,
    title_of,
)
from pytest_supercache.report.evidence import Attachment
from pytest_supercache.report.finding import Finding
from pytest_supercache.report.values import short

_ONCE = frozenset({"epic", "feature", "story", "severity"})


def attach(
    finding: Finding,
    row: Mapping[str, Any],
    attachments: Iterable[Attachment],
    marked: Collection[str] = (),
) -> None:
    """Describe the running test and attach its evidence; call it only with allure-pytest active.

    Args:
        finding: the finding of the item.
        row: its row of ``verdict.json``.
        attachments: its evidence.
        marked: kinds of labels that marks of the test set: these take precedence.
    """
    import allure  # optional, and loading the plugin must not import it

    dynamic: Any = allure.dynamic
    dynamic.title(title_of(row))
    dynamic.description(description_of(row, finding.words))
    for kind, value in labels_of(row):
        if not (kind in _ONCE and kind in marked):
            dynamic.label(kind, value)
    _link(allure, finding.links)
    if finding.result.counterexample is not None:
        dynamic.parameter("token", finding.result.counterexample.token, excluded=True)
    dynamic.parameter("executions", finding.result.executions, excluded=True)
    for one in attachments:
        allure.attach(one.text, one.name, one.type, one.suffix)
    title, steps = steps_shown(row)
    with allure.step(title):
        for step in steps:
            with allure.step(step.title):
                pass


def _link(allure: ModuleType, links: Mapping[str, str]) -> None:
    for kind, target in links.items():
        address = address_of(target)
        if kind == "issue":
            allure.dynamic.issue(address, short(target))
        elif kind == "tms":
            allure.dynamic.testcase(address, short(target))
        else:
            allure.dynamic.link(address, name=kind)
