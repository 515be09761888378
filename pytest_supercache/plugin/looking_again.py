"""Keeps runs that look at a conflict again from replacing the reports of the run that found it.

A replay, a reproducer and a run with a breakpoint write into a folder of their own, unless the
command line names one or the gate is on.
"""

import shutil
from argparse import Namespace
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_supercache.core.inputs import InputError

RUNS = "runs"
KEPT = 20
"""How many folders of such runs stay."""

_FOLDER: pytest.StashKey[str] = pytest.StashKey()
_OPTIONS = ("supercache_replay", "supercache_break")


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


def folder_of_run(config: pytest.Config, reports: Path) -> Path:
    """Return the folder of this run below the folder of reports."""
    when = config.stash.setdefault(_FOLDER, f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}")
    return reports / RUNS / when


def forget_old_runs(folder: Path) -> None:
    """Remove the oldest folders beside ``folder`` that hold a verdict of ours; 20 stay."""
    from pytest_supercache.report.verdict_schema import read_verdict

    beside = sorted(path for path in folder.parent.iterdir() if path.is_dir())
    ours = []
    for path in beside:
        with suppress(OSError, InputError):
            read_verdict(path / "verdict.json")
            ours.append(path)
    for path in ours[:-KEPT]:
        shutil.rmtree(path, ignore_errors=True)
