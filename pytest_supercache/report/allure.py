"""Describes a running test to Allure: once per item, because a step per execution is too much.

Only this module imports Allure. Allure's history is kept per name and parameters, so values that
vary are excluded from it. Scripts do not run in Allure's attachments: the picture is a static SVG.
Links are added at the end of the run, because allure-pytest applies its patterns to addresses, too.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pytest_supercache.report.allure_result import (
    description_of,
    labels_of,
    steps_shown,
    title_of,
)
from pytest_supercache.report.evidence import Attachment
from pytest_supercache.report.finding import Finding
from pytest_supercache.report.links import Patterns

_ONCE = frozenset({"epic", "feature", "story", "severity"})


def attach(
    finding: Finding,
    row: Mapping[str, Any],
    attachments: Iterable[Attachment],
    marked: Collection[str] = (),
    patterns: Patterns | None = None,
) -> None:
    """Describe the running test and attach its evidence; call it only with allure-pytest active.

    Args:
        finding: the finding of the item.
        row: its row of ``verdict.json``.
        attachments: its evidence.
        marked: kinds of labels that marks of the test set: these take precedence.
        patterns: those of links.
    """
    import allure  # optional, and loading the plugin must not import it

    dynamic: Any = allure.dynamic
    dynamic.title(title_of(row))
    dynamic.description(description_of(row, finding.words, patterns or {}))
    for kind, value in labels_of(row, patterns or {}):
        if not (kind in _ONCE and kind in marked):
            dynamic.label(kind, value)
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
