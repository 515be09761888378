"""Describes a project to the `supercache` command: its words, its files, and their mistakes.

The command runs ``pytest --collect-only --supercache-describe=FILE``, because only pytest knows the
conftest files and what they register.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.gate.policy import UNEXPLAINED

if TYPE_CHECKING:
    from pytest_supercache.plugin.uncollected import Uncollected
    from pytest_supercache.scenario.scenario import Scenario

_FAILED = "was not collected: pytest failed before it came there{}; see `pytest --collect-only`"


class Description:
    """The files and mistakes that collection has found so far."""

    def __init__(self, target: Path, root: Path) -> None:
        self._target = target
        self._root = root
        self._files: dict[str, dict[str, Any]] = {}
        self._scenarios: list[Scenario] = []
        self._failure = ""

    def add(self, path: Path, shown: str, scenario: "Scenario") -> None:
        """Add a file without mistakes."""
        from pytest_supercache.scenario.scenario import items

        self._scenarios.append(scenario)
        self._files[shown] = {
            "path": shown,
            "file": str(path),
            "id": scenario.id,
            "title": scenario.title,
            "tags": list(scenario.tags),
            "owner": scenario.owner,
            "severity": scenario.severity,
            "items": [
                {
                    "name": item.name,
                    "system": item.system.name,
                    "stated": item.system.stated.verdict.value if item.system.stated else None,
                }
                for item in items(scenario)
            ],
            "problems": [asdict(warning) for warning in scenario.warnings],
        }

    def add_broken(self, path: Path, shown: str, error: Exception) -> None:
        """Add a file that cannot be run."""
        from pytest_supercache.scenario.problems import Problem, ScenarioProblems

        found: tuple[Problem, ...]
        if isinstance(error, ScenarioProblems):
            found, left_off = error.problems, error.left_off
        else:
            said = str(error) if isinstance(error, SupercacheError) else f"cannot be read: {error}"
            found = (Problem(path=shown, line=1, column=1, width=1, message=said),)
            left_off = 0
        self._files[shown] = {
            "path": shown,
            "file": str(path),
            "items": [],
            "problems": [asdict(problem) for problem in found],
            "left_off": left_off,
        }

    def add_failure(self, place: str, said: str) -> None:
        """Add a failed collection, with pytest's message; only the first per place is kept."""
        lines = said.strip().splitlines() or [""]
        self._failure = self._failure or f", at {place}: {lines[-1].removeprefix('E').strip()}"

    def _add_uncollected(self, path: str, said: str, *, is_warning: bool = True) -> None:
        from pytest_supercache.scenario.problems import Problem

        problem = Problem(path=path, line=1, column=1, width=1, message=said, is_warning=is_warning)
        self._files[path] = {
            "path": path,
            "file": str(self._root / path),
            "items": [],
            "problems": [asdict(problem)],
        }

    def write(self, uncollected: "Uncollected", *, is_whole: bool) -> None:
        """Write everything, with the facts that only all files together show.

        ``is_whole``: pytest could collect everything.
        """
        from pytest_supercache.plugin.vocabulary import vocabulary
        from pytest_supercache.scenario.project import odd_tags
        from pytest_supercache.scenario.vocabulary import to_data

        lost = UNEXPLAINED if is_whole else _FAILED.format(self._failure)
        for path in uncollected.unexplained:
            self._add_uncollected(path, lost, is_warning=False)
        for path in uncollected.ignored_by_git:
            self._add_uncollected(path, "pytest does not collect it, and git ignores it")
        for problem in odd_tags(self._scenarios):
            self._files[problem.path]["problems"].append(asdict(problem))
        document = {
            "root": str(self._root),
            "vocabulary": to_data(vocabulary()),
            "files": [self._files[shown] for shown in sorted(self._files)],
        }
        self._target.write_text(json.dumps(document), encoding="utf-8")
