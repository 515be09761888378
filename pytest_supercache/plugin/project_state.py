"""Records the state of the files around a run, with and without the gate alike.

The files are examined before anything of the project is imported, which may change them, and once
more at the end. A run without the gate does so only once it knows that it has tests of ours; files
that were written before then are found by their times.
"""

import time
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_supercache.plugin.preloaded import Preloaded
from pytest_supercache.plugin.uncollected import ScenarioFiles, Uncollected
from pytest_supercache.plugin.unimported import names_us
from pytest_supercache.plugin.unread import unread
from pytest_supercache.scenario.names import is_scenario_file

if TYPE_CHECKING:
    from pytest_supercache.gate.checkout import Checkout


_BEGAN: "pytest.StashKey[Checkout]" = pytest.StashKey()
_STARTED: pytest.StashKey[int] = pytest.StashKey()
_PRELOADED: pytest.StashKey[Preloaded] = pytest.StashKey()


def note_start(config: pytest.Config) -> None:
    """Note when a run began, and what was imported by then: no conftest file is."""
    config.stash.setdefault(_STARTED, time.time_ns())
    config.stash.setdefault(_PRELOADED, Preloaded.now())


def started_at(config: pytest.Config) -> int:
    """Return when a run began, in ns; a conftest file may have frozen the clock since."""
    return config.stash.setdefault(_STARTED, time.time_ns())


def look_early(config: pytest.Config, reports: Path) -> None:
    """Record the state of the project before conftest files are imported."""
    from pytest_supercache.gate.checkout import checkout_of

    config.stash[_BEGAN] = checkout_of(config.rootpath, reports)


class ProjectState:
    """The checkout, the scenario files and the rules around a run.

    Raises:
        UsageError: a setting is wrong.
    """

    def __init__(self, config: pytest.Config, project: dict[str, Any], reports: Path) -> None:
        self._config = config
        self._reports = reports
        self._files = ScenarioFiles.of(config, project)
        self._began: Checkout | None = config.stash.get(_BEGAN, None)
        self._written: list[str] = []  # before anybody looked
        self._preloaded: list[str] = []  # code that was imported before the run, and written since
        self._is_checked = False
        self._is_looked_at = False
        self._of_others = set[str]()  # files that have nothing of ours

    def look_at_checkout(self) -> None:
        """Record the state of the project, once."""
        if self._is_checked:
            return
        self._is_checked = True
        preloaded = self._config.stash.get(_PRELOADED, None)
        self._preloaded = preloaded.written_since(self._config.rootpath) if preloaded else []
        if self._began is None:
            self._began = self._checkout()
            self._written = self._written_since_start()

    def look(self) -> None:
        """Record the checkout and the scenario files, once, before any test runs."""
        if not self._is_looked_at:
            self.look_at_checkout()
            self._files.look()
            self._is_looked_at = True

    def may_be_ours(self, node_ids: Iterable[str]) -> bool:
        """Say whether items that workers have collected may be ours, by their node ids.

        Each file is read once, because all workers collect the same.
        """
        files = {node_id.partition("::")[0] for node_id in node_ids} - self._of_others
        for file in files:
            if self._may_have_ours(file):
                return True
            self._of_others.add(file)
        return False

    def _may_have_ours(self, file: str) -> bool:
        if is_scenario_file(Path(file).name):
            return True
        return names_us(self._config.rootpath / file)

    def uncollected(self, collected: Iterable[str]) -> Uncollected:
        """Return the scenario files below the paths of the run that are not ``collected``."""
        return self._files.uncollected(collected)

    @property
    def checkout(self) -> "Checkout":
        """The state of the project that the run has tested."""
        return self._checked_out[0]

    def part(self, collected: Iterable[str], ran_from: Iterable[str]) -> dict[str, Any]:
        """Return the part of ``verdict.json`` about the files; ``ran_from`` is from the root."""
        return {
            **self.uncollected(collected).part(),
            "unread": unread(self._config, ran_from),
            "changed": self._checked_out[1],
            "written": sorted({*self._written} - {*self._checked_out[1]}),
            "preloaded": self._preloaded,
            "unobserved": not self._is_looked_at,
            "git_refused": self._refusal(),
        }

    def _refusal(self) -> str | None:
        """Return why git did not answer for a repository that is there when the run began."""
        began = self._began
        return began.why_unknown if began is not None and began.is_refused else None

    def closing_part(self) -> dict[str, Any]:
        """Return the checkout again: other tools may have written new files since the end."""
        from pytest_supercache.gate.checkout import written_later

        return written_later(self.checkout, self._checkout()).part()

    @cached_property
    def _checked_out(self) -> "tuple[Checkout, list[str]]":
        """The tested checkout, and the paths that changed while the run went on."""
        from pytest_supercache.gate.checkout import meanwhile

        ended = self._checkout()
        return (ended, []) if self._began is None else meanwhile(self._began, ended)

    def _written_since_start(self) -> list[str]:
        from pytest_supercache.gate.checkout import written_files

        started = self._config.stash.get(_STARTED, None)
        if started is None:
            return []
        return written_files(self._config.rootpath, self._reports, started)

    def _checkout(self) -> "Checkout":
        from pytest_supercache.gate.checkout import checkout_of

        return checkout_of(self._config.rootpath, self._reports)
