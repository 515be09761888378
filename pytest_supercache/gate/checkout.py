"""Which state of the project is here, as git tells it; what git does not say is not known."""

import subprocess
from pathlib import Path
from typing import Any

_SECONDS_MAX = 10


def state_of(folder: Path, reports: Path) -> dict[str, Any]:
    """Return the commit, and whether the work tree differs from it besides our own reports."""
    commit = commit_of(folder)
    if commit is None:
        return {}
    own = []
    if reports.is_relative_to(folder) and reports != folder:
        own = [":/", f":(exclude,literal){reports.relative_to(folder).as_posix()}"]
    differing = git(folder, "status", "--porcelain", "--", *own)
    return {"commit": commit, "dirty": None if differing is None else bool(differing)}


def commit_of(folder: Path) -> str | None:
    """Return the commit that is checked out."""
    return git(folder, "rev-parse", "HEAD")


def git(folder: Path, *words: str) -> str | None:
    """Return what git answers in a folder; None without git or an answer."""
    try:
        done = subprocess.run(
            ["git", *words], cwd=folder, capture_output=True, check=True, timeout=_SECONDS_MAX
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace").strip()
