"""The findings of the items of a run, and the exception that an item fails with."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from pytest_supercache.core.verdict import Label, Verdict

if TYPE_CHECKING:
    from pytest_supercache.core.result import CheckResult

FINDING: pytest.StashKey[dict[str, Any]] = pytest.StashKey()
"""The finding of an item, as plain data."""


_RANK = {"holds": 0, "unknown": 1, "violated": 2}


class NotAsExpected(AssertionError):  # noqa: N818 - pytest prints the name above each failure
    """A verdict other than the one that lets the item pass; its text is the full report."""


def failure_like(result: "CheckResult") -> type[NotAsExpected]:
    """Return the class of failures with this verdict and label.

    Hypothesis distinguishes failures by class and place, and looks for the smallest example of
    each: an undecided example must not count as a smaller example of a conflict.
    """
    return _failure_like(result.verdict, result.label)


@cache
def _failure_like(_verdict: Verdict, _label: Label | None) -> type[NotAsExpected]:
    about = {"__module__": NotAsExpected.__module__, "__doc__": NotAsExpected.__doc__}
    return type(NotAsExpected.__name__, (NotAsExpected,), about)


def is_at_least_as_bad(finding: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Say whether a finding of an item is as bad as an earlier one, or worse, and replaces it."""
    return _RANK[finding["verdict"]] >= _RANK[before["verdict"]]


def undecided(finding: dict[str, Any]) -> dict[str, Any]:
    """Return the finding of an item that failed although nothing was raised.

    A plugin has failed it for what it had recorded, as pytest-check does, and does not tell in
    which execution that was.
    """
    if finding["verdict"] != Verdict.HOLDS.value:
        return finding
    why = "a plugin has failed this test for what it recorded, and not by an error: see its report"
    return {
        **finding,
        "verdict": Verdict.UNKNOWN.value,
        "as_stated": False,
        "exhausted": False,
        "reasons": [why],
        "line_of_text": f"{finding['id']}: {Verdict.UNKNOWN.name}",
    }


class ItemFindings:
    """One finding per item, as plain data: the worst of several runs of an item."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, Any]] = {}  # by node id

    def add(self, finding: dict[str, Any]) -> None:
        """Add a finding."""
        name = str(finding["node_id"])
        before = self._found.get(name, finding)
        if is_at_least_as_bad(finding, before):
            self._found[name] = finding

    def keep(self, node: pytest.Item) -> None:
        """Keep the finding of an item that will have no report because the run is interrupted."""
        if FINDING in node.stash:
            self.add(node.stash[FINDING])

    @property
    def rows(self) -> list[dict[str, Any]]:
        """All findings, in the order of their node ids."""
        return [self._found[name] for name in sorted(self._found)]
