"""Chooses where a run writes: into a folder of its own, and at its end to the top of the reports.

A run that looks at a conflict again (a replay, a reproducer, a stop in a debugger) stays in its own
folder, so that it does not replace the reports of the run that found the conflict. The gate's
verdict always stands at the top, where it is asked for.
"""

from argparse import Namespace
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_supercache.plugin.project_state import started_at
from pytest_supercache.report.run_folders import VERDICT, new_folder

_OPTIONS = ("supercache_replay", "supercache_break")


class RunFolder:
    """The folder of a run, and whether its reports are also copied to the top.

    Args:
        config: the run's.
        top: the folder of reports.
        build: the build that is tested, for the name of the folder.
        is_gate: whether the gate is on.
    """

    def __init__(self, config: pytest.Config, top: Path, build: object, *, is_gate: bool) -> None:
        self.top = top
        self.own = new_folder(top, datetime.fromtimestamp(started_at(config) / 1e9, UTC), build)
        self.stays = looks_again(config.option) and not is_gate
        self.has_none = False  # it cannot be written
        self.notes: list[str] = []

    @property
    def shown(self) -> Path:
        """The folder in which people find the reports of this run."""
        return self.own if self.stays else self.top

    @property
    def verdict(self) -> Path:
        """The verdict of this run; another run may replace one at the top at any time."""
        return (self.top if self.has_none else self.own) / VERDICT

    def stay(self, why: str) -> None:
        """Keep the reports of this run in its folder."""
        self.stays = True
        self.notes.append(why)

    def write_own(self, write: Callable[[Path], object]) -> None:
        """Write into the own folder; a run whose folder cannot be written has the top only.

        Raises:
            OSError: that fails, and the run stays in its folder.
        """
        if self.has_none:
            return
        try:
            write(self.own)
        except OSError as error:
            if self.stays:
                raise
            self.has_none = True
            self.notes.append(f"this run has no folder of its own: {error}")


def looks_again(options: Namespace) -> bool:
    """Say whether the command line asks for a replay, a breakpoint, or reproducers only."""
    if any(getattr(options, name, None) for name in _OPTIONS):
        return True
    files = [
        Path(given.partition("::")[0]).name for given in getattr(options, "file_or_dir", ()) or ()
    ]
    return bool(files) and all(_is_reproducer(name) for name in files)


def _is_reproducer(name: str) -> bool:
    return name.startswith("repro_") and name.endswith(".py")
