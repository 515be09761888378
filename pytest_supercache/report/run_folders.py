"""Names the folder of each run below the folder of reports, and removes the oldest of them.

A run writes into a folder that no other run writes to, so no report is ever a mixture of two. The
folder of reports shows the last run that was about the project: copies, made when it has ended.
"""

import re
import shutil
from contextlib import suppress
from datetime import datetime
from itertools import count
from pathlib import Path

from pytest_supercache.core.inputs import InputError, open_regular
from pytest_supercache.core.masking import masked
from pytest_supercache.report.verdict_schema import read_verdict

RUNS = "runs"
VERDICT = "verdict.json"
KEPT = 20
"""How many folders of runs stay."""

_BUILD_MAX = 60
_MARK = re.compile(rb'\s*\{\s*"version"\s*:\s*\d')
_MARK_BYTES = 64


def new_folder(top: Path, when: datetime, build: object = None) -> Path:
    """Return a folder for a run below the folder of reports, which does not exist yet."""
    name = re.sub(r"[^A-Za-z0-9_.]+", "-", masked(str(build or ""))).strip("-.")[:_BUILD_MAX]
    whole = f"{when:%Y%m%dT%H%M%S.%f}Z" + (f"-{name}" if name else "")
    names = (f"{whole}.{number}" if number > 1 else whole for number in count(1))
    return next(path for path in (top / RUNS / name for name in names) if not path.exists())


def top_of(folder: Path) -> Path:
    """Return the folder of reports that a folder belongs to: that of a run stands below it."""
    return folder.parent.parent if folder.parent.name == RUNS else folder


def verdict_of_only_run(top: Path) -> Path:
    """Return where the only run with this folder of reports has its verdict: a replay, below it."""
    return next((top / RUNS).glob(f"*/{VERDICT}"), top / VERDICT)


def forget_old_runs(folder: Path) -> None:
    """Remove the oldest folders beside ``folder`` that hold a verdict of ours; 20 stay."""
    beside = sorted(path for path in folder.parent.iterdir() if path.is_dir())
    for path in [path for path in beside if _is_marked(path)][:-KEPT]:
        with suppress(OSError, InputError):
            read_verdict(path / VERDICT)  # the mark alone is not enough to remove anything
            shutil.rmtree(path, ignore_errors=True)


def _is_marked(folder: Path) -> bool:
    """Say whether a file begins as our verdicts do: to read twenty whole ones takes its time."""
    with suppress(OSError), open_regular(folder / VERDICT) as file:
        return _MARK.match(file.read(_MARK_BYTES)) is not None
    return False
